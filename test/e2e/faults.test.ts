import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EnvResult, ErrorResult, GenerateEventsResult, StatusResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import { expectFirst } from '../helpers/faults/provoke.js';
import { killedFinding } from '../helpers/faults/servers.js';
import { processesOf, sandbox, type Sandbox } from '../helpers/forge.js';
import { sumOfTopic, waitFor } from '../helpers/lake.js';
import { expectShape } from '../helpers/schemas.js';
import { changedOf, eventsOfTopic, expectAgreement, messageOf, play, sumOf } from '../helpers/sums.js';

const TABLES = ['leaderboard', 'balloon_color_stats', 'realtime_scores', 'balloon_colored_pops', 'color_performance_trends'];
const UP = ['up', '--catalog', 'iceberg-rest'];

let box: Sandbox;
beforeAll(async () => {
  box = await sandbox();
});
afterAll(() => box.remove());

const inForge = (...parts: string[]): string => join(box.root, '.forge', ...parts);
const pidOf = (name: string): number => (JSON.parse(readFileSync(inForge('run', `${name}.json`), 'utf8')) as { pid: number }).pid;

/** Jobs that have not ended, by name. */
async function activeJobs(): Promise<string[]> {
  const { FLINK_URL } = await box.ok<EnvResult>(['env']);
  const { jobs } = (await (await fetch(`${String(FLINK_URL)}/jobs/overview`)).json()) as { jobs: { name: string; state: string }[] };
  return jobs.filter(({ state }) => !['FAILED', 'CANCELED', 'FINISHED'].includes(state)).map(({ name }) => name);
}

/** One `up` mends everything, the next finds nothing to do, and nothing runs beyond what `status` tells. */
async function expectConverges(): Promise<UpResult> {
  const mended = await box.ok<UpResult>(UP);
  expect(mended.failed).toBe(0);
  expect(changedOf(await box.ok<UpResult>(UP))).toEqual([]);
  const { legs } = await box.ok<VerifyResult>(['verify']);
  expect(legs.filter(({ ok }) => !ok)).toEqual([]);
  const { healthy, components } = await box.ok<StatusResult>(['status']);
  expect(healthy).toBe(true);
  const known = components.flatMap(({ pids }) => pids ?? []);
  expect(processesOf(box.root).filter((line) => !known.includes(Number.parseInt(line, 10)))).toEqual([]);
  expect(await activeJobs()).toEqual(['balloon-popper']);
  return mended;
}

describe('signals and rivals', () => {
  /** Runs `up` and sends a signal once a file of the workspace is there. */
  async function interrupted(signal: NodeJS.Signals, file: string) {
    let sent = 0;
    const ran = await box.forge(UP, {
      onStart: (child) =>
        void waitFor(async () => expect(existsSync(inForge(file))).toBe(true), 300_000).then(() => {
          sent = performance.now();
          child.kill(signal);
        }),
    });
    return { code: ran.code, stderr: ran.stderr, secondsToEnd: (performance.now() - sent) / 1000 };
  }

  test('Ctrl-C says that it stops and exits 130, SIGTERM exits 143; both within seconds', async () => {
    const first = await interrupted('SIGINT', 'run/kafka.json');
    expect(first.code).toBe(130);
    expect(first.stderr).toMatch(/Stopping/);
    expect(first.stderr).toMatch(/Run the same command again/);
    expect(first.secondsToEnd).toBeLessThan(10);
    const second = await interrupted('SIGTERM', 'lock');
    expect(second.code).toBe(143);
    expect(second.secondsToEnd).toBeLessThan(10);
    expect(existsSync(inForge('lock'))).toBe(false);
  });

  test('a second up at the same time is refused and names the first; status answers meanwhile; the first converges', async () => {
    let pid = 0;
    const first = box.forge(UP, { onStart: (child) => (pid = child.pid!) });
    await waitFor(async () => expect(existsSync(inForge('lock'))).toBe(true));
    const [rival, plain, status] = await Promise.all([box.forge<ErrorResult>([...UP, '--json']), box.forge(UP), box.forge(['status'])]);
    expect(rival.code).toBe(3);
    expect(rival.json.error).toMatchObject({ code: 'WORKSPACE_LOCKED' });
    expect(rival.json.error.message).toContain(`pid ${pid}`);
    expect(plain.code).toBe(3);
    expect(plain.stderr).toContain(`pid ${pid}`);
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(/kafka/);
    expect((await first).code).toBe(0);
    await expectConverges();
  });
});

test('all 49 players at once, hundreds of files open in a checkpoint: the TaskManager lives and the sums agree', async () => {
  const before = pidOf('flink-taskmanager');
  await box.ok<GenerateEventsResult>(['generate', 'events', '--players', '49', '--count', '6000', '--seed', '49']);
  await expectAgreement(box, '49 players');
  expect(processesOf(box.root).some((line) => line.startsWith(`${before} `))).toBe(true);
});

describe('kill -9 of forge up', () => {
  /** Moments of a run in its order: from its start, or from when this task (or a later one) is being applied. */
  const STAGES = [
    'start',
    'secret-aws',
    'postgresql',
    'flink-jobmanager',
    'catalog-role',
    'iceberg-rest',
    'namespace',
    'table-leaderboard',
  ];
  const LAST = ['view-leaderboard', 'job'];
  const ORDER = [...STAGES, ...LAST];
  /** At most this long after the task began. */
  const DELAY_MS = 2000;

  /** mulberry32: the same moments in every run. */
  function seeded(seed: number): () => number {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
      return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** Starts `up` and kills it; false when it had ended before. */
  async function killedAt(stage: string, delayMs: number): Promise<boolean> {
    let armed = false;
    let rest = '';
    let kill: () => void = () => undefined;
    const arm = (): void => {
      if (!armed) setTimeout(() => kill(), delayMs);
      armed = true;
    };
    const ran = await box.forge([...UP, '--output', 'ndjson'], {
      onStart: (child) => {
        kill = () => child.kill('SIGKILL');
        if (stage === 'start') arm();
      },
      onStdout: (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const { id, state } = JSON.parse(line) as { id?: string; state?: string };
          if (state === 'applying' && ORDER.indexOf(id ?? '') >= ORDER.indexOf(stage)) arm();
        }
      },
    });
    return ran.signal === 'SIGKILL';
  }

  /** Number and time of change of every installed package set. */
  function installed(): Record<string, string> {
    const folder = join(
      process.env['FORGE_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'forge'),
      'packages',
    );
    return Object.fromEntries(
      readdirSync(folder).map((name) => {
        const { ino, mtimeMs } = statSync(join(folder, name));
        return [name, `${ino} ${mtimeMs}`];
      }),
    );
  }

  test('at 20 moments, from nothing and half way: the next up converges, nothing is left over or installed twice', async () => {
    const before = installed();
    expect(Object.keys(before).length).toBeGreaterThanOrEqual(5);
    const random = seeded(20);
    let kills = 0;
    for (const stage of [...ORDER, ...ORDER]) {
      if (stage === 'start') await box.ok(['down', '--yes']);
      const delay = random() * DELAY_MS;
      while (!(await killedAt(stage, delay))) await box.ok(['down', '--yes']);
      kills += 1;
    }
    expect(kills).toBe(20);
    await expectConverges();
    const after = installed();
    expect(Object.fromEntries(Object.keys(before).map((name) => [name, after[name]]))).toEqual(before);
    await play(box, 500);
    await expectAgreement(box, 'after 20 kills');
  });
});

describe('kill -9 of a server', () => {
  // The others: test/e2e/matrix.test.ts, while events flow.
  const SERVERS: { process: string; component: string; state: string }[] = [
    { process: 'kafka', component: 'kafka', state: 'dead' },
    { process: 'flink-jobmanager', component: 'flink', state: 'degraded' },
  ];

  async function kill(name: string): Promise<void> {
    const pid = pidOf(name);
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => expect(processesOf(box.root).some((line) => line.startsWith(`${pid} `))).toBe(false));
  }

  async function expectDead(process: string, component: string, state: string): Promise<void> {
    const ran = await box.forge<StatusResult>(['status', '--json']);
    expect(ran.code).toBe(0);
    expect(ran.json.healthy).toBe(false);
    const found = ran.json.components.find(({ name }) => name === component);
    expect(found?.state).toBe(state);
    expect(found?.reason).toMatch(new RegExp(`^${process} died`));
    await expectFirst(box, killedFinding(component));
  }

  test.each(SERVERS)(
    '$process: status and doctor say so, up mends it, no acknowledged event is lost',
    async ({ process, component, state }) => {
      await play(box, 200);
      await kill(process);
      await expectDead(process, component, state);
      // Whatever else has died: Kafka takes events.
      if (process !== 'kafka') await play(box, 200);
      const mended = await box.ok<UpResult>(['up']);
      expect(changedOf(mended)).toContain(process);
      expect(messageOf(mended, process)).toMatch(/died.*; started/);
      await play(box, 200);
      await expectAgreement(box, process);
      expect(changedOf(await box.ok<UpResult>(['up']))).toEqual([]);
    },
  );

  test('localstack, which loses all objects: doctor and up say so, makes bucket and tables anew and reads the topic again', async () => {
    await play(box, 200);
    await kill('localstack');
    await expectDead('localstack', 'localstack', 'dead');
    await play(box, 200);
    const mended = await box.ok<UpResult>(['up']);
    expect(changedOf(mended)).toEqual(
      expect.arrayContaining(['localstack', 'bucket', 'table-leaderboard', 'table-realtime-scores', 'job']),
    );
    expect(messageOf(mended, 'bucket')).toMatch(/bucket balloon-game was missing/);
    expect(messageOf(mended, 'table-leaderboard')).toMatch(/objects were gone/);
    expect(messageOf(mended, 'job')).toMatch(/read again from its start|reading the topic from its start/);
    await box.ok<GenerateEventsResult>(['generate', 'events', '--duration', '25s', '--rate', '50']);
    await expectAgreement(box, 'localstack');
    await waitFor(async () => {
      const { tables } = await box.ok<VerifyResult>(['verify']);
      for (const table of TABLES) expect(tables[table]?.rows, table).toBeGreaterThan(0);
    }, 120_000);
    expect(changedOf(await box.ok<UpResult>(['up']))).toEqual([]);
  });

  test('the broker in the middle of 20,000 events, brought back meanwhile: what was acknowledged is there, once', async () => {
    const env = await box.ok<EnvResult>(['env']);
    const before = await eventsOfTopic(env);
    const sending = box.forge<GenerateEventsResult>([
      ...['generate', 'events', '--count', '20000', '--rate', '2000', '--seed', '11', '--json'],
    ]);
    await waitFor(async () => expect(sumOf(await eventsOfTopic(env))).toBeGreaterThan(sumOf(before) + 1000));
    await kill('kafka');
    expect(changedOf(await box.ok<UpResult>(['up']))).toContain('kafka');
    const { code, json } = await sending;
    const after = await eventsOfTopic(env);
    const arrived = sumOf(after) - sumOf(before);
    if (code === 0) {
      expect(json).toMatchObject({ sent: 20_000, acknowledged: 20_000 });
      expect(arrived).toBe(20_000);
      for (const [player, { events }] of Object.entries(json.byPlayer)) expect(after[player]! - (before[player] ?? 0), player).toBe(events);
    } else {
      expect(code).toBe(4);
      expect(json.error?.code).toBe('EVENTS_LOST');
      expectShape('generate-events', json);
      expect(arrived).toBeGreaterThanOrEqual(json.acknowledged);
      expect(arrived).toBeLessThanOrEqual(json.sent);
      for (const [player, { events }] of Object.entries(json.byPlayer))
        expect(after[player]! - (before[player] ?? 0), player).toBeGreaterThanOrEqual(events);
    }
    const totals = await expectAgreement(box, 'broker lost while sending');
    expect(totals).toEqual(await sumOfTopic(env));
  });
});
