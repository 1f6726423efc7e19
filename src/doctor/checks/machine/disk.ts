import { access, constants, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Check, Place, Trouble } from '../../check.js';

const MIB = 1024 ** 2;
const [NONE, LITTLE] = [200 * MIB, 1024 * MIB];
/** Files that can still be made. */
const [NO_FILES, FEW_FILES] = [2_000, 10_000];

/** What a file system says of itself. */
export interface DiskFacts {
  /** A folder of it that is there. */
  folder: string;
  device: number;
  freeBytes: number;
  /** Undefined where the file system has no fixed number of files. */
  freeFiles: number | undefined;
  readOnly: boolean;
}

/** Room for the data, the logs and the packages. */
export const diskSpace: Check<Place> = {
  id: 'disk-space',
  group: 'machine',
  title: 'The disks of the workspace and of the cache have room',
  async look({ workspace, cacheDir }): Promise<Trouble[]> {
    const [own, cache] = await Promise.all([diskFacts(workspace.forgeDir), diskFacts(cacheDir)]);
    const disks = own.device === cache.device ? [{ what: 'the workspace and the cache', facts: own }] : [];
    const apart = [
      { what: 'the workspace', facts: own },
      // Whoever may only read the cache can use what is in it.
      { what: 'the cache', facts: { ...cache, readOnly: false } },
    ];
    return (disks.length > 0 ? disks : apart).flatMap(({ what, facts }) => diskTroubles(what, facts));
  },
};

/** What the room on one disk means. */
export function diskTroubles(what: string, { folder, freeBytes, freeFiles, readOnly }: DiskFacts): Trouble[] {
  if (readOnly)
    return [
      {
        title: `The disk of ${what} can only be read`,
        cause: `${folder} is on a file system that is mounted read-only, or became so after an error of the disk`,
        remedy: `Look at \`dmesg\` and mount it for writing (\`mount -o remount,rw …\`), or use another folder (--workspace DIR)`,
      },
    ];
  const remedy = 'Free some space there (`du -xh --max-depth=2 FOLDER | sort -h`); `forge down` removes the data of the stack';
  const room = `${Math.round(freeBytes / MIB)} MiB are free below ${folder}`;
  if (freeBytes < NONE) return [{ title: `The disk of ${what} is full`, cause: room, remedy }];
  if (freeFiles !== undefined && freeFiles < NO_FILES)
    return [{ title: `The disk of ${what} takes no more files`, cause: `${freeFiles} files can still be made below ${folder}`, remedy }];
  if (freeBytes < LITTLE) return [{ severity: 'warning', title: `The disk of ${what} is nearly full`, cause: room, remedy }];
  if (freeFiles !== undefined && freeFiles < FEW_FILES) {
    const cause = `${freeFiles} files can still be made below ${folder}`;
    return [{ severity: 'warning', title: `The disk of ${what} takes few more files`, cause, remedy }];
  }
  return [];
}

/** Of the folder, or of the nearest one above it that is there. */
async function diskFacts(wanted: string): Promise<DiskFacts> {
  let folder = path.resolve(wanted);
  for (;;) {
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined) {
      const { bavail, bsize, files, ffree } = await statfs(folder);
      return {
        folder,
        device: found.dev,
        freeBytes: bavail * bsize,
        freeFiles: files > 0 ? ffree : undefined,
        readOnly: await isReadOnly(folder),
      };
    }
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error(`${wanted} cannot be seen`);
    folder = parent;
  }
}

const isReadOnly = (folder: string): Promise<boolean> =>
  access(folder, constants.W_OK).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'EROFS',
  );
