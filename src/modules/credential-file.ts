import { lackingError } from '../errors.js';
import type { Difference, TaskContext } from './contract.js';
import { entryAt, type Entry } from './local-path.js';

export const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

/** A credential as it is on the disk, and what holds it. */
export interface CredentialFile {
  file: string;
  /** In clear; undefined when there is none. */
  fields: Record<string, string> | undefined;
  fileEntry: Entry | undefined;
  folderMode: number | undefined;
}

/** @throws ForgeError CREDENTIAL_UNREADABLE */
export async function look(name: string, { stack }: TaskContext): Promise<CredentialFile> {
  const file = stack.credentials.file(name);
  const fileEntry = await entryAt(file);
  if (fileEntry !== undefined && fileEntry.kind !== 'file')
    throw lackingError({
      code: 'CREDENTIAL_UNREADABLE',
      message: `The credential ${file} is a ${fileEntry.kind}, not a file`,
      hint: 'Put the file itself in its place, or remove it and run `forge up`, which makes a new one',
    });
  const read = fileEntry === undefined ? undefined : stack.credentials.read(name);
  const fields = read && Object.fromEntries(Object.entries(read).map(([field, value]) => [field, value.reveal()]));
  return { file, fields, fileEntry, folderMode: (await entryAt(stack.workspace.credentials))?.mode };
}

/** Another owner could read it, or change it. */
export function ownerDifference(uid: number | undefined): Difference[] {
  const own = process.getuid?.();
  return uid === undefined || own === undefined || uid === own ? [] : [{ field: 'owner', is: `user ${uid}`, should: `user ${own}` }];
}
