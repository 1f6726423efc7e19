import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withKafka } from '../../src/clients/kafka.js';
import { connectProducer } from '../../src/clients/kafka-produce.js';
import { readTopic, type KafkaMessage } from '../../src/clients/kafka-read.js';
import { withPostgres } from '../../src/clients/postgresql.js';
import { kafkaBootstrap, postgresAdmin, s3Of } from '../../src/modules/connect.js';
import { kafkaTopic } from '../../src/modules/kafka-topic.js';
import { sqlView } from '../../src/modules/sql-view.js';
import { Secret } from '../../src/workspace/secret.js';
import { waitFor } from '../helpers/lake.js';
import { kafkaProxy } from '../helpers/kafka-proxy.js';
import { contextOf, kafka, s3, sql } from '../helpers/servers.js';
import { closedPort, openTestWorld, withClosedPort, type TestWorld } from '../helpers/world.js';

let world: TestWorld;
let bootstrap: string;
beforeAll(async () => {
  world = await openTestWorld();
  bootstrap = kafkaBootstrap(contextOf(world));
});
afterAll(() => world.close());

/** Seconds that something took. */
async function timed(work: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work;
  return (performance.now() - started) / 1_000;
}

describe('Kafka', () => {
  const topic = `clients-${process.pid}`;
  beforeAll(() => kafka(world, (admin) => admin.createTopic({ name: topic, partitions: 3 })).then(() => {}));
  afterAll(() => kafka(world, (admin) => admin.deleteTopic(topic)).then(() => {}));

  it('counts and reads what was sent, key by key in order, and leaves no consumer group behind', async () => {
    const producer = await connectProducer(bootstrap, topic);
    const records = Array.from({ length: 3_000 }, (_, at) => ({ key: `player ${at % 7}`, value: String(at) }));
    await producer.send(records.slice(0, 2_000));
    await producer.send(records.slice(2_000));
    await producer.close();
    expect(await kafka(world, (admin) => admin.count(topic))).toBe(3_000);

    const seen: KafkaMessage[] = [];
    expect(await readTopic(bootstrap, topic, { onMessage: (message) => seen.push(message) })).toBe(3_000);
    for (let key = 0; key < 7; key++)
      expect(seen.filter((message) => message.key === `player ${key}`).map(({ value }) => Number(value))).toEqual(
        records.filter(({ key: of }) => of === `player ${key}`).map(({ value }) => Number(value)),
      );
    const { Kafka, logLevel } = (await import('kafkajs')).default;
    const plain = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin();
    await plain.connect();
    const { groups } = await plain.listGroups();
    await plain.disconnect();
    expect(groups.filter(({ groupId }) => groupId.startsWith('forge-reader-'))).toEqual([]);
  });

  it('reads from and up to given offsets, and nothing of an empty range', async () => {
    const [first] = await kafka(world, (admin) => admin.offsets(topic));
    const { partition, high } = first!;
    const rest = new Map([
      [1, 0n],
      [2, 0n],
    ]);
    const onMessage = () => {};
    expect(high).toBeGreaterThan(10n);
    const until = new Map([...rest, [partition, 9n]]);
    expect(await readTopic(bootstrap, topic, { onMessage, from: new Map([[partition, 4n]]), until })).toBe(5);
    expect(await readTopic(bootstrap, topic, { onMessage, until: new Map([...rest, [partition, 0n]]) })).toBe(0);
  });

  it('keeps the other settings of a topic when one is changed', async () => {
    await kafka(world, async (admin) => {
      await admin.setTopicConfig(topic, { 'retention.ms': '7200000' });
      await admin.setTopicConfig(topic, { 'max.message.bytes': '2000000' });
      expect((await admin.describeTopic(topic))?.overrides).toEqual({ 'retention.ms': '7200000', 'max.message.bytes': '2000000' });
    });
  });

  it('says at once that there is no such topic', async () => {
    await expect(connectProducer(bootstrap, 'no-such-topic')).rejects.toMatchObject({ code: 'TOPIC_MISSING', exitCode: 4 });
    await expect(kafka(world, (admin) => admin.offsets('no-such-topic'))).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
    expect(await kafka(world, (admin) => admin.topics())).not.toContain('no-such-topic');
  });

  it('says within two seconds that no broker is there, and names it', async () => {
    const nobody = `127.0.0.1:${await closedPort()}`;
    const error = { code: 'UNREACHABLE', exitCode: 4, message: `No answer from ${nobody} (Kafka, connecting): connection refused` };
    expect(await timed(expect(withKafka(nobody, (admin) => admin.topics())).rejects.toMatchObject(error))).toBeLessThan(2);
  });

  it('says that something else than Kafka listens', async () => {
    const mute = createServer((socket) => void socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await new Promise((resolve) => mute.once('listening', resolve));
    const where = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
    await expect(withKafka(where, (admin) => admin.topics())).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('took the connection and said nothing'),
    });
    // Ends only when forge has let go of its connections.
    await new Promise((resolve) => mute.close(resolve));
  });

  it('names the advertised address that cannot be reached', async () => {
    const dead = await closedPort();
    const { host, port } = world.stack.endpoints['kafka']!;
    const proxy = await kafkaProxy({ host, port }, dead);
    await expect(connectProducer(proxy.bootstrap, topic, { retries: 1 })).rejects.toMatchObject({
      code: 'ADVERTISED_UNREACHABLE',
      exitCode: 4,
      message: expect.stringContaining(`Kafka answers on ${proxy.bootstrap} but tells its clients to use 127.0.0.1:${dead}`),
    });
    await proxy.close();
  });

  it('an aborted signal ends a call with its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    const call = withKafka(
      bootstrap,
      () => new Promise<never>((_, reject) => controller.signal.addEventListener('abort', () => reject(reason))),
      {
        signal: controller.signal,
      },
    );
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('kafka.topic refuses to take partitions away, and changes nothing', async () => {
    const args = { name: topic, partitions: 1, config: {} };
    const context = contextOf(world);
    const seen = await kafkaTopic.observe(args, context);
    expect(seen).toMatchObject({ state: 'drifted', message: 'partitions 3 instead of 1' });
    if (seen.state !== 'drifted') return;
    await expect(kafkaTopic.apply(args, seen, context)).rejects.toMatchObject({ code: 'TOPIC_SHRINK', exitCode: 2 });
    expect((await kafka(world, (admin) => admin.describeTopic(topic)))?.partitions).toBe(3);
  });
});

describe('PostgreSQL', () => {
  it('passes values through unharmed, and says which statement was refused', async () => {
    const text = `it's "quoted" \\ and ; -- more`;
    await withPostgres(postgresAdmin(contextOf(world)), async (client) => {
      expect(await client.query('SELECT $1::text AS text, 2 AS two', [text])).toEqual([{ text, two: 2 }]);
      await expect(client.query('SELECT nonsense FROM nowhere')).rejects.toMatchObject({
        code: 'POSTGRESQL_FAILED',
        message: expect.stringMatching(/refuses SELECT nonsense FROM .*nowhere/),
      });
    });
  });

  it('tells a wrong password, a missing database and a missing server apart, and shows no password', async () => {
    const admin = postgresAdmin(contextOf(world));
    const tried = (target: typeof admin) =>
      withPostgres(target, () => Promise.resolve()).catch((error: unknown) => error as Error & { code: string });
    const wrong = await tried({ ...admin, password: new Secret('not-the-password') });
    const missing = await tried({ ...admin, database: 'no_such_database' });
    const away = await tried({ ...admin, port: await closedPort() });
    expect([wrong, missing, away].map((error) => error?.code)).toEqual(['POSTGRESQL_LOGIN', 'POSTGRESQL_NO_DATABASE', 'UNREACHABLE']);
    expect(away?.message).toMatch(/connection refused$/);
    expect(wrong?.message).not.toContain('not-the-password');
  });

  it('an aborted signal cuts a long statement and throws its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    const seconds = await timed(
      expect(
        withPostgres(
          postgresAdmin(contextOf(world)),
          async (client) => {
            const long = client.query('SELECT pg_sleep(60)');
            controller.abort(reason);
            await long;
          },
          { signal: controller.signal },
        ),
      ).rejects.toBe(reason),
    );
    expect(seconds).toBeLessThan(5);
  });

  it('is asked over one connection by those who ask at the same moment; one that is interrupted disturbs no other', async () => {
    const admin = postgresAdmin(contextOf(world));
    const controller = new AbortController();
    const backend = (signal?: AbortSignal): Promise<unknown> =>
      withPostgres(admin, (client) => client.query('SELECT pg_backend_pid() AS pid, pg_sleep(0.2)'), { signal });
    const all = [backend(), backend(controller.signal), backend()];
    const [first, , third] = await Promise.all([
      all[0],
      expect(all[1]).rejects.toThrow('Ctrl-C'),
      all[2],
      Promise.resolve().then(() => controller.abort(new Error('Ctrl-C'))),
    ]);
    expect(third).toEqual(first);
    const alone = await Promise.all(
      [1, 2].map(() => withPostgres(admin, (client) => client.query('SELECT pg_backend_pid() AS pid'), { alone: true })),
    );
    expect(alone[0]).not.toEqual(alone[1]);
    const open = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.2)' AND application_name = 'forge'";
    await waitFor(async () => expect(await sql(world, open)).toEqual([]));
  });

  it('sql.view removes exactly its own table: one of the same name that is a view stays', async () => {
    const { database } = world.stack.config.views;
    const name = `mv_clients_${process.pid}`;
    await sql(world, `CREATE VIEW ${name} AS SELECT 1 AS one`, database);
    const args = { name, database, owner: 'views', columns: { player: 'text' }, key: ['player'] };
    await sqlView.remove?.(args, contextOf(world));
    expect(await sql(world, `SELECT one FROM ${name}`, database)).toEqual([{ one: 1 }]);
    await sql(world, `DROP VIEW ${name}`, database);
  });

  it('sql.view in a database that is not there is missing, and gone after removal', async () => {
    const args = { name: 'mv_x', database: 'no_such_database', owner: 'views', columns: { player: 'text' }, key: ['player'] };
    expect((await sqlView.observe(args, contextOf(world))).state).toBe('missing');
    await sqlView.remove?.(args, contextOf(world));
  });
});

describe('S3', () => {
  const bucket = `clients-${process.pid}`;
  const neighbour = `${bucket}-neighbour`;
  afterAll(async () => {
    for (const name of [bucket, neighbour]) await (await s3(world)).deleteBucket(name);
  });

  it('keeps objects with awkward keys; what is missing is a value', async () => {
    const store = await s3(world);
    await store.createBucket(bucket);
    await store.createBucket(bucket);
    const key = `a b/ü&<'"+()*~%41.txt`;
    await store.putObject(bucket, key, 'hello');
    expect(await store.headObject(bucket, key)).toEqual({ size: 5 });
    expect(Buffer.from((await store.getObject(bucket, key)) ?? []).toString()).toBe('hello');
    const listed = [];
    for await (const object of store.listObjects(bucket, 'a b/')) listed.push(object);
    expect(listed).toEqual([{ key, size: 5 }]);
    expect(await store.getObject(bucket, 'none')).toBeUndefined();
    expect(await store.headObject(bucket, 'none')).toBeUndefined();
    expect(await store.headBucket('no-such-bucket')).toBe(false);
    await expect(store.putObject('no-such-bucket', 'x', '')).rejects.toMatchObject({
      code: 'S3_FAILED',
      message: expect.stringContaining('NoSuchBucket'),
    });
  });

  it('empties a bucket of more than one page before it deletes it, and leaves its neighbour alone', async () => {
    const store = await s3(world);
    await store.createBucket(neighbour);
    await store.putObject(neighbour, 'keep', 'me');
    for (let at = 0; at < 1_040; at += 40)
      await Promise.all(Array.from({ length: 40 }, (_, more) => store.putObject(bucket, `many/${at + more}`, '')));
    expect(await store.deleteBucket(bucket)).toBe(true);
    expect(await store.headBucket(bucket)).toBe(false);
    expect(await store.deleteBucket(bucket)).toBe(false);
    expect(await store.headObject(neighbour, 'keep')).toEqual({ size: 2 });
  });

  it('a server that is not there is an error, never a missing bucket', async () => {
    const away = await s3Of(contextOf(await withClosedPort(world, 'localstack')));
    await expect(away.headBucket(bucket)).rejects.toMatchObject({ code: 'UNREACHABLE', exitCode: 4 });
  });
});
