import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { packageRoot } from '../../src/cli/paths.js';
import type { TaskContext, TaskModule } from '../../src/modules/contract.js';
import { modules } from '../../src/modules/index.js';
import type { StackContext } from '../../src/workspace/context.js';

/** A task of playbooks/balloon-popper/catalog.yaml that is for the catalog at hand. */
export interface CatalogTask {
  id: string;
  module: TaskModule;
  args: unknown;
}

interface Written {
  id: string;
  module: string;
  when?: { catalog?: string };
  with?: Record<string, unknown>;
}

/** The tasks in the order in which they are written, which is one that their needs allow. */
export function catalogTasks(stack: StackContext): CatalogTask[] {
  const { lake } = stack.config;
  const values: Record<string, string> = { bucket: lake.bucket, catalog: lake.catalog, namespace: lake.namespace };
  const text = readFileSync(join(packageRoot(), 'playbooks', 'balloon-popper', 'catalog.yaml'), 'utf8');
  const filled = text.replaceAll(/\{\{ config\.lake\.(\w+) \}\}/g, (_, name: string) => values[name]!);
  return (parse(filled) as { tasks: Written[] }[])
    .flatMap(({ tasks }) => tasks)
    .filter(({ when }) => when?.catalog === undefined || when.catalog === stack.catalog)
    .map((task) => {
      const module = modules.get(task.module)!;
      return { id: task.id, module, args: module.schema.parse(task.with ?? {}) };
    });
}

export const taskContext = (stack: StackContext): TaskContext => ({
  stack,
  signal: new AbortController().signal,
  progress: () => undefined,
  waitingFor: () => undefined,
});

/** What `up` does with one task: nothing, or apply and see that it helped. Gives the message, or `ok`. */
export async function bring({ id, module, args }: CatalogTask, stack: StackContext): Promise<string> {
  const context = taskContext(stack);
  const seen = await module.observe(args, context);
  if (seen.state === 'in-sync') return 'ok';
  if (seen.state === 'unknown') throw new Error(`${id}: ${seen.reason}`);
  const message = await module.apply(args, seen, context);
  const after = await module.observe(args, context);
  if (after.state !== 'in-sync') throw new Error(`${id} is still not in sync: ${JSON.stringify(after)}`);
  return message;
}

export async function bringAll(stack: StackContext): Promise<Record<string, string>> {
  const messages: Record<string, string> = {};
  for (const task of catalogTasks(stack)) messages[task.id] = await bring(task, stack);
  return messages;
}

export async function removeAll(stack: StackContext): Promise<void> {
  for (const { module, args } of catalogTasks(stack).reverse()) await module.remove?.(args, taskContext(stack));
}
