import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { lackingError, messageOf, usageError, type ForgeError } from '../errors.js';
import type { Workspace } from '../workspace/workspace.js';
import type { Difference } from './contract.js';

/** A mode as playbooks write it. In YAML a bare 0600 is the number six hundred, so it has to be a text. */
export const modeSchema = z
  .string('write the mode in quotes, such as "0600"')
  .regex(/^0?[0-7]{3}$/, 'expected a mode such as "0600"')
  .transform((text) => Number.parseInt(text, 8));

export const modeText = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

export interface Entry {
  kind: 'file' | 'folder' | 'symbolic link' | 'other';
  mode: number;
  uid: number;
}

/** What is at a path, without following a symbolic link in its last part. */
export async function entryAt(file: string): Promise<Entry | undefined> {
  try {
    const found = await lstat(file);
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : found.isSymbolicLink() ? 'symbolic link' : 'other';
    return { kind, mode: found.mode & 0o7777, uid: found.uid };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw notReadable(file, error);
  }
}

/** The difference in mode, or none. */
export const modeDifference = (is: number, should: number, field = 'mode'): Difference[] =>
  is === should ? [] : [{ field, is: modeText(is), should: modeText(should) }];

/**
 * The absolute path of something that a task may write: inside `base`, also when a folder on the way is a symbolic link.
 * `.forge` itself may be a link: a person put it on another disk.
 * @throws ForgeError PATH_OUTSIDE (exit 2)
 */
export async function insideOf(workspace: Workspace, given: string, base: string = workspace.root): Promise<string> {
  const target = path.resolve(base, given);
  if (!isBelow(base, target)) throw outside(given, base);
  const real = await realPathOf(path.dirname(target));
  for (const root of [base, workspace.forgeDir]) {
    const realRoot = await realPathOf(root);
    if (real === realRoot || isBelow(realRoot, real)) return target;
  }
  throw outside(given, base);
}

/** Whether this is in `.forge`, where everything is forge's own. */
export const isInForge = (workspace: Workspace, target: string): boolean => isBelow(workspace.forgeDir, target);

function isBelow(folder: string, target: string): boolean {
  const relative = path.relative(folder, target);
  return relative !== '' && relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative);
}

/** The real path, of the part that exists. */
async function realPathOf(target: string): Promise<string> {
  try {
    return await realpath(target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw notReadable(target, error);
    const parent = path.dirname(target);
    return parent === target ? target : path.join(await realPathOf(parent), path.basename(target));
  }
}

export const notReadable = (target: string, cause: unknown): ForgeError =>
  lackingError({ code: 'NOT_READABLE', message: `Cannot read ${target}: ${messageOf(cause)}`, hint: 'Change its owner or mode', cause });

const outside = (given: string, base: string): ForgeError =>
  usageError({
    code: 'PATH_OUTSIDE',
    message: `${given} is not inside ${base}`,
    hint: 'A task writes in the workspace only: correct the path in the playbook',
  });
