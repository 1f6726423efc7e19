import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EnvResult, GenerateEventsResult, StatusResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import { withKafka } from '../../src/clients/kafka.js';
import { DEMO_TABLES } from '../helpers/demo-tables.js';
import { isLoopback, listeners, processesOf, sandbox, type Sandbox } from '../helpers/forge.js';
import { leaderboardOf, rows, sumOfTopic, waitFor } from '../helpers/lake.js';
import { pyicebergPython, readLake, type LakeSeen } from '../helpers/pyiceberg.js';

const TABLES = ['leaderboard', 'balloon_color_stats', 'realtime_scores', 'balloon_colored_pops', 'color_performance_trends'];
const VIEWS = ['mv_leaderboard', 'mv_balloon_color_stats', 'mv_realtime_scores', 'mv_balloon_colored_pops', 'mv_color_performance_trends'];

let box: Sandbox;
let first: UpResult;

beforeAll(async () => {
  box = await sandbox();
  first = await box.ok<UpResult>(['up', '--events', '30s', '--catalog', 'iceberg-rest']);
});
afterAll(() => box.remove());

const env = (): Promise<EnvResult> => box.ok<EnvResult>(['env']);
const changedOf = (result: UpResult): string[] => result.tasks.filter(({ status }) => status === 'changed').map(({ id }) => id);
const messageOf = (result: UpResult, id: string): string => result.tasks.find((task) => task.id === id)?.message ?? '';

describe('from nothing', () => {
  test('one command ends with rows in all five tables, all five views, and a leaderboard', () => {
    expect(first).toMatchObject({ stack: 'balloon-popper', runtime: 'process', engine: 'flink', catalog: 'iceberg-rest', failed: 0 });
    expect(first.changed).toBeGreaterThanOrEqual(25);
    expect(first.verify?.healthy).toBe(true);
    for (const table of TABLES) expect(first.verify?.tables[table]?.rows, table).toBeGreaterThan(0);
    for (const view of VIEWS) expect(first.verify?.views[view]?.rows, view).toBeGreaterThan(0);
    expect(first.leaderboard?.length).toBeGreaterThanOrEqual(5);
    expect(first.events?.acknowledged).toBeGreaterThan(1000);
    const scores = first.leaderboard!.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
  });

  test('a second up changes nothing, --check agrees', async () => {
    const again = await box.ok<UpResult>(['up']);
    expect(changedOf(again)).toEqual([]);
    expect(again.failed).toBe(0);
    const check = await box.ok<UpResult>(['up', '--check']);
    expect(check.changed).toBe(0);
  });

  describe('PyIceberg, set up with what env tells', () => {
    const home = mkdtempSync(join(tmpdir(), 'forge-pyiceberg-'));
    let python: string;
    beforeAll(async () => {
      python = await pyicebergPython();
      const { stdout, code } = await box.forge(['env', '--shell', 'pyiceberg']);
      expect(code).toBe(0);
      writeFileSync(join(home, '.pyiceberg.yaml'), stdout, { mode: 0o600 });
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    const read = async (): Promise<LakeSeen> => readLake(python, home, String((await env())['ICEBERG_NAMESPACE']));

    test('reads rows from all five tables, and they are those of the demo', async () => {
      const { tables } = await read();
      expect(Object.keys(tables).sort()).toEqual(Object.keys(DEMO_TABLES).sort());
      for (const [name, expected] of Object.entries(DEMO_TABLES)) {
        expect(tables[name], name).toMatchObject({ formatVersion: 2, ...expected });
        expect(tables[name]!.rows, name).toBeGreaterThan(0);
      }
    });

    test('finds the scores of Kafka in the newest rows of the leaderboard, player by player', async () => {
      const inKafka = await sumOfTopic(await env());
      expect(Object.keys(inKafka).length).toBeGreaterThan(0);
      await waitFor(async () => expect((await read()).totals).toEqual(inKafka));
    });
  });

  test('status tells every server with its pids and its memory, and the whole stays within 1.4 GiB', async () => {
    const { healthy, components } = await box.ok<StatusResult>(['status']);
    expect(healthy).toBe(true);
    expect(components.map(({ name }) => name).sort()).toEqual(['flink', 'iceberg-rest', 'kafka', 'localstack', 'postgresql']);
    for (const component of components) expect(component.pids?.length, component.name).toBeGreaterThan(0);
    const resident = components.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
    expect(resident).toBeLessThan(1.4 * 1024 ** 3);
  });

  test('nothing listens beyond loopback', () => {
    const ports = new Set(
      Object.values(JSON.parse(readFileSync(join(box.root, '.forge', 'stack.json'), 'utf8')).ports as Record<string, number>),
    );
    const own = listeners().filter(({ port }) => ports.has(port));
    expect(own.length).toBeGreaterThanOrEqual(8);
    expect(own.filter(({ address }) => !isLoopback(address))).toEqual([]);
  });

  test('no secret is in a process list, a log or a file of the wrong mode', async () => {
    const { PGPASSWORD, AWS_SECRET_ACCESS_KEY } = await env();
    const commands = processesOf(box.root).join('\n');
    for (const secret of [PGPASSWORD, AWS_SECRET_ACCESS_KEY]) {
      expect(commands).not.toContain(secret);
      expect(
        execFileSync('grep', ['-rlF', secret, join(box.root, '.forge')], { encoding: 'utf8' })
          .trim()
          .split('\n')
          .filter((file) => file.includes('/logs/')),
      ).toEqual([]);
    }
    for (const file of ['credentials/postgresql.json', 'generated/pipeline.sql'])
      expect(statSync(join(box.root, '.forge', file)).mode & 0o777, file).toBe(0o600);
  });

  test('verify --probe finds exactly the marked events in every view and table, and tells the latency', async () => {
    const result = await box.ok<VerifyResult>(['verify', '--probe']);
    expect(result.legs.filter(({ ok }) => !ok)).toEqual([]);
    expect(result.latency?.view.p50).toBeGreaterThan(0);
    expect(result.latency?.view.p99).toBeLessThan(20_000);
    expect(result.latency?.table.p99).toBeLessThan(30_000);
    const players = await rows(await env(), 'SELECT player FROM mv_leaderboard');
    expect(players.filter(({ player }) => String(player).startsWith('forge-probe-'))).toEqual([]);
  });

  test('20,000 events: Kafka, the view and the newest rows of the table agree player by player', async () => {
    const sent = await box.ok<GenerateEventsResult>(['generate', 'events', '--count', '20000', '--seed', '7']);
    expect(sent).toMatchObject({ sent: 20_000, acknowledged: 20_000 });
    const variables = await env();
    const inKafka = await sumOfTopic(variables);
    await waitFor(async () => {
      const view = await rows(variables, "SELECT player, total_score FROM mv_leaderboard WHERE NOT starts_with(player, 'forge-probe-')");
      expect(Object.fromEntries(view.map(({ player, total_score }) => [player, Number(total_score)]))).toEqual(inKafka);
    }, 180_000);
    await waitFor(async () => expect(await leaderboardOf(variables)).toEqual(inKafka), 180_000);
    const again = await box.ok<GenerateEventsResult>(['generate', 'events', '--count', '2000', '--seed', '7']);
    const third = await box.ok<GenerateEventsResult>(['generate', 'events', '--count', '2000', '--seed', '7']);
    expect(third.byPlayer).toEqual(again.byPlayer);
  });
});

describe('what was changed by hand', () => {
  test('exactly that is mended, and each message says what was wrong', async () => {
    const variables = await env();
    const flink = String(variables['FLINK_URL']);
    await fetch(`${variables.ICEBERG_REST_URI}/v1/namespaces/balloon_pops/tables/realtime_scores`, { method: 'DELETE' });
    const { jobs } = (await (await fetch(`${flink}/jobs/overview`)).json()) as { jobs: { jid: string; state: string }[] };
    for (const { jid } of jobs.filter(({ state }) => state === 'RUNNING')) await fetch(`${flink}/jobs/${jid}`, { method: 'PATCH' });
    await waitFor(async () => {
      const now = (await (await fetch(`${flink}/jobs/overview`)).json()) as { jobs: { state: string }[] };
      expect(now.jobs.filter(({ state }) => state !== 'CANCELED')).toEqual([]);
    });
    await withKafka(variables.KAFKA_BOOTSTRAP_SERVERS, (kafka) => kafka.deleteTopic('balloon-game'));
    await rows(variables, 'DROP TABLE mv_realtime_scores');
    chmodSync(join(box.root, '.forge', 'credentials', 'aws.json'), 0o644);
    const status = await box.ok<StatusResult>(['status']);
    process.kill(status.components.find(({ name }) => name === 'iceberg-rest')!.pids![0]!, 'SIGKILL');

    const check = await box.ok<UpResult>(['up', '--check'], 5);
    expect(check.failed).toBe(0);
    const mended = await box.ok<UpResult>(['up']);
    const told = mended.tasks.filter(({ status }) => status === 'changed').map(({ id, message }) => `${id}: ${message}`);
    expect(changedOf(mended).sort(), told.join('\n')).toEqual([
      'iceberg-rest',
      'job',
      'secret-aws',
      'table-realtime-scores',
      'topic',
      'view-realtime-scores',
    ]);
    expect(messageOf(mended, 'topic')).toMatch(/missing/);
    expect(messageOf(mended, 'secret-aws')).toMatch(/0?644/);
    expect(messageOf(mended, 'iceberg-rest')).toMatch(/died|not running/);
    expect(messageOf(mended, 'job')).toMatch(/no job balloon-popper is running/);
    expect(changedOf(await box.ok<UpResult>(['up']))).toEqual([]);
    expect((await box.ok<VerifyResult>(['verify'])).healthy).toBe(true);
  });
});

describe('the end', () => {
  test('down leaves no process, no port and no file; down twice is fine', async () => {
    const ports = Object.values(JSON.parse(readFileSync(join(box.root, '.forge', 'stack.json'), 'utf8')).ports as Record<string, number>);
    await box.ok(['down', '--yes']);
    expect(processesOf(box.root)).toEqual([]);
    expect(listeners().filter(({ port }) => ports.includes(port))).toEqual([]);
    expect(execFileSync('ls', ['-A', box.root], { encoding: 'utf8' })).toBe('');
    expect(await box.ok(['down', '--yes'])).toMatchObject({ stopped: [], removed: false });
  });
});
