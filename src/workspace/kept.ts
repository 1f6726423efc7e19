import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { lackingError, messageOf, type ForgeError } from '../errors.js';
import { writeFileAtomic } from './atomic.js';
import type { CatalogName, EngineName, RuntimeName, Selection } from './context.js';
import type { Workspace } from './workspace.js';

const VERSION = 1;

/** What `up` was told and chose (.forge/stack.json), so that other commands need no flags. It says nothing of what exists. */
export interface Kept extends Selection {
  /** With the runtime kubernetes. */
  context?: string;
  /** Every context that the stack was brought up in since the last `down`, this one included: `down` goes to all of them. */
  contexts?: string[];
  ports: Record<string, number>;
}

/** Keys that it does not know are left out: a later forge of the same version may add some. */
const schema = z.object({
  stack: z.string().min(1),
  runtime: z.enum(['process', 'k3d', 'kubernetes'] satisfies RuntimeName[]),
  engine: z.enum(['flink', 'risingwave'] satisfies EngineName[]),
  catalog: z.enum(['polaris', 'iceberg-rest'] satisfies CatalogName[]),
  context: z.string().min(1).optional(),
  contexts: z.array(z.string().min(1)).optional(),
  ports: z.record(z.string(), z.int().min(1).max(65535)),
});

export const keptFile = (workspace: Pick<Workspace, 'forgeDir'>): string => path.join(workspace.forgeDir, 'stack.json');

/** @throws ForgeError STATE_DAMAGED, STATE_NEWER (exit 3); undefined before the first `up` */
export function readKept(workspace: Pick<Workspace, 'forgeDir'>): Kept | undefined {
  const file = keptFile(workspace);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw damaged(file, messageOf(error));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(file, 'it is not JSON');
  }
  const { data: version } = z.object({ version: z.int().min(1) }).safeParse(value);
  if (version === undefined) throw damaged(file, 'it has no version');
  if (version.version > VERSION)
    throw lackingError({
      code: 'STATE_NEWER',
      message: `${file} was written by a newer forge`,
      hint: 'Use that version of forge for this workspace',
    });
  const checked = schema.safeParse(value);
  if (checked.success) {
    const { context, contexts, ...rest } = checked.data;
    return { ...rest, ...(context === undefined ? {} : { context }), ...(contexts === undefined ? {} : { contexts }) };
  }
  throw damaged(file, checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}

export async function writeKept(workspace: Workspace, { stack, runtime, engine, catalog, context, ports }: Kept): Promise<void> {
  const before = contextsBefore(workspace);
  const contexts = context === undefined || before.includes(context) ? before : [...before, context];
  const kept: Kept = { stack, runtime, engine, catalog, ...(context === undefined ? {} : { context }), ports };
  if (contexts.length > 0) kept.contexts = contexts;
  const text = `${JSON.stringify({ version: VERSION, id: workspace.id, ...kept }, null, 2)}\n`;
  try {
    if (readFileSync(keptFile(workspace), 'utf8') === text) return;
  } catch {
    // Not there yet.
  }
  await writeFileAtomic(keptFile(workspace), text, { mode: 0o600 });
}

function contextsBefore(workspace: Workspace): string[] {
  try {
    return readKept(workspace)?.contexts ?? [];
  } catch {
    // Damaged: `up` has said so, or writes it anew.
    return [];
  }
}

const damaged = (file: string, why: string): ForgeError =>
  lackingError({
    code: 'STATE_DAMAGED',
    message: `${file} cannot be read: ${why}`,
    hint: 'Remove this file and run `forge up` with the flags of before: servers and data are found again',
  });
