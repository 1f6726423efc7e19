import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { EnvResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import { stackCatalog } from '../../src/clients/iceberg.js';
import { waitUntil } from '../../src/clients/wait.js';
import { stopProcess } from '../../src/runtimes/process/stop.js';
import { runForge } from '../helpers/forge.js';
import { rows } from '../helpers/lake.js';
import { expectShape } from '../helpers/schemas.js';
import { openTestWorld, type TestWorld } from '../helpers/world.js';

let world: TestWorld;
const forge = <T>(...args: string[]) => runForge<T>([...args, '--json'], inject('workspaceRoot'));
const LEGS = ['topic balloon-game', 'job balloon-popper', 'views in PostgreSQL', 'Iceberg tables'];

beforeAll(async () => {
  world = await openTestWorld();
  await healthy();
  expect((await forge('generate', 'events', '--count', '300', '--seed', '3')).code).toBe(0);
});
afterAll(() => world.close());

/** Everything as `up` makes it. */
async function healthy(): Promise<UpResult> {
  const up = await forge<UpResult>('up');
  expect(up.code, up.stdout + up.stderr).toBe(0);
  return up.json;
}

async function verify(...flags: string[]): Promise<VerifyResult> {
  const { code, json } = await forge<VerifyResult>('verify', ...flags);
  expectShape('verify', json);
  expect(code).toBe(json.healthy ? 0 : 5);
  expect(json.healthy).toBe(json.legs.every(({ ok }) => ok));
  return json;
}

/** Breaks one thing, and expects that these legs and no others are broken. */
async function expectBroken(legs: string[], detail: RegExp): Promise<VerifyResult> {
  const proof = await verify();
  expect(proof.legs.map(({ name }) => name)).toEqual(LEGS);
  expect(proof.legs.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(legs);
  expect(proof.legs.find(({ name }) => name === legs[0])!.detail).toMatch(detail);
  return proof;
}

describe('verify', { timeout: 400_000 }, () => {
  test('everything stands: every leg is ok, rows and commits are told', async () => {
    const proof = await verify();
    expect(proof.legs).toMatchObject(LEGS.map((name) => ({ name, ok: true })));
    expect(proof.topic.events).toBeGreaterThanOrEqual(300);
    for (const [name, { rows }] of Object.entries(proof.views)) expect(rows, name).toBeGreaterThan(0);
    const { leaderboard } = proof.tables;
    expect(leaderboard!.rows).toBeGreaterThanOrEqual(300);
    expect(leaderboard!.snapshots).toBeGreaterThan(0);
    expect(Date.now() - Date.parse(leaderboard!.lastCommit!)).toBeLessThan(600_000);
    expect(proof.latency).toBeUndefined();
  });

  test.each([
    ['no other events come', []],
    ['players play', ['generate', 'events', '--rate', '40', '--duration', '60s']],
  ])('--probe: views and tables hold exactly the marked events, and latency is told, while %s', async (_when, beside) => {
    // Those of probes before a replay of the topic may be there.
    const marked = () => rows(env, "SELECT player FROM mv_leaderboard WHERE starts_with(player, 'forge-probe-') ORDER BY player");
    const env = (await forge<EnvResult>('env')).json;
    const before = await marked();
    const players = new AbortController();
    const playing =
      beside.length === 0
        ? undefined
        : runForge(beside, inject('workspaceRoot'), {
            onStart: (child) => players.signal.addEventListener('abort', () => child.kill('SIGINT')),
          });
    const proof = await verify('--probe');
    players.abort();
    await playing;
    expect(proof.legs.filter(({ ok }) => !ok)).toEqual([]);
    expect(proof.legs.length).toBeGreaterThan(LEGS.length);
    const { view, table } = proof.latency!;
    for (const { p50, p99 } of [view, table]) {
      expect(p50).toBeGreaterThan(0);
      expect(p99).toBeGreaterThanOrEqual(p50);
    }
    expect(await marked()).toEqual(before);
  });

  test('no job', async () => {
    const flink = world.stack.endpoints['flink']!.url;
    const jobs = async () =>
      ((await (await fetch(`${flink}/jobs/overview`)).json()) as { jobs: { jid: string; name: string; state: string }[] }).jobs;
    const running = (await jobs()).filter(({ name, state }) => name === 'balloon-popper' && state === 'RUNNING');
    for (const { jid } of running) await fetch(`${flink}/jobs/${jid}`, { method: 'PATCH' });
    await waitUntil(async () => (await jobs()).every(({ name, state }) => name !== 'balloon-popper' || state === 'CANCELED'), {
      what: 'the job to end',
    });
    await expectBroken(['job balloon-popper'], /cancell?ed/);
    const probe = await forge<VerifyResult>('verify', '--probe');
    expect(probe.code).toBe(5);
    expect(probe.json.latency).toBeUndefined();
  });

  test('a view and a table dropped', async () => {
    const env = (await forge<EnvResult>('env')).json;
    await rows(env, 'DROP TABLE mv_realtime_scores');
    const proof = await expectBroken(['job balloon-popper', 'views in PostgreSQL'], /./);
    expect(proof.legs[2]!.detail).toMatch(/mv_realtime_scores/);
    expect(proof.views['mv_realtime_scores']).toEqual({ rows: null });
    await stackCatalog(world.stack).dropTable(world.stack.config.lake.namespace, 'realtime_scores');
    const both = await expectBroken(['job balloon-popper', 'views in PostgreSQL', 'Iceberg tables'], /./);
    expect(both.legs[3]!.detail).toMatch(/no table .*realtime_scores/);
    await healthy();
    expect((await verify()).healthy).toBe(true);
  });

  test('no object store', async () => {
    await stopProcess(world.stack.workspace, 'localstack');
    const { legs } = await verify();
    expect(legs[3]).toMatchObject({ name: 'Iceberg tables', ok: false });
    expect(legs[0]!.ok).toBe(true);
    expect(legs[2]!.ok).toBe(true);
  });

  test('no Kafka either', async () => {
    await stopProcess(world.stack.workspace, 'kafka');
    const { legs, topic } = await verify();
    expect(legs[0]).toMatchObject({ name: 'topic balloon-game', ok: false });
    expect(legs[0]!.detail).toMatch(/127\.0\.0\.1:\d+/);
    expect(topic.events).toBeNull();
    await healthy();
    expect((await verify()).healthy).toBe(true);
  });
});
