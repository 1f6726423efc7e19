import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Parsed } from './source.js';

type Prepared = Record<string, Parsed>;

const byRoot = new Map<string, Promise<Prepared>>();

/**
 * What the build (scripts/build.mjs) has kept of forge's own YAML, in dist/parsed.json: parsing it takes longer than most
 * commands. Undefined for a text that the build did not know to the letter, and where nothing was built.
 */
export async function preparedSource(packageRoot: string, text: string): Promise<Parsed | undefined> {
  const prepared = byRoot.get(packageRoot) ?? read(packageRoot);
  byRoot.set(packageRoot, prepared);
  return (await prepared)[textHash(text)];
}

/** Under which the build keeps what a text holds. */
export const textHash = (text: string): string => createHash('sha256').update(text).digest('hex');

const read = (packageRoot: string): Promise<Prepared> =>
  readFile(path.join(packageRoot, 'dist', 'parsed.json'), 'utf8').then(
    (json) => JSON.parse(json) as Prepared,
    () => ({}),
  );
