import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { removeData } from '../components/data.js';
import { listProcesses } from '../runtimes/process/state.js';
import { stopProcess } from '../runtimes/process/stop.js';
import type { ProcessState } from '../runtimes/types.js';
import { ensureDir } from '../workspace/atomic.js';
import { findWorkspace } from '../workspace/workspace.js';
import { withLock } from './up.js';

export interface DownOptions {
  /** Folder that a flag named. */
  folder?: string | undefined;
  /** Stops the servers only. */
  keepData: boolean;
  signal: AbortSignal;
  note: (text: string) => void;
}

export interface DownResult {
  /** Names of the processes that ran and were stopped. */
  stopped: string[];
  /** Whether data, credentials, logs and settings of the stack were removed. */
  removed: boolean;
}

/** Whether there is anything of a stack in this workspace. */
export const hasStack = (folder: string | undefined): boolean => existsSync(findWorkspace(folder).forgeDir);

/**
 * Stops every process of the workspace, dependents first, and removes what forge made in it. The cache of server packages
 * stays, and so does forge.yaml. Fine when there is nothing. Works with a damaged configuration too: what runs is found by
 * its marks, not by what a file says.
 */
export async function bringDown(options: DownOptions): Promise<DownResult> {
  const workspace = findWorkspace(options.folder);
  const isRunning = async (): Promise<ProcessState[]> => (await listProcesses(workspace)).filter(({ state }) => state === 'running');
  // Somebody may have removed .forge by hand while the servers ran: their marks still tell whose they are.
  if (!existsSync(workspace.forgeDir) && (await isRunning()).length === 0) {
    await removeData({ workspace });
    return { stopped: [], removed: false };
  }
  await ensureDir(workspace.forgeDir, 0o700);
  const result = await withLock(workspace, 'down', async () => {
    const running = await isRunning();
    for (const group of inStoppingOrder(running)) {
      await Promise.all(
        group.map(async ({ name }) => {
          options.note(`Stopping ${name}`);
          await stopProcess(workspace, name, options.signal);
        }),
      );
    }
    const stopped = running.map(({ name }) => name).sort();
    if (options.keepData) return { stopped, removed: false };
    await removeData({ workspace });
    // What else is in .forge is not forge's; then the folder stays too.
    for (const entry of (await readdir(workspace.forgeDir)).filter((name) => OWN.test(name))) {
      await rm(path.join(workspace.forgeDir, entry), { recursive: true, force: true });
    }
    return { stopped, removed: true };
  });
  if (result.removed) await rmdir(workspace.forgeDir).catch(() => undefined);
  return result;
}

/** What forge writes into .forge, with the temporary names of atomic writes; the lock goes when it is released. */
const OWN = /^(\.gitignore|stack\.json|credentials|generated|logs|run|data|\..+\.tmp|lock\..+)$/;

/** The engine first, then what it writes to, then what that stands on. */
function inStoppingOrder(processes: ProcessState[]): ProcessState[][] {
  const last = ['postgresql', 'localstack', 'kafka'];
  const middle = ['polaris', 'iceberg-rest'];
  const of = (names: string[]): ProcessState[] => processes.filter(({ component }) => names.includes(component));
  const first = processes.filter(({ component }) => ![...last, ...middle].includes(component));
  return [first, of(middle), of(last)].filter((group) => group.length > 0);
}
