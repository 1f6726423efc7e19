import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LoadTableResult } from '../../../src/clients/iceberg.js';
import type { Trouble } from '../../../src/doctor/check.js';
import { engineChecks } from '../../../src/doctor/checks/engine/index.js';
import type { TopicLook } from '../../../src/doctor/checks/pipeline/flow.js';
import { placeOf, type PlaceParts } from '../../helpers/doctor-place.js';
import { atPort } from '../../helpers/fake-polaris/stack.js';
import { startFakeRisingWave, type StartedRisingWave } from '../../helpers/fake-risingwave/start.js';

let risingwave: StartedRisingWave;
beforeEach(async () => {
  risingwave = await startFakeRisingWave();
});
afterEach(() => risingwave.stop());

const committed = (secondsAgo: number): LoadTableResult =>
  ({
    metadata: {
      'current-snapshot-id': 1,
      snapshots: [{ 'snapshot-id': 1, 'timestamp-ms': Date.now() - secondsAgo * 1000, 'manifest-list': 's3://b/l', summary: {} }],
      schemas: [],
      'partition-specs': [],
      'sort-orders': [],
    },
  }) as unknown as LoadTableResult;

const topic: TopicLook = {
  settled: 5000,
  fresh: 500,
  before: new Date(Date.now() - 60_000),
  ends: new Map([[0, 5000n]]),
  lows: new Map([[0, 0n]]),
  since: () => Promise.resolve({ count: 5000, from: new Map() }),
};

function look(id: string, { shared, ...parts }: PlaceParts = {}): Promise<Trouble[]> {
  const place = placeOf({
    ...parts,
    stack: { engine: 'risingwave', endpoints: { risingwave: atPort(risingwave.port) } },
    shared: { topic, views: [], tables: new Map([['leaderboard', committed(200)]]), ...shared },
  });
  const { pipeline } = place;
  pipeline.running = { engine: 'risingwave', objects: [{ kind: 'sink', name: 'leaderboard' }] };
  return engineChecks.find((one) => one.id === id)!.look(place);
}

/** The objects of the stack, as psql would make them. */
async function made(): Promise<void> {
  const { withRisingWave } = await import('../../../src/engines/risingwave/connect.js');
  const kafka = "WITH (connector = 'kafka', topic = 'balloon-game', properties.bootstrap.server = '127.0.0.1:1')";
  const iceberg = "connector = 'iceberg', type = 'append-only', force_append_only = 'true', database.name = 'd', table.name = 't'";
  await withRisingWave({ endpoints: { risingwave: atPort(risingwave.port) } }, async (client) => {
    await client.query(`CREATE SOURCE events (player varchar) ${kafka} FORMAT PLAIN ENCODE JSON`);
    await client.query('CREATE MATERIALIZED VIEW mv AS SELECT player, count(*) AS n FROM events GROUP BY player');
    await client.query(
      `CREATE SINK leaderboard FROM mv WITH (${iceberg}, warehouse.path = 'w', catalog.name = 'c', catalog.type = 'rest', catalog.uri = 'u', s3.endpoint = 'e', s3.region = 'r', s3.access.key = 'k', s3.secret.key = 's')`,
    );
  });
}

test('a RisingWave with its workers and objects is no finding; one without is told', async () => {
  expect((await look('risingwave-health'))[0]?.cause).toMatch(/sink leaderboard is missing/);
  await made();
  for (const id of ['risingwave-health', 'sink-failing', 'barriers-stalled', 'engine-lag']) expect(await look(id), id).toEqual([]);
  risingwave.state.workers = risingwave.state.workers.filter(({ type }) => type !== 'WORKER_TYPE_COMPUTE_NODE');
  expect((await look('risingwave-health'))[0]?.title).toMatch(/no compute node is running/);
});

test('a sink that failed counts until its table is written again', async () => {
  await made();
  risingwave.failSink('leaderboard', 'S3 says no', new Date(Date.now() - 30_000));
  const [found] = await look('sink-failing');
  expect(found).toMatchObject({ component: 'risingwave', title: expect.stringMatching(/Sink leaderboard fails/) as string });
  expect(found?.cause).toBe('30 s ago: S3 says no');
  expect(await look('sink-failing', { shared: { tables: new Map([['leaderboard', committed(5)]]) } })).toEqual([]);
});

test('barriers that are not completed are told; where the log of events is off, nobody can tell', async () => {
  await made();
  risingwave.state.barrierAt = () => new Date(Date.now() - 90_000);
  const [found] = await look('barriers-stalled');
  expect(found).toMatchObject({ component: 'risingwave', title: expect.stringMatching(/completes no barrier/) as string });
  expect(found?.cause).toMatch(/completed 90 s ago/);
  risingwave.state.barrierAt = () => undefined;
  await expect(look('barriers-stalled')).rejects.toThrow(/does not tell of any barrier/);
});

test('lag: what came in the last minute does not count, and what is not told is no lag of none', async () => {
  await made();
  risingwave.state.lag = 1400;
  expect(await look('engine-lag')).toEqual([]);
  risingwave.state.lag = 1600;
  expect((await look('engine-lag'))[0]?.title).toMatch(/RisingWave is behind: 1100 events/);
  risingwave.state.lag = null;
  await expect(look('engine-lag')).rejects.toThrow('RisingWave does not tell how far it has read');
});

test('objects that are missing, or differ, are one finding; Flink has none of it', async () => {
  const drifted = { module: 'risingwave.view', state: 'drifted' as const, message: 'its SQL changed' };
  const tasks = [
    { id: 'mv-leaderboard', ...drifted },
    { id: 'sink-leaderboard', module: 'risingwave.sink', state: 'missing' as const },
  ];
  const [found] = await look('risingwave-objects', { tasks });
  expect(found?.title).toBe('2 objects in RisingWave differ from what the stack wants');
  expect(found?.cause).toMatch(/mv-leaderboard: its SQL changed; sink-leaderboard: missing/);
  const [missing] = await look('risingwave-objects', { tasks: tasks.slice(1) });
  expect(missing?.title).toBe('RisingWave lacks 1 object of the stack');
  const onFlink = placeOf({});
  expect(engineChecks.filter(({ concerns }) => concerns?.(onFlink) === false).map(({ id }) => id)).toEqual([
    'risingwave-objects',
    'risingwave-health',
    'sink-failing',
    'barriers-stalled',
  ]);
});
