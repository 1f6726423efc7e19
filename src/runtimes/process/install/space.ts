import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import type { PackageSet } from './definition.js';
import { diskFull } from './step.js';

/**
 * Whether these sets have room: the packages and what the package managers keep of them. Makes nothing.
 * @throws ForgeError DISK_FULL (exit 3)
 */
export async function requireSpace(cacheDir: string, missing: readonly PackageSet[]): Promise<void> {
  const needMB = Math.ceil(missing.reduce((sum, { definition }) => sum + definition.diskMB + definition.downloadMB, 0));
  const { bavail, bsize } = await statfs(nearest(cacheDir));
  const haveMB = Math.floor((bavail * bsize) / 1e6);
  if (haveMB < needMB) throw diskFull(`The servers need ${needMB} MB of disk space in ${cacheDir}, which has ${haveMB} MB left`);
}

/** The folder, or the first one above it that is there. */
const nearest = (folder: string): string =>
  existsSync(folder) || folder === path.dirname(folder) ? folder : nearest(path.dirname(folder));
