import type { Workspace } from '../../workspace/workspace.js';
import { waitUntil } from '../../clients/wait.js';
import { serverError } from '../../errors.js';
import type { ProcessSpec } from '../types.js';
import { isAlive, processTable, treeOf, type ProcessEntry } from './identify.js';
import { anyAlive, ownProcesses, removeRunFile, type OwnProcess } from './state.js';

const DEFAULT_STOP: ProcessSpec['stop'] = { signal: 'SIGTERM', seconds: 10 };
/** After SIGKILL only a process that hangs in the kernel stays. */
const KILL_SECONDS = 10;

/** Sends a signal to the process group, or to the process alone when it leads none. */
async function send(entry: ProcessEntry, signal: NodeJS.Signals): Promise<void> {
  // Never a signal to whoever has that pid now.
  if (!(await isAlive(entry.pid, entry.started))) return;
  for (const target of [-entry.pid, entry.pid])
    try {
      process.kill(target, signal);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}

async function stopOne(own: OwnProcess, signal: AbortSignal | undefined): Promise<void> {
  const stop = own.record?.stop ?? DEFAULT_STOP;
  const tree = new Map(own.tree.map((entry) => [entry.pid, entry]));
  const gone = async (): Promise<boolean> => {
    const table = await processTable();
    for (const entry of treeOf(table, own.pid)) if (tree.get(own.pid)?.started === table.get(own.pid)?.started) tree.set(entry.pid, entry);
    return !(await anyAlive([...tree.values()]));
  };
  const wait = (seconds: number) =>
    waitUntil(gone, { what: `${own.name} to end`, everyMs: 20, timeoutMs: seconds * 1000, signal }).then(
      () => true,
      () => {
        signal?.throwIfAborted();
        return false;
      },
    );
  await send(own, stop.signal);
  if (await wait(stop.seconds)) return;
  for (const entry of [own, ...tree.values()]) await send(entry, 'SIGKILL');
  if (await wait(KILL_SECONDS)) return;
  throw serverError({
    code: 'SERVER_NOT_STOPPED',
    message: `${own.name} (pid ${own.pid}) does not end, not even when killed`,
    hint: 'It hangs in the operating system, often on a disk; run `forge down` again later',
  });
}

/**
 * Stops a process of this workspace with all its descendants: its own signal, SIGKILL when it takes too long. Resolves
 * when nothing of it is left, also when nothing was there; true when something ran.
 */
export async function stopProcess(workspace: Workspace, name: string, signal?: AbortSignal): Promise<boolean> {
  const own = (await ownProcesses(workspace)).filter((process) => process.name === name);
  await Promise.all(own.map((process) => stopOne(process, signal)));
  await removeRunFile(workspace, name);
  return own.length > 0;
}
