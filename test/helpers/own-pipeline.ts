import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { flinkClient, hasEnded, type FlinkClient, type FlinkJob } from '../../src/clients/flink.js';
import { stackCatalog } from '../../src/clients/iceberg.js';
import { withKafka } from '../../src/clients/kafka.js';
import { connectProducer } from '../../src/clients/kafka-produce.js';
import { readTopic } from '../../src/clients/kafka-read.js';
import { waitUntil } from '../../src/clients/wait.js';
import { openLake, withViews } from '../../src/doctor/pipeline.js';
import { loadDefinition, renderArgs } from '../../src/lifecycle/graph.js';
import { flinkJob } from '../../src/modules/flink-job.js';
import { modules } from '../../src/modules/index.js';
import type { RunResult, TaskResult } from '../../src/playbook/events.js';
import { runGraph } from '../../src/playbook/run.js';
import type { StackContext } from '../../src/workspace/context.js';
import { renderTemplate } from '../../src/workspace/template.js';
import { templateValues } from '../../src/workspace/values.js';
import { contextOf, sql } from './servers.js';
import type { TestWorld } from './world.js';

export const TABLES = ['leaderboard', 'balloon_color_stats', 'realtime_scores', 'balloon_colored_pops', 'color_performance_trends'];
export const VIEWS = [
  'mv_leaderboard',
  'mv_balloon_color_stats',
  'mv_realtime_scores',
  'mv_balloon_colored_pops',
  'mv_color_performance_trends',
];

/** Totals by player in three places, and the rows of the two tables that get one per event. */
export interface Sums {
  topic: Record<string, number>;
  view: Record<string, number>;
  table: Record<string, number>;
  rows: { leaderboard: number; stats: number };
  /** Distinct running totals in the leaderboard: as many as rows, when no event was written twice. */
  distinct: number;
}

/** Balloon Popper a second time on the servers of a running stack: its own topic, namespace, database and job, the shipped SQL. */
export interface OwnPipeline {
  stack: StackContext;
  name: string;
  flink: FlinkClient;
  /** The script as it is shipped, rendered for this pipeline. */
  shippedSql: string;
  setSql(text: string): Promise<void>;
  /** Makes topic, tables and views that are missing. */
  prepare(): Promise<void>;
  /** One run over the job's task alone. */
  up(mode?: 'apply' | 'check'): Promise<TaskResult>;
  args(): Record<string, unknown>;
  job(): Promise<FlinkJob | undefined>;
  activeJobs(): Promise<FlinkJob[]>;
  /** Plays so many events, each with a score of 1 to 9. */
  send(count: number, players?: string[]): Promise<void>;
  sendRaw(values: string[]): Promise<void>;
  sums(): Promise<Sums>;
  /** Waits for a checkpoint that began after now. */
  checkpoint(): Promise<void>;
  dropTable(name: string): Promise<void>;
  close(): Promise<void>;
}

export async function ownPipeline(world: TestWorld, label: string): Promise<OwnPipeline> {
  const name = `${label}_${process.pid}`;
  const { config, packageRoot } = world.stack;
  const own = { topic: { ...config.topic, name }, lake: { ...config.lake, namespace: name }, views: { ...config.views, database: name } };
  const stack: StackContext = { ...world.stack, config: { ...config, ...own } };
  const context = contextOf({ ...world, stack });
  const { signal } = context;
  const flink = flinkClient(stack.endpoints['flink']!.url, signal);
  const bootstrap = stack.endpoints['kafka']!.url;
  const script = join(world.scratch, `${name}.sql`);
  const shippedSql = renderTemplate(
    await readFile(join(packageRoot, 'templates', 'balloon-popper', 'flink', 'pipeline.sql'), 'utf8'),
    { ...templateValues(stack), job: name, refill: false },
    { file: 'pipeline.sql' },
  ).text;
  const { tasks } = await loadDefinition(packageRoot, stack.stack);
  const things = ['kafka.topic', 'postgresql.database', 'sql.view', 'iceberg.namespace', 'iceberg.table'];
  const parts = tasks.filter(({ module, id }) => things.includes(module) && id !== 'catalog-database');
  const ids = new Set(parts.map(({ id }) => id));
  const standing = parts.map((task) => ({ ...task, needs: task.needs.filter((id) => ids.has(id)) }));
  const args = (): Record<string, unknown> => ({
    name,
    sql: script,
    namespace: name,
    tables: TABLES,
    database: name,
    views: VIEWS,
    refill: 'balloon-popper/flink/pipeline.sql',
  });
  const activeJobs = async (): Promise<FlinkJob[]> => (await flink.jobs()).filter((job) => job.name === name && !hasEnded(job));
  const it: OwnPipeline = {
    stack,
    name,
    flink,
    shippedSql,
    setSql: (text) => writeFile(script, text, { mode: 0o600 }),
    async prepare() {
      succeeded(await runGraph({ tasks: standing, modules, stack, signal, mode: 'apply', renderArgs: (task) => renderArgs(task, stack) }));
    },
    args,
    async up(mode = 'apply') {
      const task = { id: 'own-job', module: 'flink.job', play: 'Own', needs: [], when: {}, with: {}, at: () => 'own-pipeline.ts' };
      const run = await runGraph({ tasks: [task], modules, stack, signal, mode, renderArgs: args });
      return run.tasks[0]!;
    },
    async job() {
      return (await activeJobs())[0];
    },
    activeJobs,
    async send(count, players = ['Ann', 'Bob', 'Cleo']) {
      const colours = ['red', 'blue', 'green'];
      await it.sendRaw(
        Array.from({ length: count }, (_, at) =>
          JSON.stringify({
            player: players[at % players.length],
            balloon_color: colours[(at * 7) % 3],
            score: 1 + ((at * 5) % 9),
            favorite_color_bonus: at % 4 === 0,
            event_ts: new Date().toISOString(),
          }),
        ),
      );
    },
    async sendRaw(values) {
      const producer = await connectProducer(bootstrap, name, { signal });
      try {
        await producer.send(values.map((value, at) => ({ key: String(at % 7), value })));
      } finally {
        await producer.close();
      }
    },
    async sums() {
      const topic: Record<string, number> = {};
      await readTopic(bootstrap, name, { onMessage: ({ value }) => count(topic, value) });
      const view = await withViews(
        stack,
        name,
        (client) => client.query<{ player: string; total_score: string }>('SELECT player, total_score FROM mv_leaderboard'),
        signal,
      );
      const lake = await openLake(stack, signal);
      const rowsOf = async (table: string) => {
        const loaded = await lake.load({ namespace: name, name: table });
        return loaded === undefined ? [] : lake.rows(loaded);
      };
      const [leaderboard, stats] = [await rowsOf('leaderboard'), await rowsOf('balloon_color_stats')];
      const table: Record<string, number> = {};
      for (const { player, total_score } of leaderboard) table[String(player)] = Math.max(table[String(player)] ?? 0, Number(total_score));
      return {
        topic,
        view: Object.fromEntries(view.map(({ player, total_score }) => [player, Number(total_score)])),
        table,
        rows: { leaderboard: leaderboard.length, stats: stats.length },
        distinct: new Set(leaderboard.map(({ player, total_score }) => `${String(player)} ${String(total_score)}`)).size,
      };
    },
    async checkpoint() {
      const { id } = (await it.job())!;
      const { completed } = await flink.checkpoints(id);
      // The one that is under way now may have begun before.
      await waitUntil(async () => (await flink.checkpoints(id)).completed >= completed + 2, { what: 'two checkpoints', timeoutMs: 60_000 });
    },
    dropTable: async (table) => void (await stackCatalog(stack).dropTable(name, table)),
    async close() {
      await flinkJob.remove!(args(), context);
      await waitUntil(async () => (await activeJobs()).length === 0, { what: 'the job to end', timeoutMs: 60_000 });
      const catalog = stackCatalog(stack);
      for (const table of (await catalog.listTables(name)) ?? []) await catalog.dropTable(name, table);
      await catalog.dropNamespace(name);
      await withKafka(bootstrap, (kafka) => kafka.deleteTopic(name));
      await sql(world, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
      await rm(join(stack.workspace.data, 'flink', 'jobs', name), { recursive: true, force: true });
    },
  };
  await mkdir(world.scratch, { recursive: true });
  await it.prepare();
  await it.setSql(shippedSql);
  return it;
}

function count(sums: Record<string, number>, value: string): void {
  let event: { player?: unknown; score?: unknown } | null;
  try {
    event = JSON.parse(value) as typeof event;
  } catch {
    return;
  }
  // A score that does not fit an INT is none for Flink.
  if (typeof event?.player !== 'string') return;
  const { score } = event;
  const isInt = typeof score === 'number' && Number.isInteger(score) && Math.abs(score) < 2 ** 31;
  if (isInt) sums[event.player] = (sums[event.player] ?? 0) + score;
}

function succeeded(run: RunResult): void {
  if (run.error !== undefined) throw run.error instanceof Error ? run.error : new Error(String(run.error));
}
