import { lstat, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { StackContext } from '../workspace/context.js';
import { componentsOf } from './index.js';

/** Deletes the data of every component of the stack; their processes have to be stopped. A link is removed, never followed. */
export async function removeData(context: StackContext): Promise<void> {
  for (const path of componentsOf(context).flatMap((component) => component.dataDirs(context))) {
    const there = await lstat(path).catch(() => undefined);
    if (there === undefined) continue;
    if (there.isSymbolicLink()) await rm(path);
    else await rm(path, { recursive: true, force: true });
    // The folder above goes with the last workspace in it; rmdir leaves one that holds anything.
    if (!path.startsWith(context.workspace.forgeDir)) await rmdir(dirname(path)).catch(() => undefined);
  }
}
