import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { lackingError, type ForgeError } from '../errors.js';

/**
 * Writes a file whole or not at all: a temporary file in the same folder, with its final mode before the first byte under
 * any umask, flushed, then renamed over the old one. A symbolic link in its place is replaced, not followed.
 * @throws ForgeError DISK_FULL, NOT_WRITABLE (exit 3)
 */
export async function writeFileAtomic(file: string, data: string | Uint8Array, options: { mode: number }): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = await open(temporary, 'wx', options.mode & 0o700);
    try {
      await handle.chmod(options.mode);
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(file, error);
  }
}

/** Makes a folder, with its parents, and gives it this mode under any umask. Parents that are made get it too. */
export async function ensureDir(given: string, mode: number): Promise<void> {
  const folder = path.resolve(given);
  try {
    const first = await makeDirs(folder, mode);
    for (let at = folder; first !== undefined && at.length >= first.length; at = path.dirname(at)) await chmod(at, mode);
    if (first !== undefined) return;
    const found = await stat(folder);
    if ((found.mode & 0o7777) !== mode) await chmod(folder, mode);
  } catch (error) {
    throw fileError(folder, error);
  }
}

/** Like `mkdir -p`, and gives the first folder that was made. On a read-only file system Node would say ENOENT, which tells nobody why. */
export async function makeDirs(folder: string, mode?: number): Promise<string | undefined> {
  try {
    return await mkdir(folder, { recursive: true, mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    let first = folder;
    while (!existsSync(path.dirname(first))) first = path.dirname(first);
    await mkdir(first, { mode });
    await mkdir(folder, { recursive: true, mode });
    return first;
  }
}

/** A name of its own beside a folder, for what is made there and moved into its place when it is whole. */
export const freshBeside = (target: string, ending: string): string => `${target}.${ending}.${randomBytes(4).toString('hex')}`;

/**
 * Removes what interrupted runs left under such names. What cannot be removed is left: a program of theirs may still be
 * ending, and nobody uses the name again.
 */
export async function sweepBeside(target: string, ending: string): Promise<void> {
  const [folder, name] = [path.dirname(target), `${path.basename(target)}.${ending}`];
  const left = (await readdir(folder).catch(() => [])).filter((one) => one === name || one.startsWith(`${name}.`));
  await Promise.all(left.map((one) => removeLeft(path.join(folder, one))));
}

/** Removes a folder that nobody needs any more, as far as that is possible. */
export const removeLeft = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }).catch(() => undefined);

/**
 * Removes a file, or a folder with all in it; fine when it is not there. A link is removed, never followed.
 * @throws ForgeError NOT_WRITABLE (exit 3), which names what stays
 */
export async function removeAll(target: string): Promise<void> {
  try {
    await rm(target, { recursive: true, force: true });
  } catch (error) {
    const why = REMOVAL[(error as NodeJS.ErrnoException).code ?? ''];
    if (why === undefined) throw error;
    const stays = (error as NodeJS.ErrnoException).path ?? target;
    throw lackingError({
      code: 'NOT_WRITABLE',
      message: `Cannot remove ${stays}: ${why}`,
      hint: `Remove it as its owner (sudo rm -r ${target}), then run the same command again`,
      cause: error,
    });
  }
}

const REMOVAL: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  EBUSY: 'it is in use, or a file system is mounted there',
  ENOTEMPTY: 'something else is writing there',
};

/** Says what a failed write means for the person at the keyboard. Errors that are none of the file system pass through. */
export function fileError(file: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const found = CAUSES[code];
  return found === undefined ? error : found(file, error);
}

const notWritable =
  (why: string, hint = 'Use a folder that you may write to (--workspace DIR), or change its owner or mode') =>
  (file: string, cause: unknown): ForgeError =>
    lackingError({
      code: 'NOT_WRITABLE',
      message: `Cannot write ${file}: ${why}`,
      hint,
      cause,
    });
const full = (file: string, cause: unknown): ForgeError =>
  lackingError({
    code: 'DISK_FULL',
    message: `Cannot write ${file}: no space left on the disk`,
    hint: 'Free some space, then run the same command again; nothing is half written',
    cause,
  });

const CAUSES: Record<string, (file: string, cause: unknown) => ForgeError> = {
  ENOSPC: full,
  EFBIG: (file, cause) =>
    lackingError({
      code: 'FILE_TOO_LARGE',
      message: `Cannot write ${file}: this shell allows no larger files`,
      hint: 'Lift the limit (`ulimit -f unlimited`), then run the same command again; nothing is half written',
      cause,
    }),
  EDQUOT: full,
  EACCES: notWritable('permission denied'),
  EPERM: notWritable('operation not permitted'),
  EROFS: notWritable('the file system is read-only'),
  ENOTDIR: notWritable('a part of its path is a file'),
  EEXIST: notWritable('something else is in its place'),
  EISDIR: notWritable('it is a folder'),
  ENOTEMPTY: notWritable(
    'there is a folder that is not empty',
    'Something else may have been writing there: run the same command again; when it says the same, move that folder away',
  ),
  ELOOP: notWritable('its symbolic links go round in a circle'),
  ENAMETOOLONG: notWritable('its name is too long'),
};
