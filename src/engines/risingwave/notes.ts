import { waitUntil } from '../../clients/wait.js';
import { schemaId } from './catalog.js';
import { literal, type RisingWave } from './connect.js';
import type { ObjectKind, ObjectName } from './statements.js';

/**
 * What forge notes of an object that it made, in RisingWave itself (table forge.objects): IF NOT EXISTS compares nothing, and
 * RisingWave shows a statement in its own words.
 */
export interface Note extends ObjectName {
  /** Hash of the statement that was wanted. */
  wanted: string;
  /** Hash of the definition as RisingWave showed it afterwards; empty while the object is being made. */
  definition: string;
  /** The statement and the definition, credentials masked, so that a difference can be shown. */
  statement: string;
  shown: string;
  /** UUID of the Iceberg table that a sink writes; empty for the others. */
  target: string;
  /** RisingWave's version, which the wording of definitions may depend on. */
  version: string;
}

const COLUMNS = ['name', 'kind', 'wanted', 'definition', 'statement', 'shown', 'target', 'version'] as const;
type Row = Record<(typeof COLUMNS)[number], string>;

async function hasNotes(client: RisingWave): Promise<boolean> {
  const schema = await schemaId(client, 'forge');
  if (schema === undefined) return false;
  const tables = await client.query(`SELECT id FROM rw_catalog.rw_tables WHERE name = 'objects' AND schema_id = ${schema}`);
  return tables.length > 0;
}

/** All notes, by the object's name. */
export async function readNotes(client: RisingWave): Promise<Map<string, Note>> {
  if (!(await hasNotes(client))) return new Map();
  const rows = await client.query<Row>(`SELECT ${COLUMNS.join(', ')} FROM forge.objects`);
  return new Map(rows.map((row) => [row.name, { ...row, kind: row.kind as ObjectKind }]));
}

/** Writes or replaces a note: a row with a key that is there overwrites it. */
export async function writeNote(client: RisingWave, note: Note): Promise<void> {
  await ensureNotes(client);
  await client.query(
    `INSERT INTO forge.objects (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((column) => literal(note[column])).join(', ')})`,
  );
  await client.query('FLUSH');
}

export async function removeNote(client: RisingWave, name: string): Promise<void> {
  if (!(await hasNotes(client))) return;
  await client.query(`DELETE FROM forge.objects WHERE name = ${literal(name)}`);
  await client.query('FLUSH');
}

/** Removes the table of the notes, when there are none left. */
export async function removeEmptyNotes(client: RisingWave): Promise<void> {
  if ((await readNotes(client)).size > 0) return;
  await client.query('DROP TABLE IF EXISTS forge.objects');
  await client.query('DROP SCHEMA IF EXISTS forge');
}

async function ensureNotes(client: RisingWave): Promise<void> {
  if (await hasNotes(client)) return;
  try {
    await client.query('CREATE SCHEMA IF NOT EXISTS forge');
    const columns = COLUMNS.map((column) => `${column} varchar${column === 'name' ? ' PRIMARY KEY' : ''}`);
    await client.query(`CREATE TABLE IF NOT EXISTS forge.objects (${columns.join(', ')})`);
  } catch (error) {
    // Another task is making it at this moment.
    await waitUntil(() => hasNotes(client), { what: 'the table forge.objects', timeoutMs: 5000 }).catch(() => {
      throw error;
    });
  }
}
