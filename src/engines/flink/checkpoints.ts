import { createHash } from 'node:crypto';
import path from 'node:path/posix';
import type { StateFiles } from './state-files.js';

/** What a job's state belongs to: the text of its SQL and the tables that it writes (by UUID). */
export interface JobIdentity {
  sqlHash: string;
  tables: Record<string, string>;
  /** The views that it keeps, by name: which of the tables in PostgreSQL that had this name. Any state fits them. */
  views?: Record<string, string>;
}

/** The folder that holds the state of a job's submissions, and what reads and writes there. */
export interface StateStore {
  root: string;
  files: StateFiles;
}

/** Short and stable: 16 hexadecimal digits of SHA-256. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** A completed checkpoint or savepoint that a job can start from. */
export interface SavedState {
  /** The folder with `_metadata`, as a file: address. */
  address: string;
  identity: JobIdentity;
}

const IDENTITY = 'identity.json';

/**
 * The folder in which a job of this identity keeps its checkpoints and savepoints. The identity is written beside them
 * before the job is submitted, so that state found after any crash says what it belongs to.
 */
export async function stateFolder({ root, files }: StateStore, identity: JobIdentity): Promise<string> {
  const tables = Object.entries(identity.tables)
    .sort()
    .map(([name, uuid]) => `${name}=${uuid}`);
  const folder = path.join(root, `${identity.sqlHash}-${hashOf(tables.join('\n'))}`);
  await files.write(path.join(folder, IDENTITY), JSON.stringify(identity, null, 2));
  return folder;
}

/** The newest completed checkpoint or savepoint of a store (Flink writes `_metadata` last), or undefined. */
export async function newestState({ root, files }: StateStore): Promise<SavedState | undefined> {
  // <identity>/<job id>/chk-<n>/_metadata and <identity>/savepoint-<id>/_metadata
  const found = (await files.list(root, '_metadata')).filter(({ file }) => [3, 4].includes(partsOf(root, file).length));
  const identities = new Map<string, JobIdentity | undefined>();
  for (const { file } of found.sort((a, b) => b.time - a.time)) {
    const folder = partsOf(root, file)[0]!;
    if (!identities.has(folder)) identities.set(folder, parseIdentity(await files.read(path.join(root, folder, IDENTITY))));
    const identity = identities.get(folder);
    if (identity !== undefined) return { address: `file://${path.dirname(file)}`, identity };
  }
  return undefined;
}

const partsOf = (root: string, file: string): string[] => path.relative(root, file).split('/');

function parseIdentity(text: string | undefined): JobIdentity | undefined {
  try {
    const parsed = JSON.parse(text ?? '') as { sqlHash?: unknown; tables?: unknown };
    return typeof parsed.sqlHash === 'string' && typeof parsed.tables === 'object' && parsed.tables !== null
      ? (parsed as JobIdentity)
      : undefined;
  } catch {
    // State whose owner is not known is not restored from.
    return undefined;
  }
}
