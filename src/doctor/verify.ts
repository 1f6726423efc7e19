import { withKafka } from '../clients/kafka.js';
import { quoteIdentifier } from '../clients/postgresql.js';
import { waitUntil } from '../clients/wait.js';
import { messageOf } from '../errors.js';
import { tableFacts } from '../clients/iceberg.js';
import type { StackContext } from '../workspace/context.js';
import type { Expectations } from './expected.js';
import { jobName, jobState, viewsName } from './job.js';
import { patienceMs } from './patience.js';
import { isWindowed, openLake, withViews, type Pipeline } from './pipeline.js';

export interface Leg {
  name: string;
  ok: boolean;
  detail: string;
}

export interface Proof {
  healthy: boolean;
  legs: Leg[];
  topic: { events: number | null };
  views: Record<string, { rows: number | null }>;
  tables: Record<string, { rows: number | null; snapshots: number | null; lastCommit: string | null }>;
}

export interface VerifyOptions {
  stack: StackContext;
  pipeline: Pipeline;
  signal: AbortSignal;
  /** Milliseconds to wait for rows of events that are under way, longer where commits are rare; 30 s when not given. */
  patienceMs?: number;
  /** Also wait until each windowed table holds rows; for that, events have to go on after a window's end. */
  windows?: boolean;
  /** What tables have to hold, by name; any row when left out. */
  expected?: Expectations;
}

/**
 * Follows the way of the data leg by leg: topic, job, views, tables. A leg that cannot be looked at is not ok, and says why.
 * Events that are there have to show in every view and in every table that is not windowed; events under way get some time.
 */
export async function verifyFlow(options: VerifyOptions): Promise<Proof> {
  const { stack, pipeline, signal } = options;
  const holds = async (name: string, rows: number): Promise<boolean> => rows > 0 && ((await options.expected?.[name]?.holds(rows)) ?? true);
  const deadline = Date.now() + patienceMs(stack, options.patienceMs ?? 30_000);
  const counted: { events: number | null } = { events: null };
  const topic = await leg(`topic ${pipeline.topic}`, signal, async () => {
    counted.events = await withKafka(stack.endpoints['kafka']!.url, (kafka) => kafka.count(pipeline.topic), { signal });
    return `${counted.events} events`;
  });
  const job = await leg(jobName(pipeline), signal, () => jobState(stack, pipeline, lastCommitOf(stack, pipeline, signal), signal));
  const expectsRows = topic.ok && job.ok && (counted.events ?? 0) > 0;
  const patient = async <T extends { complete: boolean }>(look: () => Promise<T>): Promise<T> => {
    if (!expectsRows) return look();
    let last: T | undefined;
    await waitUntil(
      async () => {
        last = await look();
        return last.complete || Date.now() > deadline;
      },
      { signal, what: 'rows to appear' },
    );
    return last!;
  };
  const views: Proof['views'] = Object.fromEntries(pipeline.views.map(({ name }) => [name, { rows: null }]));
  const viewLeg = await leg(viewsName(pipeline), signal, async () => {
    const seen = await patient(async () => {
      const rows = await countViews(stack, pipeline, signal);
      return { rows, complete: Object.values(rows).every((count) => count > 0) };
    });
    for (const [name, rows] of Object.entries(seen.rows)) views[name] = { rows };
    if (expectsRows && !seen.complete) throw new Error(`no rows in ${emptyOnes(seen.rows).join(', ')}, though the topic holds events`);
    return summary(seen.rows);
  });
  const tables: Proof['tables'] = Object.fromEntries(
    pipeline.tables.map(({ name }) => [name, { rows: null, snapshots: null, lastCommit: null }]),
  );
  const tableLeg = await leg('Iceberg tables', signal, async () => {
    const must = pipeline.tables.filter((table) => options.windows === true || !isWindowed(table)).map(({ name }) => name);
    const seen = await patient(async () => {
      const facts = await readTables(stack, pipeline, signal);
      const lacking: string[] = [];
      for (const name of expectsRows ? must : []) if (!(await holds(name, facts[name]!.rows))) lacking.push(name);
      return { facts, lacking, complete: lacking.length === 0 };
    });
    Object.assign(tables, seen.facts);
    const counts = Object.fromEntries(Object.entries(seen.facts).map(([name, { rows }]) => [name, rows]));
    const empty = emptyOnes(counts);
    if (seen.lacking.length > 0) throw new Error(seen.lacking.map((name) => lackOf(name, counts[name] ?? 0, options)).join('; '));
    return summary(counts) + (expectsRows && empty.length > 0 ? ' (a window is written once later events close it)' : '');
  });
  const legs = [topic, job, viewLeg, tableLeg];
  return { healthy: legs.every(({ ok }) => ok), legs, topic: counted, views, tables };
}

async function leg(name: string, signal: AbortSignal, look: () => Promise<string>): Promise<Leg> {
  try {
    return { name, ok: true, detail: await look() };
  } catch (error) {
    signal.throwIfAborted();
    return { name, ok: false, detail: messageOf(error) };
  }
}

async function countViews(stack: StackContext, pipeline: Pipeline, signal: AbortSignal): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name, database } of pipeline.views) {
    const [row] = await withViews(
      stack,
      database,
      (client) => client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${quoteIdentifier(name)}`),
      signal,
    );
    counts[name] = Number(row!.rows);
  }
  return counts;
}

const lastCommitOf =
  (stack: StackContext, pipeline: Pipeline, signal: AbortSignal) =>
  async (name: string): Promise<Date | undefined> => {
    const { lastCommit } = (await readTables(stack, pipeline, signal))[name] ?? {};
    return lastCommit ? new Date(lastCommit) : undefined;
  };

/** Rows, snapshots and last commit of each table, as its metadata tells. */
async function readTables(stack: StackContext, pipeline: Pipeline, signal: AbortSignal) {
  const lake = await openLake(stack, signal);
  const facts: Record<string, { rows: number; snapshots: number; lastCommit: string | null }> = {};
  for (const table of pipeline.tables) {
    const loaded = await lake.load(table);
    if (loaded === undefined) throw new Error(`there is no table ${table.namespace}.${table.name}`);
    const { rows, snapshots, lastCommit } = tableFacts(loaded);
    facts[table.name] = { rows, snapshots, lastCommit };
  }
  return facts;
}

const lackOf = (name: string, rows: number, { expected }: VerifyOptions): string =>
  rows === 0 ? `no rows in ${name}, though the topic holds events` : (expected?.[name]?.lacks(rows) ?? `${name} holds ${rows} rows`);
const emptyOnes = (counts: Record<string, number>): string[] => Object.keys(counts).filter((name) => counts[name] === 0);
const summary = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([name, rows]) => `${name} ${rows}`)
    .join(', ');
