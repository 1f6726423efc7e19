import { stackCatalog, type LoadTableResult } from '../clients/iceberg.js';
import { connectS3 } from '../clients/s3.js';
import { withPostgres, type PostgresClient } from '../clients/postgresql.js';
import { readRows, type Row } from '../clients/iceberg-read.js';
import { serverError } from '../errors.js';
import type { StackContext } from '../workspace/context.js';

/** The named parts that events pass through, as a stack's playbooks declare them. */
export interface Pipeline {
  topic: string;
  job: string;
  views: { name: string; database: string; columns: string[] }[];
  tables: { name: string; namespace: string; columns: string[] }[];
}

/** Whether rows appear only when a window closes, that is, when later events come. */
export const isWindowed = (part: { columns: string[] }): boolean => part.columns.includes('window_start');

/** A client for the database that holds the views. */
export function withViews<T>(
  stack: StackContext,
  database: string,
  use: (client: PostgresClient) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { host, port } = stack.endpoints['postgresql']!;
  const { username, password } = stack.credentials.get('views');
  return withPostgres({ host, port, user: username!.reveal(), password: password!, database }, use, { signal });
}

/** Reads tables through the catalog and the object store, as any engine would. */
export interface LakeReader {
  load(table: { name: string; namespace: string }): Promise<LoadTableResult | undefined>;
  /** Rows in files added after a sequence number. */
  rows(table: LoadTableResult, after?: number): Promise<Row[]>;
}

export async function openLake(stack: StackContext, signal: AbortSignal): Promise<LakeReader> {
  const catalog = stackCatalog(stack);
  const { accessKeyId, secretAccessKey } = stack.credentials.get('aws');
  const s3 = await connectS3(
    {
      url: stack.endpoints['localstack']!.url,
      region: stack.config.lake.region,
      accessKeyId: accessKeyId!,
      secretAccessKey: secretAccessKey!,
    },
    { signal },
  );
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
  return {
    load: ({ namespace, name }) => catalog.loadTable(namespace, name, signal),
    rows: (table, after) => readRows(table.metadata, fetchObject, after),
  };
}
