import { POLARIS_REALM } from '../clients/iceberg.js';
import { usageError } from '../errors.js';
import { modules } from '../modules/index.js';
import { holds, type Task } from '../playbook/task.js';
import { isOnKubernetes, type StackContext } from '../workspace/context.js';
import { findWorkspace } from '../workspace/workspace.js';
import { loadDefinition, renderArgs, runTasks } from './graph.js';
import { runtimeOf } from './runtime.js';
import { openSession, type SessionOptions } from './session.js';
import { withLock } from './up.js';

export interface ResetOptions extends SessionOptions {
  signal: AbortSignal;
  note: (text: string) => void;
  /** Asked before anything is lost. */
  consent: (question: string) => Promise<boolean>;
}

export interface ResetResult {
  realm: string;
}

/** The tasks that make Polaris serve a realm, in order; each runtime has some of them. */
const REALM = ['polaris-realm'];
const SERVER = ['polaris', 'await-polaris', 'catalog-ready'];

/** Throws Polaris' realm away, with all that it knows of tables, and makes it anew; `up` then makes catalog and tables. */
export async function resetCatalog(options: ResetOptions): Promise<ResetResult> {
  const { stack, isKnown } = await openSession(options);
  if (!isKnown || stack.catalog !== 'polaris')
    throw usageError({
      code: 'NO_POLARIS',
      message: isKnown ? 'The catalog of this stack is the Iceberg REST catalog, which has no realm' : 'No stack was brought up here',
      hint: isKnown ? '`forge down` and `forge up` make it anew' : 'Run `forge up`',
    });
  if (!(await options.consent("Forget Polaris' catalog, with all of its tables, principals and grants?")))
    throw usageError({ code: 'NOT_CHANGED', message: 'Nothing was changed', hint: '--yes does it without asking' });
  const runtime = await runtimeOf(stack.runtime);
  await withLock(findWorkspace(options.folder), 'catalog reset', () =>
    runtime.withAccess(stack, options.signal, () => reset(stack, options)),
  );
  return { realm: POLARIS_REALM };
}

async function reset(stack: StackContext, { packageRoot, signal, note }: ResetOptions): Promise<void> {
  const { tasks } = await loadDefinition(packageRoot, stack.stack);
  const run = async (ids: string[]): Promise<void> => {
    const chosen = tasks.filter((task) => ids.includes(task.id) && holds(task.when, stack));
    const { failed, error } = await runTasks({ stack, tasks: inLine(chosen), signal });
    if (failed > 0) throw error;
  };
  const realm = tasks.find(({ id }) => REALM.includes(id))!;
  const context = { stack, signal, progress: note, waitingFor: () => undefined };
  if (!isOnKubernetes(stack)) await stopProcessOfPolaris(stack, signal);
  note('Purging the realm');
  await modules.get(realm.module)?.remove?.(renderArgs(realm, stack), context);
  note('Making the realm');
  await run(REALM);
  if (isOnKubernetes(stack)) {
    const { restartInCluster } = await import('../components/polaris/bootstrap-job.js');
    await restartInCluster(stack, signal);
  }
  note('Starting Polaris');
  await run(SERVER);
}

async function stopProcessOfPolaris(stack: StackContext, signal: AbortSignal): Promise<void> {
  const { stopProcess } = await import('../runtimes/process/stop.js');
  await stopProcess(stack.workspace, 'polaris', signal);
}

/** One after the other: what else they need stands. */
const inLine = (tasks: Task[]): Task[] => tasks.map((task, index) => ({ ...task, needs: tasks.slice(0, index).map(({ id }) => id) }));
