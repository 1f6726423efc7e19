import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/cli/paths.js';
import { readTopic } from '../../src/clients/kafka-read.js';
import type { BalloonEvent } from '../../src/generator/balloon-popper.js';
import { generateEvents, runGenerator, type GenerateEventsResult } from '../../src/generator/run.js';
import { kafkaBootstrap } from '../../src/modules/connect.js';
import { kafkaProxy, type KafkaProxy } from '../helpers/kafka-proxy.js';
import { contextOf, kafka } from '../helpers/servers.js';
import { closedPort, openTestWorld, type TestWorld } from '../helpers/world.js';

let world: TestWorld;
let bootstrap: string;
let topic: string;
let proxy: KafkaProxy;
let number = 0;

beforeAll(async () => {
  world = await openTestWorld();
  bootstrap = kafkaBootstrap(contextOf(world));
  const { host, port } = world.stack.endpoints['kafka']!;
  proxy = await kafkaProxy({ host, port });
});
beforeEach(async () => {
  topic = `generate-${process.pid}-${++number}`;
  await kafka(world, (admin) => admin.createTopic({ name: topic, partitions: 2 }));
  return () => kafka(world, (admin) => admin.deleteTopic(topic)).then(() => {});
});
afterAll(async () => {
  await proxy.close();
  await world.close();
});

async function inKafka(): Promise<BalloonEvent[]> {
  const events: BalloonEvent[] = [];
  await readTopic(bootstrap, topic, {
    onMessage: ({ key, value }) => {
      const event = JSON.parse(value) as BalloonEvent;
      expect(key).toBe(event.player);
      events.push(event);
    },
  });
  return events;
}

/** The broker holds what the result says: no event lost, none twice. */
async function expectExact(result: GenerateEventsResult): Promise<void> {
  const events = await inKafka();
  expect(events).toHaveLength(result.acknowledged);
  const scores: Record<string, number> = {};
  for (const { player, score } of events) scores[player] = (scores[player] ?? 0) + score;
  expect(scores).toEqual(Object.fromEntries(Object.entries(result.byPlayer).map(([player, { score }]) => [player, score])));
}

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs forge's command from its sources; `onStart` gets the process once it is there. */
function forge(args: string[], options: { env?: Record<string, string>; interruptWhen?: () => Promise<boolean> } = {}): Promise<Ran> {
  const { FORGE_WORKSPACE: _, KAFKA_BOOTSTRAP_SERVERS: __, KAFKA_TOPIC: ___, ...own } = process.env;
  const child = spawn(process.execPath, [path.join(packageRoot(), 'bin', 'dev.js'), 'generate', 'events', ...args], {
    cwd: world.scratch,
    env: { ...own, NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (ran.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (ran.stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ran, code }));
    options.interruptWhen?.().then(() => child.kill('SIGINT'), reject);
  });
}

/** Resolves when the topic holds so many events. */
async function untilKafkaHolds(events: number): Promise<boolean> {
  const { waitUntil } = await import('../../src/clients/wait.js');
  return waitUntil(async () => (await kafka(world, (admin) => admin.count(topic))) >= events, { what: 'events', timeoutMs: 60_000 });
}

describe('generate events', () => {
  it('20,000 events of seed 7 are in Kafka to the last one, twice the same but for their time', async () => {
    const first = await generateEvents({ bootstrapServers: bootstrap, topic, count: 20_000, seed: 7 });
    expect(first).toMatchObject({ sent: 20_000, acknowledged: 20_000 });
    await expectExact(first);
    const second = await generateEvents({ bootstrapServers: bootstrap, topic, count: 20_000, seed: 7 });
    expect({ ...second, seconds: 0, eventsPerSecond: 0 }).toEqual({ ...first, seconds: 0, eventsPerSecond: 0 });
  });

  it('reaches 10,000 events per second and holds the rate', async () => {
    const result = await generateEvents({ bootstrapServers: bootstrap, topic, rate: 10_000, durationSeconds: 2 });
    expect(result.acknowledged).toBe(20_000);
    expect(result.seconds).toBeLessThan(2.25);
  });

  it('loses and doubles nothing when the broker goes away in the middle and comes back', async () => {
    let batches = 0;
    let outage: Promise<void> | undefined;
    proxy.onRequest = (bytes) => {
      if (bytes.length > 20_000) batches++;
    };
    proxy.onAnswer = () => {
      if (batches < 3 || outage !== undefined) return true;
      // The broker has the batch, and its acknowledgement is lost: this is when a retry could double it.
      outage = proxy.stop().then(() => proxy.resume());
      return false;
    };
    const { result, failure } = await runGenerator({ bootstrapServers: proxy.bootstrap, topic, count: 30_000, seed: 1 });
    proxy.onRequest = () => {};
    proxy.onAnswer = () => true;
    await outage;
    expect(outage).toBeDefined();
    expect(failure).toBeUndefined();
    expect(result.acknowledged).toBe(30_000);
    await expectExact(result);
  });

  it('Ctrl-C while the broker is away ends within seconds, with the exact count of what is known', async () => {
    const controller = new AbortController();
    let stopped: Promise<void> | undefined;
    proxy.onRequest = (bytes) => {
      if (bytes.length > 20_000 && stopped === undefined) stopped = proxy.stop().then(() => controller.abort(new Error('Ctrl-C')));
    };
    const { result, failure } = await runGenerator({ bootstrapServers: proxy.bootstrap, topic, rate: 'max', signal: controller.signal });
    proxy.onRequest = () => {};
    await stopped;
    await proxy.resume();
    expect(failure).toMatchObject({ code: 'EVENTS_LOST', exitCode: 4 });
    expect(result.acknowledged).toBeLessThan(result.sent);
    const held = await kafka(world, (admin) => admin.count(topic));
    expect(held).toBeGreaterThanOrEqual(result.acknowledged);
    expect(held).toBeLessThanOrEqual(result.sent);
  });
});

describe('forge generate events', () => {
  it('prints one JSON document that says what is in Kafka', async () => {
    const ran = await forge(['--bootstrap-servers', bootstrap, '--topic', topic, '--count', '500', '--seed', '7', '--json']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const result = JSON.parse(ran.stdout) as GenerateEventsResult;
    expect(result).toMatchObject({ sent: 500, acknowledged: 500 });
    await expectExact(result);
  });

  it("honours the original demo's variables, and flags above them", async () => {
    const env = { KAFKA_BOOTSTRAP_SERVERS: bootstrap, KAFKA_TOPIC: 'no-such-topic', NUM_PLAYERS: '3', BONUS_PROBABILITY: '1', DELAY: '0' };
    const ran = await forge(['--topic', topic, '--count', '300', '--json'], { env });
    const { byPlayer } = JSON.parse(ran.stdout) as GenerateEventsResult;
    expect(Object.keys(byPlayer)).toHaveLength(3);
    for (const { events, bonus } of Object.values(byPlayer)) expect(bonus).toBe(events);
  });

  it('plays on the stack of the workspace when no broker is named', async () => {
    const ran = await forge(['--workspace', world.stack.workspace.root, '--topic', topic, '--count', '10', '--json']);
    expect(ran).toMatchObject({ code: 0 });
    expect(await kafka(world, (admin) => admin.count(topic))).toBe(10);
  });

  it('sends nothing to whoever listens on the default port when no stack was brought up', async () => {
    const ran = await forge(['--workspace', world.scratch, '--topic', topic, '--count', '10', '--json']);
    expect(ran.code).toBe(4);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: 'NOT_UP', hint: expect.stringContaining('forge up') as string } });
  });

  it('Ctrl-C ends an endless game well: everything sent is acknowledged, and a summary shown', async () => {
    const ran = await forge(['--bootstrap-servers', bootstrap, '--topic', topic, '--rate', '500', '--json'], {
      interruptWhen: () => untilKafkaHolds(200),
    });
    expect(ran.code).toBe(0);
    const result = JSON.parse(ran.stdout) as GenerateEventsResult;
    expect(result.acknowledged).toBe(result.sent);
    await expectExact(result);
  });

  it('Ctrl-C before the end that was asked for is 130, with the same summary', async () => {
    const ran = await forge(['--bootstrap-servers', bootstrap, '--topic', topic, '--rate', '500', '--duration', '5m'], {
      interruptWhen: () => untilKafkaHolds(50),
    });
    expect(ran.code).toBe(130);
    const [, sent, acknowledged] = /([\d,]+) sent, ([\d,]+) acknowledged/.exec(ran.stdout) ?? [];
    expect(acknowledged).toBe(sent);
    expect(await kafka(world, (admin) => admin.count(topic))).toBe(Number(sent?.replaceAll(',', '')));
  });

  it('a missing broker and a missing topic are one clear error', async () => {
    const nobody = `127.0.0.1:${await closedPort()}`;
    const away = await forge(['--bootstrap-servers', nobody, '--json']);
    expect(away.code).toBe(4);
    expect(JSON.parse(away.stdout)).toMatchObject({
      error: { code: 'UNREACHABLE', message: expect.stringContaining(nobody), hint: expect.stringContaining('forge up') },
    });
    const none = await forge(['--bootstrap-servers', bootstrap, '--topic', 'no-such-topic']);
    expect(none).toMatchObject({ code: 4, stdout: '' });
    expect(none.stderr).toContain('no topic no-such-topic');
  });

  it.each([
    ['--rate', '-1'],
    ['--count', '1e99'],
    ['--bonus-probability', '2'],
    ['--duration', 'soon'],
  ])('%s %s is bad usage and sends nothing', async (flag, value) => {
    const ran = await forge(['--bootstrap-servers', bootstrap, '--topic', topic, `${flag}=${value}`]);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(`${flag}: expected`);
    expect(await kafka(world, (admin) => admin.count(topic))).toBe(0);
  });
});
