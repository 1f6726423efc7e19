import { currentSequence, readRows } from '../../clients/iceberg-read.js';
import type { LoadTableResult } from '../../clients/iceberg.js';

/**
 * The latest time in a column of a table whose rows are appended in the order of that column; undefined for an empty table.
 * The newest files are enough, and so it begins with those.
 */
export async function latestTime(
  table: LoadTableResult,
  column: string,
  fetchObject: (address: string) => Promise<Uint8Array>,
): Promise<Date | undefined> {
  const newest = currentSequence(table.metadata);
  for (let back = 1; ; back *= 4) {
    const after = Math.max(0, newest - back);
    const rows = await readRows(table.metadata, fetchObject, after);
    const times = rows.map((row) => row[column]).filter((value) => value instanceof Date);
    if (times.length > 0) return new Date(Math.max(...times.map((time) => time.getTime())));
    if (after === 0) return undefined;
  }
}
