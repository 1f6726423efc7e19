import { describe, expect, it } from 'vitest';
import { currentSequence, readRows, type ReadableMetadata } from '../../../src/clients/iceberg-read.js';

/** Parquet files of hyparquet-writer with columns player and total: Ann 1, Ann 3; and Bob 5. */
const ANN =
  'UEFSMRUGFSAVJFwVBBUAFQQVABUEFQAAAAMDDjQDAAAAQW5uAwAAAEFubhUGFSQVKFwVBBUAFQQVABUEFQAAAAMDEDwBAAAAAAAAAAMAAAAAAAAAFQQZPEgEcm9vdBUEABUMJQIYBnBsYXllciUAABUEJQIYBXRvdGFsABYEGRwZLCYIHBUMGRUAGRgGcGxheWVyFQIWBBZOFk4mCAAAJlYcFQQZFQAZGAV0b3RhbBUCFgQWUhZSJlYAABagARYEACgJaHlwYXJxdWV0AHkAAABQQVIx';
const BOB =
  'UEFSMRUGFRIVFlwVAhUAFQIVABUEFQAAAAMBBxgDAAAAQm9iFQYVFBUYXBUCFQAVAhUAFQQVAAAAAwEIHAUAAAAAAAAAFQQZPEgEcm9vdBUEABUMJQIYBnBsYXllciUAABUEJQIYBXRvdGFsABYCGRwZLCYIHBUMGRUAGRgGcGxheWVyFQIWAhZAFkAmCAAAJkgcFQQZFQAZGAV0b3RhbBUCFgIWQhZCJkgAABaCARYCACgJaHlwYXJxdWV0AHkAAABQQVIx';

type Value = string | number | null;

/** Avro's numbers: zigzag, seven bits a byte, lowest first. */
function long(value: number): number[] {
  let rest = value * 2;
  const out: number[] = [];
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return [...out, rest];
}
const text = (value: string): number[] => [...long(Buffer.byteLength(value)), ...Buffer.from(value)];
const encoded = (value: Value): number[] => (typeof value === 'string' ? text(value) : long(value ?? 0));

/** An Avro object container file with one block; `optional` fields are unions with null. */
function avro(schema: object, rows: number[][]): Uint8Array {
  const sync = Array.from({ length: 16 }, (_, at) => at);
  const meta = [...long(2), ...text('avro.schema'), ...text(JSON.stringify(schema)), ...text('avro.codec'), ...text('null'), ...long(0)];
  const body = rows.flat();
  return Uint8Array.from([
    ...Buffer.from('Obj\x01', 'latin1'),
    ...meta,
    ...sync,
    ...long(rows.length),
    ...long(body.length),
    ...body,
    ...sync,
  ]);
}

const field = (name: string, type: unknown) => ({ name, type });
const manifestList = (rows: { path: string; content?: number; sequence: number }[]): Uint8Array =>
  avro(
    {
      type: 'record',
      name: 'manifest_file',
      fields: [field('manifest_path', 'string'), field('content', 'int'), field('sequence_number', 'long')],
    },
    rows.map(({ path, content = 0, sequence }) => [path, content, sequence].flatMap(encoded)),
  );
/** A null sequence number is inherited from the manifest list. */
const manifest = (rows: { status: number; sequence: number | null; path: string }[]): Uint8Array =>
  avro(
    {
      type: 'record',
      name: 'manifest_entry',
      fields: [
        field('status', 'int'),
        field('sequence_number', ['null', 'long']),
        field('data_file', { type: 'record', name: 'r2', fields: [field('content', 'int'), field('file_path', 'string')] }),
      ],
    },
    rows.map(({ status, sequence, path }) => [
      ...long(status),
      ...(sequence === null ? long(0) : [...long(1), ...long(sequence)]),
      ...encoded(0),
      ...encoded(path),
    ]),
  );

const files: Record<string, Uint8Array> = {
  's3://b/list-2.avro': manifestList([
    { path: 's3://b/m1.avro', sequence: 1 },
    { path: 's3://b/m2.avro', sequence: 2 },
  ]),
  's3://b/list-deletes.avro': manifestList([
    { path: 's3://b/m1.avro', sequence: 1 },
    { path: 's3://b/d.avro', content: 1, sequence: 2 },
  ]),
  's3://b/list-rewritten.avro': manifestList([{ path: 's3://b/m3.avro', sequence: 3 }]),
  's3://b/m1.avro': manifest([{ status: 1, sequence: null, path: 's3://b/ann.parquet' }]),
  's3://b/m2.avro': manifest([{ status: 1, sequence: null, path: 's3://b/bob.parquet' }]),
  // As after a compaction of manifests: what was there keeps its number, what was removed is told as removed.
  's3://b/m3.avro': manifest([
    { status: 0, sequence: 1, path: 's3://b/ann.parquet' },
    { status: 2, sequence: 1, path: 's3://b/gone.parquet' },
    { status: 1, sequence: null, path: 's3://b/bob.parquet' },
  ]),
  's3://b/ann.parquet': Buffer.from(ANN, 'base64'),
  's3://b/bob.parquet': Buffer.from(BOB, 'base64'),
};
const fetched: string[] = [];
const fetchObject = (address: string): Promise<Uint8Array> => {
  fetched.push(address);
  const bytes = files[address];
  return bytes === undefined ? Promise.reject(new Error(`${address} is gone`)) : Promise.resolve(bytes);
};
const table = (list: string, sequence = 2): ReadableMetadata => ({
  'current-snapshot-id': 7,
  snapshots: [
    { 'snapshot-id': 6, 'sequence-number': sequence - 1, 'manifest-list': 's3://b/older.avro' },
    { 'snapshot-id': 7, 'sequence-number': sequence, 'manifest-list': list },
  ],
});
const byPlayer = (rows: Record<string, unknown>[]) => rows.map(({ player, total }) => `${String(player)} ${String(total)}`).sort();

describe('reading a table', () => {
  it.each([{}, { 'current-snapshot-id': null }, { 'current-snapshot-id': -1, snapshots: [] }])('%j has no rows', async (metadata) => {
    expect(currentSequence(metadata)).toBe(0);
    expect(await readRows(metadata, fetchObject)).toEqual([]);
  });

  it('gives all rows of the current snapshot; longs are bigint', async () => {
    const metadata = table('s3://b/list-2.avro');
    expect(currentSequence(metadata)).toBe(2);
    const rows = await readRows(metadata, fetchObject);
    expect(byPlayer(rows)).toEqual(['Ann 1', 'Ann 3', 'Bob 5']);
    expect(typeof rows[0]!['total']).toBe('bigint');
  });

  it('gives only what came after a sequence number, and fetches no other manifest', async () => {
    fetched.length = 0;
    expect(byPlayer(await readRows(table('s3://b/list-2.avro'), fetchObject, 1))).toEqual(['Bob 5']);
    expect(fetched).not.toContain('s3://b/m1.avro');
    expect(await readRows(table('s3://b/list-2.avro'), fetchObject, 2)).toEqual([]);
  });

  it('manifests that were rewritten: removed files are left out, numbers of their own are kept, missing ones inherited', async () => {
    const metadata = table('s3://b/list-rewritten.avro', 3);
    expect(byPlayer(await readRows(metadata, fetchObject))).toEqual(['Ann 1', 'Ann 3', 'Bob 5']);
    expect(byPlayer(await readRows(metadata, fetchObject, 2))).toEqual(['Bob 5']);
  });

  it('refuses a table with delete files instead of giving rows that are deleted', async () => {
    await expect(readRows(table('s3://b/list-deletes.avro'), fetchObject)).rejects.toMatchObject({
      code: 'TABLE_HAS_DELETES',
      exitCode: 4,
    });
  });

  it('asks for a few of many files at once; when one is gone, no more is asked for', async () => {
    const many = Array.from({ length: 200 }, (_, at) => ({ status: 1, sequence: null, path: `s3://b/${at}/ann.parquet` }));
    const lake: typeof files = {
      ...files,
      's3://b/list-many.avro': manifestList([{ path: 's3://b/many.avro', sequence: 2 }]),
      's3://b/many.avro': manifest(many),
    };
    let [asked, open, most] = [0, 0, 0];
    const slowly =
      (lost?: string) =>
      async (address: string): Promise<Uint8Array> => {
        asked++;
        most = Math.max(most, ++open);
        await new Promise((resolve) => setImmediate(resolve));
        open--;
        if (address === lost) throw new Error(`${address} is gone`);
        return lake[address] ?? files['s3://b/ann.parquet']!;
      };
    const rows = await readRows(table('s3://b/list-many.avro'), slowly());
    expect([rows.length, asked]).toEqual([400, 202]);
    expect(most).toBeLessThanOrEqual(16);
    asked = 0;
    await expect(readRows(table('s3://b/list-many.avro'), slowly('s3://b/3/ann.parquet'))).rejects.toThrow('s3://b/3/ann.parquet is gone');
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toBeLessThan(60);
  });

  it('does not hide an object that is gone', async () => {
    await expect(readRows(table('s3://b/lost.avro'), fetchObject)).rejects.toThrow('s3://b/lost.avro is gone');
  });
});
