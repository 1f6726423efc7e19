import { stackCatalog, tableFacts, type LoadTableResult } from '../clients/iceberg.js';
import { withPostgres } from '../clients/postgresql.js';
import { readRows, type Row } from '../clients/iceberg-read.js';
import { RISINGWAVE_LOGIN, withRisingWave } from '../engines/risingwave/connect.js';
import type { ObjectName } from '../engines/risingwave/statements.js';
import { serverError } from '../errors.js';
import { s3Of } from '../modules/connect.js';
import type { StackContext } from '../workspace/context.js';

/** What the engine runs: one job, or a source, views and sinks. */
export type Running = { engine: 'flink'; job: string } | { engine: 'risingwave'; objects: ObjectName[] };

/** The named parts that events pass through, as a stack's playbooks declare them. */
export interface Pipeline {
  topic: string;
  running: Running;
  views: { name: string; database: string; columns: string[] }[];
  tables: { name: string; namespace: string; columns: string[] }[];
}

/** Whether rows appear only when a window closes, that is, when later events come. */
export const isWindowed = (part: { columns: string[] }): boolean => part.columns.includes('window_start');

/** Reads views, with statements that are complete: both engines take the simple protocol. */
export interface ViewReader {
  query<Row extends object = Record<string, unknown>>(sql: string): Promise<Row[]>;
}

/** The database of RisingWave's views. */
export const RISINGWAVE_DATABASE: string = RISINGWAVE_LOGIN.database;

/** A client for the database that holds the views: RisingWave itself, or PostgreSQL where Flink keeps them. */
export function withViews<T>(
  stack: StackContext,
  database: string,
  use: (client: ViewReader) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  if (stack.engine === 'risingwave') return withRisingWave(stack, use, signal);
  const { host, port } = stack.endpoints['postgresql']!;
  const { username, password } = stack.credentials.get('views');
  return withPostgres({ host, port, user: username!.reveal(), password: password!, database }, use, { signal });
}

/** Reads tables through the catalog and the object store, as any engine would. */
export interface LakeReader {
  load(table: { name: string; namespace: string }): Promise<LoadTableResult | undefined>;
  /** How many rows a table has, as its metadata tell. */
  count(table: { name: string; namespace: string }): Promise<number>;
  /** Rows in files added after a sequence number. */
  rows(table: LoadTableResult, after?: number): Promise<Row[]>;
}

export async function openLake(stack: StackContext, signal: AbortSignal): Promise<LakeReader> {
  const catalog = stackCatalog(stack);
  const s3 = await s3Of({ stack, signal });
  const fetchObject = async (address: string): Promise<Uint8Array> => {
    const { host: bucket, pathname } = new URL(address);
    const bytes = await s3.getObject(bucket, decodeURIComponent(pathname.slice(1)));
    if (bytes !== undefined) return bytes;
    throw serverError({
      code: 'OBJECT_GONE',
      message: `A table points at ${address}, which is gone`,
      hint: 'Run `forge up`: it rebuilds the tables and reads the topic again',
    });
  };
  const load: LakeReader['load'] = ({ namespace, name }) => catalog.loadTable(namespace, name, signal);
  return {
    load,
    count: async (table) => {
      const loaded = await load(table);
      return loaded === undefined ? 0 : tableFacts(loaded).rows;
    },
    rows: (table, after) => readRows(table.metadata, fetchObject, after),
  };
}
