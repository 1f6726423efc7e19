import { lstat, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { removeAll } from '../workspace/atomic.js';
import type { Owner } from './component.js';
import { allComponents } from './index.js';

/** Deletes the data of every component in a workspace; its processes have to be stopped. A link is removed, never followed. */
export async function removeData(owner: Owner): Promise<void> {
  for (const folder of allComponents().flatMap(({ process }) => process?.dataDirs(owner) ?? [])) {
    if ((await lstat(folder).catch(() => undefined)) === undefined) continue;
    await removeAll(folder);
    // A folder of forge's own outside of the workspace (PostgreSQL's, for root) goes with the last workspace in it.
    if (!folder.startsWith(owner.workspace.forgeDir + path.sep)) await rmdir(path.dirname(folder)).catch(() => undefined);
  }
}
