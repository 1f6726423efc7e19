import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { connectProducer, type KafkaProducer } from '../clients/kafka-produce.js';
import { quoteIdentifier, quoteLiteral } from '../clients/postgresql.js';
import type { LoadTableResult } from '../clients/iceberg.js';
import { currentSequence, type Row } from '../clients/iceberg-read.js';
import { waitUntil } from '../clients/wait.js';
import { messageOf } from '../errors.js';
import { redact } from '../workspace/secret.js';
import type { StackContext } from '../workspace/context.js';
import { patienceMs } from './patience.js';
import { isWindowed, openLake, withViews, type Pipeline } from './pipeline.js';
import type { Leg } from './verify.js';

/** Players and colours of a probe begin with this. Flink's views lose their rows after it; RisingWave's keep them, as the topic does. */
export const PROBE_PREFIX = 'forge-probe-';
/** Length of Balloon Popper's windows, and how long its watermark stays behind (templates/balloon-popper). */
const WINDOW_MS = 15_000;
const WATERMARK_MS = 2_000;
const EVENTS = 20;

export interface ProbeResult {
  legs: Leg[];
  /** Milliseconds from the sending of an event until it was seen. */
  latency: { view: Latency; table: Latency };
}
export interface Latency {
  p50: number;
  p99: number;
}

export interface ProbeOptions {
  stack: StackContext;
  pipeline: Pipeline;
  signal: AbortSignal;
  progress: (text: string) => void;
}

/**
 * Sends marked events and waits until every view and every table holds exactly them. Windows close only when later events
 * come, so a closing event follows after the window's end: a probe takes 20 to 30 seconds.
 */
export async function probeFlow(options: ProbeOptions): Promise<ProbeResult> {
  const { stack, pipeline, progress } = options;
  const allowedMs = patienceMs(stack, 90_000);
  const limit: Limit = { interrupted: options.signal, late: AbortSignal.timeout(allowedMs), allowedMs };
  const signal = AbortSignal.any([limit.interrupted, limit.late]);
  const mark = PROBE_PREFIX + randomBytes(4).toString('hex');
  const legs: Leg[] = [];
  const latency = { view: { p50: 0, p99: 0 }, table: { p50: 0, p99: 0 } };
  const lake = await openLake(stack, signal);
  const before = new Map<string, number>();
  for (const table of pipeline.tables) before.set(table.name, sequenceOf(await lake.load(table)));
  const rowsOf = async (table: Pipeline['tables'][number]): Promise<Row[]> => {
    const loaded = await lake.load(table);
    const rows = loaded === undefined ? [] : await lake.rows(loaded, before.get(table.name));
    return rows.filter((row) => row['player'] === mark || row['balloon_color'] === mark);
  };
  const producer = await connectProducer(stack.endpoints['kafka']!.url, pipeline.topic, { signal });
  try {
    const sent = await sendMarked(producer, mark);
    progress(`${EVENTS} marked events sent, waiting for the view and the table`);
    const [views, tables] = await Promise.all([
      settle('views hold the marked events', legs, limit, async () => {
        latency.view = quantiles(await watchTotals(sent, () => viewTotal(stack, pipeline, mark, signal), signal, 20));
        return `p50 ${latency.view.p50} ms, p99 ${latency.view.p99} ms`;
      }),
      settle('running totals in Iceberg hold them', legs, limit, async () => {
        const running = pipeline.tables.filter((table) => !isWindowed(table));
        const [first] = running;
        if (first === undefined) return 'the stack has no such table';
        const total = async (table: Pipeline['tables'][number]): Promise<number> => eventsIn(pipeline, table, await rowsOf(table));
        latency.table = quantiles(await watchTotals(sent, () => total(first), signal, 200));
        for (const table of running) await exactly(() => total(table), EVENTS, `${table.name} to hold the marked events`, signal);
        return `p50 ${latency.table.p50} ms, p99 ${latency.table.p99} ms`;
      }),
    ]);
    if (views && tables) {
      const closes = Math.floor(sent.at(-1)! / WINDOW_MS) * WINDOW_MS + WINDOW_MS;
      progress('waiting for the window to close');
      await waitUntil(async () => Date.now() > closes + WATERMARK_MS + 100, { signal, what: 'the window to end' });
      await sendOne(producer, mark);
      await settle('windows in Iceberg hold exactly them', legs, limit, () => windowsHold(pipeline, rowsOf, closes, signal));
      await settle('every view counts every event', legs, limit, () => viewsHold(stack, pipeline, mark, signal));
    }
  } finally {
    await producer.close();
    await forget(stack, pipeline, mark).catch(() => undefined);
  }
  return { legs, latency };
}

/** The events that a table of running totals holds: a row each on Flink; on RisingWave the highest total, since each has score 1. */
function eventsIn({ running }: Pipeline, table: Pipeline['tables'][number], rows: Row[]): number {
  const column = countColumn(table);
  if (running.engine === 'flink' || column === undefined) return rows.length;
  return Math.max(0, ...rows.map((row) => Number(row[column])));
}

const sequenceOf = (loaded: LoadTableResult | undefined): number => (loaded === undefined ? 0 : currentSequence(loaded.metadata));

interface Limit {
  interrupted: AbortSignal;
  late: AbortSignal;
  allowedMs: number;
}

async function settle(name: string, legs: Leg[], limit: Limit, look: () => Promise<string>): Promise<boolean> {
  try {
    legs.push({ name, ok: true, detail: await look() });
    return true;
  } catch (error) {
    limit.interrupted.throwIfAborted();
    const detail = limit.late.aborted ? `not within ${limit.allowedMs / 1000} s` : redact(messageOf(error));
    legs.push({ name, ok: false, detail });
    return false;
  }
}

const record = (mark: string) => ({
  key: mark,
  // Score 1, so that a total is a count.
  value: JSON.stringify({ player: mark, balloon_color: mark, score: 1, favorite_color_bonus: false, event_ts: new Date().toISOString() }),
});

/** Sends the events one by one; gives the time at which each was sent. All of them lie in one window. */
async function sendMarked(producer: KafkaProducer, mark: string): Promise<number[]> {
  const sent: number[] = [];
  while (sent.length < EVENTS) {
    sent.push(Date.now());
    await producer.send([record(mark)]);
  }
  return sent;
}

const sendOne = (producer: KafkaProducer, mark: string): Promise<void> => producer.send([record(mark)]);

/** Watches a growing count; gives for each event the milliseconds from its sending until the count first included it. */
async function watchTotals(sent: number[], total: () => Promise<number>, signal: AbortSignal, everyMs: number): Promise<number[]> {
  const seen: number[] = [];
  for (;;) {
    const count = await total();
    const now = Date.now();
    if (count > sent.length) throw new Error(`${count} events were counted, and ${sent.length} were sent`);
    while (seen.length < count) seen.push(now - sent[seen.length]!);
    if (seen.length === sent.length) return seen;
    await delay(everyMs, undefined, { signal });
  }
}

/** Milliseconds below which half and 99 in 100 of the values lie (nearest rank). */
export function quantiles(values: number[]): Latency {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.max(0, sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}

async function viewTotal(stack: StackContext, pipeline: Pipeline, mark: string, signal: AbortSignal): Promise<number> {
  const view = pipeline.views.find((it) => !isWindowed(it) && it.columns.includes('total_score'));
  if (view === undefined) throw new Error('the stack has no view with a total score');
  return sumOf(stack, view, 'total_score', mark, signal);
}

async function sumOf(
  stack: StackContext,
  view: Pipeline['views'][number],
  column: string,
  mark: string,
  signal: AbortSignal,
): Promise<number> {
  const [row] = await withViews(
    stack,
    view.database,
    (client) =>
      client.query<{ total: string | null }>(
        `SELECT sum(${quoteIdentifier(column)}) AS total FROM ${quoteIdentifier(view.name)} WHERE ${markColumn(view)} = ${quoteLiteral(mark)}`,
      ),
    signal,
  );
  return Number(row?.total ?? 0);
}

const markColumn = (part: { columns: string[] }): string => (part.columns.includes('player') ? 'player' : 'balloon_color');
/** The column that counts events, given that each has score 1. */
const countColumn = (part: { columns: string[] }): string | undefined =>
  ['total_score', 'balloon_pops', 'total_pops'].find((name) => part.columns.includes(name));

async function windowsHold(
  pipeline: Pipeline,
  rowsOf: (table: Pipeline['tables'][number]) => Promise<Row[]>,
  closes: number,
  signal: AbortSignal,
): Promise<string> {
  const details: string[] = [];
  for (const table of pipeline.tables.filter(isWindowed)) {
    const column = countColumn(table);
    if (column === undefined) continue;
    const total = async (): Promise<number> => {
      const closed = (await rowsOf(table)).filter((row) => (row['window_end'] as Date).getTime() <= closes);
      return closed.reduce((sum, row) => sum + Number(row[column]), 0);
    };
    await exactly(total, EVENTS, `${table.name} to hold the closed window`, signal);
    details.push(`${table.name} ${EVENTS}`);
  }
  return details.join(', ');
}

async function viewsHold(stack: StackContext, pipeline: Pipeline, mark: string, signal: AbortSignal): Promise<string> {
  const details: string[] = [];
  for (const view of pipeline.views) {
    const column = countColumn(view);
    if (column === undefined) continue;
    await exactly(() => sumOf(stack, view, column, mark, signal), EVENTS + 1, `${view.name} to count the marked events`, signal);
    details.push(`${view.name} ${EVENTS + 1}`);
  }
  return details.join(', ');
}

async function exactly(total: () => Promise<number>, wanted: number, what: string, signal: AbortSignal): Promise<void> {
  await waitUntil(
    async () => {
      const count = await total();
      if (count > wanted) throw new Error(`waited for ${what}: ${count} were counted, and ${wanted} were sent`);
      return count === wanted;
    },
    { signal, what, everyMs: 200 },
  );
}

/** Takes the probe's rows out of the views that can be written to, so that it shows in no leaderboard. In the tables they stay. */
async function forget(stack: StackContext, pipeline: Pipeline, mark: string): Promise<void> {
  if (pipeline.running.engine === 'risingwave') return;
  const signal = AbortSignal.timeout(5000);
  for (const view of pipeline.views) {
    await withViews(
      stack,
      view.database,
      (client) => client.query(`DELETE FROM ${quoteIdentifier(view.name)} WHERE ${markColumn(view)} = ${quoteLiteral(mark)}`),
      signal,
    );
  }
}
