import { serverError } from '../errors.js';

/** The part of Iceberg's table metadata (spec: table metadata fields, format v2) that reading needs. */
export interface ReadableMetadata {
  'current-snapshot-id'?: number | null;
  snapshots?: { 'snapshot-id': number; 'sequence-number'?: number; 'manifest-list': string }[];
}

/** One row; timestamps are Date, longs bigint, decimals number. */
export type Row = Record<string, unknown>;

interface Manifest {
  manifest_path: string;
  content?: number;
  sequence_number?: bigint | number;
}
interface ManifestEntry {
  status: number;
  sequence_number?: bigint | number | null;
  data_file: { content?: number; file_path: string };
}

/** The sequence number of the current snapshot; 0 for a table without one. */
export function currentSequence(metadata: ReadableMetadata): number {
  return currentSnapshot(metadata)?.['sequence-number'] ?? 0;
}

function currentSnapshot(metadata: ReadableMetadata) {
  const id = metadata['current-snapshot-id'];
  if (id === undefined || id === null || id === -1) return undefined;
  return metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === id);
}

/**
 * Reads the rows of a table's current snapshot, or those in data files added after sequence number `after`.
 * For tables that are only appended to, as forge's are: delete files are an error, not ignored.
 * @param fetchObject gives the bytes at an s3:// address
 * @throws ForgeError TABLE_HAS_DELETES, and what `fetchObject` throws
 */
export async function readRows(
  metadata: ReadableMetadata,
  fetchObject: (address: string) => Promise<Uint8Array>,
  after = 0,
): Promise<Row[]> {
  const snapshot = currentSnapshot(metadata);
  if (snapshot === undefined) return [];
  const manifests = (await readAvro(await fetchObject(snapshot['manifest-list']))) as unknown as Manifest[];
  const wanted = manifests.filter((manifest) => Number(manifest.sequence_number ?? 0) > after);
  const files = await someAtOnce(wanted, (manifest) => liveFiles(manifest, fetchObject, after));
  const rows = await someAtOnce(files.flat(), async (address) => readParquet(await fetchObject(address)));
  return rows.flat();
}

/** A table may have thousands of files; asked for all of them at once, a server keeps the last ones waiting for longer than is waited. */
const AT_ONCE = 16;

/** What `make` gives for each, in order, a few at a time; after a failure nothing more is begun. */
async function someAtOnce<T, R>(items: readonly T[], make: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  let failed = false;
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return;
      results[index] = await make(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

async function liveFiles(manifest: Manifest, fetchObject: (address: string) => Promise<Uint8Array>, after: number): Promise<string[]> {
  if (manifest.content === 1) {
    throw serverError({
      code: 'TABLE_HAS_DELETES',
      message: `A table holds delete files (${manifest.manifest_path}), which forge does not write and cannot read`,
      hint: 'Read it with another engine, such as Trino or Spark',
    });
  }
  const entries = (await readAvro(await fetchObject(manifest.manifest_path))) as unknown as ManifestEntry[];
  // An entry without a sequence number inherits its manifest's (spec: sequence number inheritance); status 2 is deleted.
  return entries
    .filter((entry) => entry.status !== 2 && Number(entry.sequence_number ?? manifest.sequence_number ?? 0) > after)
    .map((entry) => entry.data_file.file_path);
}

async function readAvro(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  const { avroMetadata, avroRead } = await import('icebird');
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const { metadata, syncMarker } = avroMetadata(reader);
  return avroRead({ reader, metadata, syncMarker });
}

async function readParquet(bytes: Uint8Array): Promise<Row[]> {
  const [{ parquetReadObjects }, { compressors }] = await Promise.all([import('hyparquet'), import('hyparquet-compressors')]);
  const buffer = new Uint8Array(bytes).buffer;
  return parquetReadObjects({ file: { byteLength: buffer.byteLength, slice: (start, end) => buffer.slice(start, end) }, compressors });
}
