import { tableFacts } from '../../../clients/iceberg.js';
import { withKafka } from '../../../clients/kafka.js';
import { quoteIdentifier } from '../../../clients/postgresql.js';
import { patienceMs } from '../../patience.js';
import { isWindowed, withViews } from '../../pipeline.js';
import type { StackPlace } from '../../check.js';
import { lookAtFlink } from '../engine/flink.js';
import { requireRunning } from '../running.js';
import { loadedTables } from '../tables/loaded.js';

/** A record may claim to be of any time; clocks differ by less than this. */
const SOON_MS = 60_000;

/** Events younger than this may well be under way. */
export const graceOf = ({ stack }: Pick<StackPlace, 'stack'>): number => patienceMs(stack, 60_000);

type Offsets = Map<number, bigint>;

export interface TopicLook {
  /** Records older than the grace period that the topic holds. */
  settled: number;
  /** Records that are younger. */
  fresh: number;
  /** When the newest of them may have come at most. */
  before: Date;
  /** By partition, the end of those records. */
  ends: Offsets;
  lows: Offsets;
  /** Records from a time on that are older than the grace period, and the offsets at which they begin. */
  since(time: Date): Promise<{ count: number; from: Offsets }>;
}

/** Sum of the distances between offsets by partition; none is less than nothing. */
export const between = (from: Offsets, to: Offsets, lows: Offsets): number =>
  [...to].reduce((sum, [partition, end]) => {
    const low = lows.get(partition) ?? 0n;
    const start = from.get(partition) ?? low;
    const first = start > low ? start : low;
    return sum + (end > first ? Number(end - first) : 0);
  }, 0);

/** What the topic holds that is older than the grace period. Looked at once. */
export async function lookAtTopic(place: StackPlace): Promise<TopicLook> {
  await requireRunning(place, 'kafka');
  return place.share('topic', async (signal) => {
    const bootstrap = place.stack.endpoints['kafka']!.url;
    const { topic } = place.pipeline;
    const before = new Date(Date.now() - graceOf(place));
    const [offsets, ends] = await withKafka(
      bootstrap,
      async (kafka) => [await kafka.offsets(topic), await kafka.offsetsAt(topic, before)] as const,
      {
        signal,
      },
    );
    const lows: Offsets = new Map(offsets.map(({ partition, low }) => [partition, low]));
    const highs: Offsets = new Map(offsets.map(({ partition, high }) => [partition, high]));
    return {
      fresh: between(ends, highs, lows),
      before,
      ends,
      lows,
      settled: between(lows, ends, lows),
      async since(time) {
        const from = await withKafka(bootstrap, (kafka) => kafka.offsetsAt(topic, time), { signal });
        return { count: between(from, ends, lows), from };
      },
    };
  });
}

export interface ViewLook {
  name: string;
  rows: number;
  /** Of its newest event; undefined when it is empty. */
  newest: Date | undefined;
}

/** The views that get a row for every event, which says when it was. */
export async function lookAtViews(place: StackPlace): Promise<ViewLook[]> {
  await requireRunning(place, place.stack.engine === 'flink' ? 'postgresql' : 'risingwave');
  return place.share('views', async (signal) => {
    const views = place.pipeline.views.filter((view) => !isWindowed(view) && view.columns.includes('event_ts'));
    const soon = new Date(Date.now() + SOON_MS).toISOString();
    return Promise.all(
      views.map(async ({ name, database }) => {
        const sql = `SELECT count(*) AS rows, max(event_ts) AS newest FROM ${quoteIdentifier(name)} WHERE event_ts <= '${soon}'::timestamptz`;
        const [row] = await withViews(
          place.stack,
          database,
          (client) => client.query<{ rows: string; newest: Date | string | null }>(sql),
          signal,
        );
        const newest = row?.newest ?? null;
        return { name, rows: Number(row?.rows ?? 0), newest: newest === null ? undefined : new Date(newest) };
      }),
    );
  });
}

/** When each table that gets a row for every event was last committed to. */
export async function lastCommits(place: StackPlace): Promise<{ name: string; rows: number; at: Date | undefined }[]> {
  const loaded = await loadedTables(place);
  return place.pipeline.tables
    .filter((table) => !isWindowed(table))
    .flatMap(({ name }) => {
      const table = loaded.get(name);
      if (table === undefined) return [];
      const { lastCommit, rows } = tableFacts(table);
      return [{ name, rows, at: lastCommit === null ? undefined : new Date(lastCommit) }];
    });
}

/** Whether the engine has run long enough without a break that it must have kept up. */
export async function hasSettled(place: StackPlace): Promise<boolean> {
  if (place.stack.engine !== 'flink') return true;
  const { flink, job } = await lookAtFlink(place);
  if (job?.allTasksRunning !== true) return false;
  const lastFailure = (await flink.failures(job.id, 1))[0]?.at.getTime() ?? 0;
  return Date.now() - Math.max(job.startedAt, lastFailure) > graceOf(place);
}

/** Since when the job runs: a table that was made anew holds what came after that. */
export async function jobStart(place: StackPlace): Promise<Date> {
  if (place.stack.engine !== 'flink') return new Date(0);
  const { job } = await lookAtFlink(place);
  return new Date(job?.startedAt ?? 0);
}
