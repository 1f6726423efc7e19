import { readFileSync } from 'node:fs';
import path from 'node:path';
import { lackingError, messageOf, type ForgeError } from '../errors.js';
import { writeFileAtomic } from './atomic.js';
import type { Selection } from './context.js';
import type { Workspace } from './workspace.js';

const VERSION = 1;

/** What `up` was told and chose (.forge/stack.json), so that other commands need no flags. It says nothing of what exists. */
export interface Kept extends Selection {
  ports: Record<string, number>;
}

const keptFile = (workspace: Workspace): string => path.join(workspace.forgeDir, 'stack.json');

/** @throws ForgeError STATE_DAMAGED, STATE_NEWER (exit 3); undefined before the first `up` */
export function readKept(workspace: Workspace): Kept | undefined {
  const file = keptFile(workspace);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw damaged(file, messageOf(error));
  }
  let value: Partial<Kept & { version: number }>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    throw damaged(file, 'it is not JSON');
  }
  if (typeof value.version === 'number' && value.version > VERSION) {
    throw lackingError({
      code: 'STATE_NEWER',
      message: `${file} was written by a newer forge`,
      hint: 'Use that version of forge for this workspace',
    });
  }
  const { stack, runtime, engine, catalog, ports } = value;
  if (![stack, runtime, engine, catalog].every((text) => typeof text === 'string') || typeof ports !== 'object' || ports === null)
    throw damaged(file, 'a key is missing');
  if (!Object.values(ports).every((port) => Number.isInteger(port))) throw damaged(file, 'a port is no number');
  return { stack: stack!, runtime: runtime!, engine: engine!, catalog: catalog!, ports };
}

export async function writeKept(workspace: Workspace, kept: Kept): Promise<void> {
  const text = JSON.stringify({ version: VERSION, id: workspace.id, ...kept }, null, 2) + '\n';
  try {
    if (readFileSync(keptFile(workspace), 'utf8') === text) return;
  } catch {
    // Not there yet.
  }
  await writeFileAtomic(keptFile(workspace), text, { mode: 0o600 });
}

const damaged = (file: string, why: string): ForgeError =>
  lackingError({
    code: 'STATE_DAMAGED',
    message: `${file} cannot be read: ${why}`,
    hint: 'Remove this file and run `forge up`: servers and data are found again',
  });
