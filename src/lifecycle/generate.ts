import path from 'node:path';
import { usageError } from '../errors.js';
import { holds, type Task } from '../playbook/task.js';
import type { StackContext } from '../workspace/context.js';
import { writeKept } from '../workspace/kept.js';
import { findWorkspace, prepareWorkspace } from '../workspace/workspace.js';
import { loadDefinition, renderArgs, runTasks } from './graph.js';
import { openSession, type SessionOptions } from './session.js';
import { withLock } from './up.js';

export interface GenerateOptions extends SessionOptions {
  what: 'credentials' | 'sql';
  signal: AbortSignal;
}

/** Runs the tasks of the stack that write credentials, or those that write SQL, and tells the files. */
export async function generate(options: GenerateOptions): Promise<{ files: string[] }> {
  const workspace = findWorkspace(options.folder);
  await openSession(options);
  await prepareWorkspace(workspace);
  return withLock(workspace, `generate ${options.what}`, async () => {
    const { stack, isKnown } = await openSession(options);
    if (!isKnown) await writeKept(workspace, stack);
    const { tasks } = await loadDefinition(options.packageRoot, stack.stack);
    const ofStack = tasks.filter((task) => holds(task.when, stack));
    const secrets = ofStack.filter(({ module }) => module === 'secret');
    const chosen = options.what === 'credentials' ? secrets : [...secrets, ...ofStack.filter(isSql)];
    const { failed, error } = await runTasks({ stack, tasks: standingAlone(chosen), signal: options.signal });
    if (failed > 0) throw error;
    return { files: chosen.filter((task) => options.what === 'credentials' || isSql(task)).map((task) => fileOf(task, stack)) };
  });
}

const isSql = ({ module, with: args }: Task): boolean => module === 'template' && String(args['to']).endsWith('.sql');

/** Without the needs that are not among them: a file can be written before a server stands. */
function standingAlone(tasks: Task[]): Task[] {
  const ids = new Set(tasks.map(({ id }) => id));
  return tasks.map((task) => ({
    ...task,
    needs:
      task.module === 'secret'
        ? []
        : [...task.needs.filter((id) => ids.has(id)), ...tasks.filter(({ module }) => module === 'secret').map(({ id }) => id)],
  }));
}

function fileOf(task: Task, stack: StackContext): string {
  const args = renderArgs(task, stack) as { name?: string; to?: string };
  if (args.name !== undefined && task.module === 'secret') return stack.credentials.file(args.name);
  if (args.to !== undefined) return path.resolve(stack.workspace.generated, args.to);
  throw usageError({ code: 'PLAYBOOK_INVALID', message: `${task.at()}: writes no file`, hint: 'Mend the playbook' });
}
