import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { lackingError } from '../errors.js';
import { ensureDir, fileError, writeFileAtomic } from '../workspace/atomic.js';
import { redact } from '../workspace/secret.js';
import { describeDifference, type Difference, type Observation } from './contract.js';
import { entryAt, modeDifference, notReadable } from './local-path.js';

export interface WantedFile {
  /** As the playbook calls it. */
  name: string;
  file: string;
  text: string;
  /** Whether the whole text is one, or it holds some that this process knows. */
  secret: 'whole' | 'parts' | 'none';
  mode: number;
}

/** Compares a file with what it should be. A symbolic link counts as another content: `apply` puts a file in its place. */
export async function observeFile({ name, file, text, secret, mode }: WantedFile): Promise<Observation> {
  const found = await entryAt(file);
  if (found === undefined) return { state: 'missing', message: `no file ${name}` };
  if (found.kind === 'folder' || found.kind === 'other')
    throw lackingError({
      code: 'PATH_OCCUPIED',
      message: `${file} has to be a file and is ${found.kind === 'folder' ? 'a folder' : 'something else'}`,
      hint: 'Move it away, then run the command again',
    });
  const diff: Difference[] = [];
  if (found.kind === 'symbolic link') diff.push({ field: 'type', is: found.kind, should: 'file' });
  else {
    diff.push(...modeDifference(found.mode, mode));
    // A wrong mode may be why it cannot be read: then that is what is wrong with it.
    const is = await readText(file, diff.length > 0);
    if (is !== undefined) diff.push(...contentDifference(is, text, secret));
  }
  if (diff.length === 0) return { state: 'in-sync' };
  const what = diff.map((one) => (one.field === 'content' ? 'its content differs' : describeDifference(one)));
  return { state: 'drifted', message: `file ${name}: ${what.join('; ')}`, diff };
}

/** Writes the file anew, whatever was wrong with it. */
export async function applyFile({ name, file, text, mode }: WantedFile, observation: { state: string; message?: string }): Promise<string> {
  if ((await entryAt(dirname(file))) === undefined) await ensureDir(dirname(file), 0o700);
  await writeFileAtomic(file, text, { mode });
  return observation.state === 'missing' ? `file ${name} was missing; written` : `${observation.message ?? name}; written anew`;
}

export async function removeFile(file: string): Promise<void> {
  if ((await entryAt(file))?.kind === 'folder') return;
  await rm(file, { force: true }).catch((error: unknown) => {
    throw fileError(file, error);
  });
}

async function readText(file: string, mayBeClosed: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (mayBeClosed && (error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw notReadable(file, error);
  }
}

/**
 * The lines that differ, between the first and the last one that do. Secrets are masked; where the new lines hold one, the
 * old ones are not shown at all: an old password is known to nobody, and so to no mask.
 */
function contentDifference(is: string, should: string, secret: WantedFile['secret']): Difference[] {
  if (is === should) return [];
  if (secret === 'whole') return [{ field: 'content', is: '***', should: '***' }];
  const [old, wanted] = [is.split('\n'), should.split('\n')];
  let start = 0;
  while (start < Math.min(old.length, wanted.length) && old[start] === wanted[start]) start++;
  let end = 0;
  while (end < Math.min(old.length, wanted.length) - start && old.at(-1 - end) === wanted.at(-1 - end)) end++;
  const part = (lines: string[]): string => lines.slice(start, lines.length - end).join('\n');
  const masked = redact(part(wanted));
  return [{ field: 'content', is: masked === part(wanted) ? redact(part(old)) : '***', should: masked }];
}
