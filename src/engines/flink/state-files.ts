import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ensureDir, writeFileAtomic } from '../../workspace/atomic.js';

/** The files in which Flink keeps the state of its jobs: on this machine, or where its pods see them. */
export interface StateFiles {
  /** Files of that name below a folder, with the time of their last change; none when there is no such folder. */
  list(folder: string, name: string): Promise<{ file: string; time: number }[]>;
  /** Undefined when there is none. */
  read(file: string): Promise<string | undefined>;
  /** Whole or not at all, in a private folder that is made when it is not there. */
  write(file: string, text: string): Promise<void>;
}

/** State in folders of this machine. */
export const localStateFiles: StateFiles = {
  async list(folder, name) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(noneWhenMissing<[]>([]));
    const found = entries.map(async (entry) => {
      const at = path.join(folder, entry.name);
      if (entry.isDirectory()) return localStateFiles.list(at, name);
      if (entry.name !== name) return [];
      const there = await stat(at).catch(noneWhenMissing(undefined));
      return there === undefined ? [] : [{ file: at, time: there.mtimeMs }];
    });
    return (await Promise.all(found)).flat();
  },
  read: (file) => readFile(file, 'utf8').catch(noneWhenMissing(undefined)),
  async write(file, text) {
    await ensureDir(path.dirname(file), 0o700);
    await writeFileAtomic(file, text, { mode: 0o600 });
  },
};

/** Flink removes old checkpoints at any time; what cannot be read for another reason is an error. */
function noneWhenMissing<T>(none: T): (error: unknown) => T {
  return (error) => {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return none;
    throw error;
  };
}
