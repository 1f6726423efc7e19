import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { removeData } from '../components/data.js';
import { listProcesses } from '../runtimes/process/state.js';
import { stopProcess } from '../runtimes/process/stop.js';
import type { ProcessState } from '../runtimes/types.js';
import { findWorkspace } from '../workspace/workspace.js';
import { openSession, type SessionOptions } from './session.js';
import { withLock } from './up.js';

export interface DownOptions extends SessionOptions {
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
  if (!existsSync(workspace.forgeDir)) return { stopped: [], removed: false };
  return withLock(workspace, 'down', async () => {
    const running = (await listProcesses(workspace)).filter(({ state }) => state === 'running');
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
    const session = await openSession(options).catch(() => undefined);
    // Some data may lie outside of .forge (PostgreSQL's, when forge runs as root).
    if (session !== undefined) await removeData(session.stack);
    for (const entry of await readdir(workspace.forgeDir)) {
      if (entry !== 'lock') await rm(path.join(workspace.forgeDir, entry), { recursive: true, force: true });
    }
    return { stopped, removed: true };
  }).finally(() => rmdir(workspace.forgeDir).catch(() => undefined));
}

/** The engine first, then what it writes to, then what that stands on. */
function inStoppingOrder(processes: ProcessState[]): ProcessState[][] {
  const last = ['postgresql', 'localstack', 'kafka'];
  const middle = ['polaris', 'iceberg-rest'];
  const of = (names: string[]): ProcessState[] => processes.filter(({ component }) => names.includes(component));
  const first = processes.filter(({ component }) => ![...last, ...middle].includes(component));
  return [first, of(middle), of(last)].filter((group) => group.length > 0);
}
