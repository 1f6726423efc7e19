import type { OnEvent, RunResult } from '../playbook/events.js';
import type { StackContext } from '../workspace/context.js';
import { readKept, writeKept } from '../workspace/kept.js';
import { acquireLock, type Lock } from '../workspace/lock.js';
import { refuseTakenOrders } from '../workspace/ports.js';
import { findWorkspace, prepareWorkspace, type Workspace } from '../workspace/workspace.js';
import { agree, describeChanges } from './agree.js';
import { loadDefinition, runStack } from './graph.js';
import { refuseDownloads } from './offline.js';
import { runtimeOf } from './runtime.js';
import { openSession, type Session, type SessionOptions } from './session.js';

export interface UpOptions extends Omit<SessionOptions, 'allocate'> {
  check: boolean;
  signal: AbortSignal;
  onEvent: OnEvent;
  note: (text: string) => void;
  /** Asked when the stack that is here would be changed into another one; false leaves it as it is. */
  consent: (question: string) => Promise<boolean>;
  /** What comes before the tasks: under the lock, and only once nothing is left that `up` would refuse to begin for. */
  prepare?: () => Promise<void>;
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
    await refusePorts(session, options);
    for (const line of describeChanges(session.selectionChanges)) options.note(line);
    const { stack } = session;
    const runtime = await runtimeOf(stack.runtime);
    const look = () => runStack({ ...options, stack, definition }, 'check');
    return { stack, run: await runtime.withAccess(stack, options.signal, look) };
  }
  // All that can be wrong with settings and machine is said before anything is written.
  const preview = await openSession({ ...options, download: options.orders?.offline !== true });
  const definition = await loadDefinition(options.packageRoot, preview.stack.stack);
  const runtime = await runtimeOf(preview.stack.runtime);
  if (options.orders?.offline === true) await refuseDownloads(preview.stack);
  await runtime.require(preview.stack, options.signal);
  const workspace = findWorkspace(options.folder);
  const before = readKept(workspace);
  await refusePorts(preview, options);
  await agree(preview.selectionChanges, options);

  await prepareWorkspace(workspace);
  return withLock(workspace, 'up', async () => {
    await options.prepare?.();
    // Another runtime's servers would hold the ports of this one; in another cluster nobody would look after them.
    if (before !== undefined && (before.runtime !== preview.stack.runtime || before.context !== preview.stack.context))
      await (await runtimeOf(before.runtime)).down(workspace, { ...options, keepData: true });
    // Both were settled above: nothing is looked for, nor downloaded, twice.
    const flags = { ...options.flags, runtime: preview.stack.runtime, catalog: preview.stack.catalog };
    const { stack, moved } = await openSession({
      ...options,
      flags,
      allocate: { isOurs: await runtime.ownPorts(workspace, preview.stack) },
    });
    for (const { name, from, to, holder } of moved)
      options.note(`Port ${from} (${name}) is taken${holder === undefined ? '' : ` by ${holder}`}; ${to} is used instead`);
    await writeKept(workspace, stack);
    await runtime.withdraw(stack, options.signal);
    try {
      const run = await runtime.withAccess(stack, options.signal, () => runStack({ ...options, stack, definition }, 'apply'));
      return { stack, run };
    } finally {
      await runtime.settle(stack);
    }
  });
}

/** What was brought up before, in another runtime too, may hold the ports that were ordered. Writes nothing. */
async function refusePorts({ stack, orderedPorts }: Session, { folder }: UpOptions): Promise<void> {
  if (Object.keys(orderedPorts).length === 0) return;
  const workspace = findWorkspace(folder);
  const runtimes = new Set([stack.runtime, readKept(workspace)?.runtime ?? stack.runtime]);
  const ownPorts = await Promise.all([...runtimes].map(async (name) => (await runtimeOf(name)).ownPorts(workspace, stack)));
  await refuseTakenOrders(orderedPorts, (port) => ownPorts.some((isOurs) => isOurs(port)));
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
