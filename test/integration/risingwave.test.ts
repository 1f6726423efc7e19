import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { latestTime } from '../../src/engines/risingwave/resume.js';
import { RISINGWAVE_LOGIN } from '../../src/engines/risingwave/connect.js';
import { openLake } from '../../src/doctor/pipeline.js';
import { generateEvents } from '../../src/generator/run.js';
import { environmentOf } from '../../src/lifecycle/env.js';
import { loadDefinition, renderArgs } from '../../src/lifecycle/graph.js';
import { playAndProve } from '../../src/lifecycle/play.js';
import { verifyStack } from '../../src/lifecycle/verify.js';
import { modules } from '../../src/modules/index.js';
import type { RunResult, TaskResult } from '../../src/playbook/events.js';
import { runGraph } from '../../src/playbook/run.js';
import type { Task } from '../../src/playbook/task.js';
import { openCredentials } from '../../src/workspace/credentials.js';
import { workspaceAt } from '../../src/workspace/workspace.js';
import { viewsOfFlink, withFakeRisingWave, type RisingWaveWorld } from '../helpers/fake-risingwave/world.js';
import { waitFor } from '../helpers/lake.js';
import { openTestWorld, type TestWorld } from '../helpers/world.js';

const SOURCES = ['source-balloon-game-events', 'source-balloon-game-events-in-time'];
const VIEWS = ['mv-leaderboard', 'mv-balloon-color-stats', 'mv-realtime-scores', 'mv-balloon-colored-pops', 'mv-color-performance-trends'];
const SINKS = [
  'sink-leaderboard',
  'sink-balloon-color-stats',
  'sink-realtime-scores',
  'sink-balloon-colored-pops',
  'sink-color-performance-trends',
];
const ALL = [...SOURCES, ...VIEWS, ...SINKS];
const SECRETS = { accessKeyId: 'Zq7access-of-aws', secretAccessKey: 'Zq7secret-of-aws' };

let open: TestWorld;
let world: RisingWaveWorld;
let tasks: Task[];

beforeAll(async () => {
  open = await openTestWorld();
  const all = (await loadDefinition(open.stack.packageRoot, 'balloon-popper')).tasks.filter(({ module }) => /^risingwave\./.test(module));
  const ids = new Set(all.map(({ id }) => id));
  tasks = all.map((task) => ({ ...task, needs: task.needs.filter((id) => ids.has(id)) }));
});
afterAll(() => open.close());

/** Everything forge said in a run: what its sinks would mask later is not counted on. */
function said(run: RunResult): string {
  return JSON.stringify(run.tasks.map(({ message, diff }) => ({ message, diff }))) + String(run.error);
}

async function up(mode: 'apply' | 'check' = 'apply'): Promise<RunResult> {
  const options = { tasks, modules, stack: world.stack, signal: AbortSignal.timeout(100_000), mode };
  return runGraph({ ...options, renderArgs: (task) => renderArgs(task, world.stack) });
}
const changed = ({ tasks }: RunResult): string[] => tasks.filter(({ status }) => status === 'changed').map(({ id }) => id);
const taskOf = (run: RunResult, id: string): TaskResult => run.tasks.find((task) => task.id === id)!;

async function expectChanged(ids: string[]): Promise<RunResult> {
  const run = await up();
  expect({ failed: run.error, changed: changed(run).sort() }).toEqual({ failed: undefined, changed: [...ids].sort() });
  expect(changed(await up())).toEqual([]);
  return run;
}

describe('the objects of Balloon Popper in RisingWave', () => {
  beforeEach(async () => {
    world = await withFakeRisingWave(open);
    const own = openCredentials(workspaceAt(open.scratch));
    await own.write('aws', SECRETS);
    world.stack.credentials = own;
    const run = await up();
    expect(run.error).toBeUndefined();
    expect(changed(run)).toEqual(ALL);
    return () => world.risingwave.stop();
  });

  test('are all there after one run, and a second one changes nothing, also by its own account', async () => {
    expect(changed(await up())).toEqual([]);
    const check = await up('check');
    expect({ changed: check.changed, failed: check.failed }).toEqual({ changed: 0, failed: 0 });
    const names = async (what: string) => (await world.psql(`SHOW ${what}`)).map(({ Name }) => Name);
    expect(await names('SOURCES')).toContain('balloon_game_events');
    expect((await names('MATERIALIZED VIEWS')).sort()).toEqual(VIEWS.map((id) => id.replaceAll('-', '_')).sort());
    expect((await names('SINKS')).sort()).toEqual(SINKS.map((id) => id.slice('sink-'.length).replaceAll('-', '_')).sort());
    const [definition] = await world.psql("SELECT definition FROM rw_catalog.rw_sinks WHERE name = 'leaderboard'");
    expect(JSON.stringify(definition)).toContain(SECRETS.secretAccessKey);
    expect(said(check)).not.toMatch(/Zq7/);
  });

  test('a source that changed is told with all that reads it, and all of it is made again', async () => {
    world.stack.config.topic.name = 'another-topic';
    const check = taskOf(await up('check'), 'source-balloon-game-events');
    for (const view of [
      'mv_leaderboard',
      'mv_balloon_color_stats',
      'mv_realtime_scores',
      'mv_balloon_colored_pops',
      'mv_color_performance_trends',
    ])
      expect(check.message).toContain(`view ${view}`);
    expect(check.message).toMatch(/sink leaderboard.*view mv_leaderboard/);
    expect(check.message).not.toContain('sink realtime_scores');
    expect(check.diff).toMatchObject([{ field: 'sql', should: expect.stringContaining("'another-topic'") as string }]);
    const run = await expectChanged(ALL);
    expect(taskOf(run, 'source-balloon-game-events').message).toMatch(
      /its SQL changed; it was dropped and created again, and with it .*mv_leaderboard/,
    );
    expect(taskOf(run, 'sink-leaderboard').message).toMatch(/was missing; created/);
    const [source] = await world.psql("SELECT definition FROM rw_catalog.rw_sources WHERE name = 'balloon_game_events'");
    expect(JSON.stringify(source)).toContain("topic = 'another-topic'");
  });

  test('a view that somebody changed takes its sink along, and nothing else', async () => {
    await world.psql('DROP SINK leaderboard');
    await world.psql('DROP MATERIALIZED VIEW mv_leaderboard');
    await world.psql('CREATE MATERIALIZED VIEW mv_leaderboard AS SELECT player, score AS total_score, event_ts FROM balloon_game_events');
    const check = await up('check');
    expect(taskOf(check, 'mv-leaderboard')).toMatchObject({ message: expect.stringContaining('somebody changed it') as string });
    await expectChanged(['mv-leaderboard', 'sink-leaderboard']);
  });

  test('what somebody else made on top is not dropped: the change is refused, and says what to do', async () => {
    await world.psql('CREATE MATERIALIZED VIEW mine AS SELECT player FROM mv_leaderboard');
    expect(changed(await up())).toEqual([]);
    world.stack.config.topic.name = 'another-topic';
    const before = world.risingwave.state.entries.length;
    const run = await up();
    expect(taskOf(run, 'source-balloon-game-events').error).toMatchObject({
      code: 'NOT_FORGES',
      hint: expect.stringContaining('mine') as string,
    });
    expect(world.risingwave.state.entries).toHaveLength(before);
    await world.psql('DROP MATERIALIZED VIEW mine');
    expect((await up()).error).toBeUndefined();
  });

  test('an object of the same name that somebody else made is left alone', async () => {
    await world.psql('DROP SINK leaderboard');
    await world.psql("DELETE FROM forge.objects WHERE name = 'leaderboard'");
    await world.psql('FLUSH');
    const { definition } = world.risingwave.state.find('public', 'balloon_color_stats')!;
    const other = definition.replace('balloon_color_stats FROM', 'leaderboard FROM').replace("'balloon_color_stats'", "'mine'");
    await world.psql(other);
    const run = await up();
    expect(taskOf(run, 'sink-leaderboard').error).toMatchObject({ code: 'NOT_FORGES' });
    expect(said(run)).not.toMatch(/Zq7/);
    expect(world.risingwave.state.find('public', 'leaderboard')!.definition).toContain("'mine'");
  });

  test('new credentials: the sinks are made again, and neither the old nor the new ones are shown', async () => {
    await world.stack.credentials.write('aws', { ...SECRETS, secretAccessKey: 'Zq7another-secret' });
    const check = await up('check');
    expect(changed(check)).toEqual(SINKS);
    expect(taskOf(check, 'sink-leaderboard').diff).toEqual([{ field: 'sql', is: '***', should: '***' }]);
    const run = await expectChanged(SINKS);
    expect(said(check) + said(run)).not.toMatch(/Zq7/);
    expect(world.risingwave.state.find('public', 'leaderboard')!.definition).toContain('Zq7another-secret');
    const notes = await world.psql('SELECT name, statement, shown FROM forge.objects');
    expect(notes).toHaveLength(12);
    expect(JSON.stringify(notes)).not.toMatch(/Zq7/);
  });

  test('what RisingWave refuses is told without the credentials that it quotes, and the rest goes on', async () => {
    world.stack.config.components.risingwave.commitInterval = 9;
    world.risingwave.faults.refuses = /^CREATE SINK.* leaderboard/;
    const run = await up();
    expect(taskOf(run, 'sink-leaderboard').error).toMatchObject({
      code: 'RISINGWAVE_FAILED',
      message: expect.stringContaining('told to refuse') as string,
    });
    expect(said(run)).not.toMatch(/Zq7/);
    expect(changed(run)).toEqual(SINKS.slice(1));
    world.risingwave.faults.refuses = undefined;
    // What was dropped before it was refused is known as forge's, and made again.
    await expectChanged(['sink-leaderboard']);
  });

  test('killed between the creation and the note of it: the object is known again, however RisingWave words it', async () => {
    const { state, faults } = world.risingwave;
    const words = state.words;
    state.words = (sql) => words(sql).replace('FROM mv_', 'FROM public.mv_');
    await world.psql('DROP SINK leaderboard');
    // The second note only: it has the definition too.
    faults.refuses = /^INSERT INTO forge\.objects[^]*CREATE SINK[^]*CREATE SINK/;
    expect(taskOf(await up(), 'sink-leaderboard').status).toBe('failed');
    faults.refuses = undefined;
    const { id } = state.find('public', 'leaderboard')!;
    const run = await expectChanged(['sink-leaderboard']);
    expect(taskOf(run, 'sink-leaderboard').message).toMatch(/a run that was interrupted/);
    expect(state.find('public', 'leaderboard')!.id).toBe(id);
  });

  test('killed at any point, the next run converges', { timeout: 300_000 }, async () => {
    world.stack.config.topic.name = 'another-topic';
    const total = (await counted(() => up())).statements;
    for (let after = 1; after < total; after += Math.ceil(total / 8)) {
      world.stack.config.topic.name = `topic-${after}`;
      const stop = new AbortController();
      const { statements } = world.risingwave;
      const start = statements.length;
      const timer = setInterval(() => statements.length - start >= after && stop.abort(), 1);
      const options = { tasks, modules, stack: world.stack, signal: stop.signal, mode: 'apply' as const };
      await runGraph({ ...options, renderArgs: (task) => renderArgs(task, world.stack) }).catch(() => undefined);
      clearInterval(timer);
      expect((await up()).error, `after ${after} statements`).toBeUndefined();
      expect(changed(await up())).toEqual([]);
      expect(world.risingwave.state.entries).toHaveLength(13);
    }
  });

  async function counted(use: () => Promise<unknown>): Promise<{ statements: number }> {
    const before = world.risingwave.statements.length;
    await use();
    return { statements: world.risingwave.statements.length - before };
  }
});

describe('verify, with the engine risingwave', { timeout: 300_000 }, () => {
  const LEGS = ['topic balloon-game', 'RisingWave', 'views in RisingWave', 'Iceberg tables'];
  const look = (probe = false) =>
    verifyStack(world.stack, { probe, wait: { patienceMs: 5000 }, signal: AbortSignal.timeout(200_000), progress: () => {} });
  const broken = async (): Promise<string> => {
    const { healthy, legs } = await look();
    expect(healthy).toBe(false);
    expect(legs.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['RisingWave']);
    return legs[1]!.detail;
  };

  beforeAll(async () => {
    world = await withFakeRisingWave(open, { views: viewsOfFlink(open) });
    expect((await up()).error).toBeUndefined();
    const bootstrapServers = world.stack.endpoints['kafka']!.url;
    await generateEvents({ bootstrapServers, topic: world.stack.config.topic.name, count: 200, seed: 5 });
    await waitFor(async () => expect((await look()).healthy).toBe(true));
    return () => world.risingwave.stop();
  });

  test('every leg is ok: views and sinks are there, and it says how far Kafka is ahead', async () => {
    world.risingwave.state.lag = 7;
    const proof = await look();
    expect(proof.legs.map(({ name }) => name)).toEqual(LEGS);
    expect(proof.legs.filter(({ ok }) => !ok)).toEqual([]);
    expect(proof.legs[1]!.detail).toBe('5 views and 5 sinks are created, 7 records behind Kafka');
    for (const [name, { rows }] of Object.entries(proof.views)) expect(rows, name).toBeGreaterThan(0);
    world.risingwave.state.lag = null;
    expect((await look()).legs[1]!.detail).toBe('5 views and 5 sinks are created');
  });

  test('a sink that failed and has written nothing since, its error without credentials', async () => {
    const key = world.stack.credentials.get('aws')['secretAccessKey']!.reveal();
    world.risingwave.failSink('leaderboard', `commit failed: s3.secret.key = '${key}' is refused`);
    world.risingwave.failSink('somebody_elses', 'not ours');
    const detail = await broken();
    expect(detail).toMatch(/sink leaderboard failed at .*: commit failed/);
    expect(detail).not.toContain(key);
    expect(detail).not.toContain('somebody_elses');
    world.risingwave.state.events = [];
    // One that it has recovered from, and one of long ago.
    world.risingwave.failSink('leaderboard', 'a hiccup', new Date(Date.now() - 200_000));
    world.risingwave.failSink('realtime_scores', 'long ago', new Date(Date.now() - 3_600_000));
    const { leaderboard } = (await look()).tables;
    if (Date.parse(leaderboard!.lastCommit!) > Date.now() - 200_000) expect((await look()).healthy).toBe(true);
    world.risingwave.state.events = [];
  });

  test('a job that hangs, one that is missing, and no compute node', async () => {
    const { state } = world.risingwave;
    state.find('public', 'balloon_color_stats')!.status = 'CREATING';
    expect(await broken()).toBe('sink balloon_color_stats is creating (43.21%) (`forge up` makes what is missing)');
    world.risingwave.release('balloon_color_stats');
    await world.psql('DROP SINK balloon_colored_pops');
    expect(await broken()).toMatch(/sink balloon_colored_pops is missing/);
    expect((await up()).error).toBeUndefined();
    const node = state.workers.find(({ type }) => type.includes('COMPUTE'))!;
    node.state = 'STARTING';
    expect(await broken()).toMatch(/no compute node is running/);
    node.state = 'RUNNING';
    expect((await look()).healthy).toBe(true);
  });

  test('a view that is gone', async () => {
    await world.psql('DROP SINK leaderboard');
    await world.psql('DROP MATERIALIZED VIEW mv_leaderboard');
    const { legs, views } = await look();
    expect(legs[1]!.detail).toMatch(/view mv_leaderboard is missing; sink leaderboard is missing/);
    expect(legs[2]).toMatchObject({ name: 'views in RisingWave', ok: false, detail: expect.stringContaining('mv_leaderboard') as string });
    expect(views['mv_leaderboard']).toEqual({ rows: null });
    expect((await up()).error).toBeUndefined();
  });

  test('RisingWave takes the connection and says nothing: the leg says it, within the time that is set', async () => {
    world.risingwave.faults.silent = true;
    const { legs } = await look();
    world.risingwave.faults.silent = false;
    expect(legs[1]).toMatchObject({ ok: false, detail: expect.stringMatching(/RisingWave.*timed out/) as string });
    expect(legs[0]!.ok).toBe(true);
    expect(legs[3]!.ok).toBe(true);
  });

  test('--probe sees the marked events in views and tables, by their totals', async () => {
    const proof = await look(true);
    expect(proof.legs.filter(({ ok }) => !ok)).toEqual([]);
    expect(proof.legs.map(({ name }) => name)).toEqual([
      ...LEGS,
      'views hold the marked events',
      'running totals in Iceberg hold them',
      'windows in Iceberg hold exactly them',
      'every view counts every event',
    ]);
    for (const { p50, p99 } of [proof.latency!.view, proof.latency!.table]) expect(p99).toBeGreaterThanOrEqual(p50);
  });

  test('a game is waited for until the tables hold the totals of every player', async () => {
    const played = await playAndProve(world.stack, { seconds: 3, signal: AbortSignal.timeout(200_000), live: () => {} });
    expect(played.verify.legs.filter(({ ok }) => !ok)).toEqual([]);
    const lake = await openLake(world.stack, AbortSignal.timeout(20_000));
    const rows = await lake.rows((await lake.load({ namespace: world.stack.config.lake.namespace, name: 'leaderboard' }))!);
    for (const { player, score } of played.leaderboard) {
      const best = Math.max(...rows.filter((row) => row['player'] === player).map((row) => Number(row['total_score'])));
      expect(best, player).toBe(score);
    }
    expect(played.leaderboard.length).toBeGreaterThan(0);
  });

  test('a windowed sink that is made again goes on behind the last window of its table', async () => {
    const lake = await openLake(world.stack, AbortSignal.timeout(20_000));
    const rowsOf = async () => lake.rows((await lake.load({ namespace: world.stack.config.lake.namespace, name: 'realtime_scores' }))!);
    await waitFor(async () => expect((await rowsOf()).length).toBeGreaterThan(0));
    const last = Math.max(...(await rowsOf()).map((row) => (row['window_end'] as Date).getTime()));
    const definition = () => world.risingwave.state.find('public', 'realtime_scores')!.definition;
    await world.psql('DROP SINK realtime_scores');
    const run = await expectChanged(['sink-realtime-scores']);
    const since = new Date(last).toISOString();
    expect(taskOf(run, 'sink-realtime-scores').message).toContain(`it goes on with the windows after ${since}`);
    expect(definition()).toContain(`window_start >= CAST('${since.slice(0, 19).replace('T', ' ')}+00:00'`);
    // Running totals begin with the current ones, whatever the table holds.
    await world.psql('DROP SINK leaderboard');
    expect(taskOf(await expectChanged(['sink-leaderboard']), 'sink-leaderboard').message).toBe('sink leaderboard was missing; created');
  });

  test('env leads to RisingWave, and to no Flink', () => {
    const env: Record<string, string> = environmentOf(world.stack);
    expect(env).toMatchObject({
      PGHOST: '127.0.0.1',
      PGPORT: String(world.risingwave.port),
      PGUSER: 'root',
      PGPASSWORD: '',
      PGDATABASE: 'dev',
    });
    expect(env).not.toHaveProperty('FLINK_URL');
    expect(RISINGWAVE_LOGIN.database).toBe('dev');
  });
});

test('the latest time is found in the newest files that have one', async () => {
  const metadata = { 'current-snapshot-id': null } as never;
  expect(await latestTime({ metadata }, 'window_end', (address) => readFile(address))).toBeUndefined();
});
