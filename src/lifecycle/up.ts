import { componentsOf } from '../components/index.js';
import { requirePolaris } from '../components/polaris/distribution.js';
import { requireToolchain } from '../runtimes/process/install/require.js';
import { ownPorts } from '../runtimes/process/ports.js';
import { listProcesses } from '../runtimes/process/state.js';
import { stopProcess } from '../runtimes/process/stop.js';
import type { ProcessState } from '../runtimes/types.js';
import { usageError } from '../errors.js';
import type { OnEvent, RunResult } from '../playbook/events.js';
import type { StackContext } from '../workspace/context.js';
import { writeKept } from '../workspace/kept.js';
import { acquireLock, type Lock } from '../workspace/lock.js';
import { refuseTakenOrders } from '../workspace/ports.js';
import { findWorkspace, prepareWorkspace, type Workspace } from '../workspace/workspace.js';
import { loadDefinition, runStack } from './graph.js';
import { openSession, type Session, type SessionOptions } from './session.js';

export interface UpOptions extends Omit<SessionOptions, 'allocate'> {
  check: boolean;
  signal: AbortSignal;
  onEvent: OnEvent;
  note: (text: string) => void;
  /** Asked when the stack that is here would be changed into another one; false leaves it as it is. */
  consent: (question: string) => Promise<boolean>;
}

export interface UpOutcome {
  stack: StackContext;
  run: RunResult;
}

/** Brings the stack up, or with `check` says what that would change and writes nothing. */
export async function bringUp(options: UpOptions): Promise<UpOutcome> {
  if (options.check) {
    const session = await openSession(options);
    const definition = await loadDefinition(options.packageRoot, session.stack.stack);
    for (const line of describeChanges(session)) options.note(line);
    return { stack: session.stack, run: await runStack({ ...options, stack: session.stack, definition }, 'check') };
  }
  // All that can be wrong with settings and machine is said before anything is written.
  const preview = await openSession({ ...options, download: true });
  const definition = await loadDefinition(options.packageRoot, preview.stack.stack);
  if (preview.stack.catalog === 'polaris') await requirePolaris(preview.stack);
  await requireToolchain(preview.stack);
  const workspace = findWorkspace(options.folder);
  await refuseTakenOrders(preview.orderedPorts, await ownPorts(workspace));
  await agree(preview, options);

  await prepareWorkspace(workspace);
  return withLock(workspace, 'up', async () => {
    const running = await listProcesses(workspace);
    // The catalog was settled above: it is not looked for, nor downloaded, twice.
    const flags = { ...options.flags, catalog: preview.stack.catalog };
    const { stack, moved } = await openSession({ ...options, flags, allocate: { isOurs: await ownPorts(workspace) } });
    for (const { name, from, to, holder } of moved)
      options.note(`Port ${from} (${name}) is taken${holder === undefined ? '' : ` by ${holder}`}; ${to} is used instead`);
    await writeKept(workspace, stack);
    await stopUnwanted(stack, running, options.signal);
    const run = await runStack({ ...options, stack, definition }, 'apply');
    return { stack, run };
  });
}

/** Runs under the workspace's lock. */
export async function withLock<T>(workspace: Workspace, command: string, use: (lock: Lock) => Promise<T>): Promise<T> {
  const lock = await acquireLock(workspace, command);
  try {
    return await use(lock);
  } finally {
    lock.release();
  }
}

const describeChanges = ({ selectionChanges }: Session): string[] =>
  selectionChanges.map(({ key, from, to }) => `${key}: ${from} -> ${to}`);

async function agree(session: Session, { consent, note }: UpOptions): Promise<void> {
  if (session.selectionChanges.length === 0) return;
  note('This workspace holds another stack than the one that is asked for now:');
  for (const line of describeChanges(session)) note(`  ${line}`);
  note(
    '  Servers that are no longer part of it are stopped; tables, topics and jobs are made for the new choice. Data stays until `forge down`.',
  );
  if (await consent('Change it?')) return;
  throw usageError({
    code: 'NOT_CHANGED',
    message: 'Nothing was changed',
    hint: 'Leave the flags out to keep what is here, or use another folder (--workspace DIR)',
  });
}

/** Servers that an earlier choice started, such as the other catalog, would hold the ports of this one. */
async function stopUnwanted(stack: StackContext, running: ProcessState[], signal: AbortSignal): Promise<void> {
  const wanted = new Set(componentsOf(stack).map(({ name }) => name));
  await Promise.all(
    running.filter(({ component }) => !wanted.has(component)).map(({ name }) => stopProcess(stack.workspace, name, signal)),
  );
}
