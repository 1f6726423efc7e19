import { existsSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { ensureDir, removeAll } from '../workspace/atomic.js';
import type { RuntimeName } from '../workspace/context.js';
import { readKept } from '../workspace/kept.js';
import { findWorkspace, type Workspace } from '../workspace/workspace.js';
import { runtimeOf, type TakeDown } from './runtime.js';
import { withLock } from './up.js';

export interface DownOptions extends TakeDown {
  /** Folder that a flag named. */
  folder?: string | undefined;
}

export interface DownResult {
  /** The folder of the workspace. */
  workspace: string;
  /** Names of the servers that ran and were stopped. */
  stopped: string[];
  /** Whether data, credentials, logs and settings of the stack were removed. */
  removed: boolean;
}

/** The folder of the workspace that `down` would take away, when there is anything of a stack in it. */
export function stackFolder(folder: string | undefined): string | undefined {
  const { root, forgeDir } = findWorkspace(folder);
  return existsSync(forgeDir) ? root : undefined;
}

/**
 * Stops every server of the workspace, dependents first, and removes what forge made in it. The cache of server packages
 * stays, and so does forge.yaml. Fine when there is nothing. Works with a damaged configuration too: what runs is found by
 * its marks, not by what a file says.
 */
export async function bringDown(options: DownOptions): Promise<DownResult> {
  const workspace = findWorkspace(options.folder);
  const { root } = workspace;
  // Somebody may have removed .forge by hand while the servers ran: their marks still tell whose they are.
  if (!existsSync(workspace.forgeDir)) return { workspace: root, stopped: await stopAll(workspace, options), removed: false };
  await ensureDir(workspace.forgeDir, 0o700);
  const result = await withLock(workspace, 'down', async () => {
    const stopped = await stopAll(workspace, options);
    if (options.keepData) return { workspace: root, stopped, removed: false };
    // What else is in .forge is not forge's; then the folder stays too.
    for (const entry of (await readdir(workspace.forgeDir)).filter((name) => OWN.test(name))) {
      await removeAll(path.join(workspace.forgeDir, entry));
    }
    return { workspace: root, stopped, removed: true };
  });
  if (result.removed) await rmdir(workspace.forgeDir).catch(() => undefined);
  return result;
}

/** What forge writes into .forge, with the temporary names of atomic writes; the lock goes when it is released. */
const OWN = /^(\.gitignore|stack\.json|kubeconfig|credentials|generated|logs|run|data|\..+\.tmp|lock\..+)$/;

async function stopAll(workspace: Workspace, options: TakeDown): Promise<string[]> {
  const stopped: string[] = [];
  for (const name of runtimesHere(workspace)) stopped.push(...(await (await runtimeOf(name)).down(workspace, options)));
  return stopped;
}

/** Processes and clusters are found by their marks; an existing cluster of somebody else's only by what was kept. */
function runtimesHere(workspace: Workspace): RuntimeName[] {
  let contexts: string[] | undefined;
  try {
    contexts = readKept(workspace)?.contexts;
  } catch {
    // Damaged: the marks have to do.
  }
  return contexts === undefined ? ['process', 'k3d'] : ['process', 'k3d', 'kubernetes'];
}
