import path from 'node:path';
import { ForgeError, usageError } from '../errors.js';
import { holds, type Task } from '../playbook/task.js';
import type { StackContext } from '../workspace/context.js';
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
    // Nothing is kept here: what the stack is, and that it is there, is for `up` to say.
    const { stack } = await openSession(options);
    const { tasks } = await loadDefinition(options.packageRoot, stack.stack);
    const ofStack = tasks.filter((task) => holds(task.when, stack));
    const secrets = ofStack.filter(isCredential);
    const chosen = options.what === 'credentials' ? secrets : [...secrets, ...ofStack.filter(isSql)];
    const { failed, error } = await runTasks({ stack, tasks: standingAlone(chosen), signal: options.signal });
    if (failed > 0) throw explained(error, stack);
    return { files: chosen.filter((task) => options.what === 'credentials' || isSql(task)).map((task) => fileOf(task, stack)) };
  });
}

/** Polaris gives the credentials of its principal itself, once it runs. */
function explained(error: unknown, stack: StackContext): unknown {
  const lacks = error instanceof ForgeError && error.code === 'TEMPLATE_VARIABLE_MISSING' && error.message.includes('polaris-principal');
  if (!lacks || stack.credentials.read('polaris-principal') !== undefined) return error;
  return usageError({
    code: 'CREDENTIAL_MISSING',
    message: 'The SQL needs the credentials of the Polaris principal, which Polaris gives when it runs',
    hint: 'Run `forge up` first, or choose the other catalog (catalog: iceberg-rest in forge.yaml)',
    cause: error,
  });
}

const isCredential = ({ module }: Task): boolean => module === 'secret' || module === 'key-pair';
const isSql = ({ module, with: args }: Task): boolean => module === 'template' && String(args['to']).endsWith('.sql');

/** Without the needs that are not among them: a file can be written before a server stands. */
function standingAlone(tasks: Task[]): Task[] {
  const ids = new Set(tasks.map(({ id }) => id));
  return tasks.map((task) => ({
    ...task,
    needs: isCredential(task) ? [] : [...task.needs.filter((id) => ids.has(id)), ...tasks.filter(isCredential).map(({ id }) => id)],
  }));
}

function fileOf(task: Task, stack: StackContext): string {
  const args = renderArgs(task, stack) as { name?: string; to?: string };
  if (args.name !== undefined && isCredential(task)) return stack.credentials.file(args.name);
  if (args.to !== undefined) return path.resolve(stack.workspace.generated, args.to);
  throw usageError({ code: 'PLAYBOOK_INVALID', message: `${task.at()}: writes no file`, hint: 'Mend the playbook' });
}
