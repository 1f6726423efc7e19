import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../../workspace/atomic.js';

/** What a job's state belongs to: the text of its SQL and the tables that it writes (by UUID). */
export interface JobIdentity {
  sqlHash: string;
  tables: Record<string, string>;
}

/** Short and stable: 16 hexadecimal digits of SHA-256. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** A completed checkpoint or savepoint that a job can start from. */
export interface SavedState {
  /** The folder with `_metadata`, as a file: address. */
  address: string;
  identity: JobIdentity;
}

/**
 * The folder in which a job of this identity keeps its checkpoints and savepoints. The identity is written beside them
 * before the job is submitted, so that state found after any crash says what it belongs to.
 */
export async function stateFolder(root: string, identity: JobIdentity): Promise<string> {
  const tables = Object.entries(identity.tables)
    .sort()
    .map(([name, uuid]) => `${name}=${uuid}`);
  const folder = path.join(root, `${identity.sqlHash}-${hashOf(tables.join('\n'))}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileAtomic(path.join(folder, IDENTITY), JSON.stringify(identity, null, 2), { mode: 0o600 });
  return folder;
}

const IDENTITY = 'identity.json';

/** The newest completed checkpoint or savepoint under `root` (Flink writes `_metadata` last), or undefined. */
export async function newestState(root: string): Promise<SavedState | undefined> {
  let newest: { time: number; state: SavedState } | undefined;
  for (const folder of await children(root)) {
    const identity = await readIdentity(folder);
    if (identity === undefined) continue;
    // <identity>/<job id>/chk-<n>/_metadata and <identity>/savepoint-<id>/_metadata
    const level1 = await children(folder);
    const level2 = (await Promise.all(level1.map(children))).flat();
    for (const candidate of [...level1, ...level2]) {
      const metadata = await stat(path.join(candidate, '_metadata')).catch(() => undefined);
      if (metadata === undefined || (newest !== undefined && metadata.mtimeMs <= newest.time)) continue;
      newest = { time: metadata.mtimeMs, state: { address: `file://${candidate}`, identity } };
    }
  }
  return newest?.state;
}

async function children(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(folder, entry.name));
}

async function readIdentity(folder: string): Promise<JobIdentity | undefined> {
  try {
    const parsed = JSON.parse(await readFile(path.join(folder, IDENTITY), 'utf8')) as { sqlHash?: unknown; tables?: unknown };
    return typeof parsed.sqlHash === 'string' && typeof parsed.tables === 'object' && parsed.tables !== null
      ? (parsed as JobIdentity)
      : undefined;
  } catch {
    // State whose owner is not known is not restored from.
    return undefined;
  }
}
