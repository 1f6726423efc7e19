import { afterEach, expect, test } from 'vitest';
import type { LoadTableResult } from '../../../src/clients/iceberg.js';
import { stackChecks } from '../../../src/doctor/checks/index.js';
import { tableChecks } from '../../../src/doctor/checks/tables/index.js';
import { placeOf, startAnswers } from '../../helpers/doctor-place.js';
import { atPort } from '../../helpers/fake-polaris/stack.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const loaded = {
  'metadata-location': 's3://lake/warehouse/leaderboard/metadata/7.metadata.json',
  metadata: {
    'current-snapshot-id': 1,
    snapshots: [
      { 'snapshot-id': 1, 'timestamp-ms': 1, 'manifest-list': 's3://lake/warehouse/leaderboard/metadata/snap-1.avro', summary: {} },
    ],
  },
} as unknown as LoadTableResult;

/** A bucket that holds these objects. */
async function objects(...paths: string[]) {
  const { port, stop } = await startAnswers(Object.fromEntries(paths.map((path) => [path, {}])));
  stops.push(stop);
  const place = placeOf({ stack: { endpoints: { localstack: atPort(port) } }, shared: { tables: new Map([['leaderboard', loaded]]) } });
  await place.stack.credentials.write('aws', { accessKeyId: 'key-id', secretAccessKey: 'secret-key' });
  return tableChecks.find(({ id }) => id === 'table-objects')!.look(place);
}
const METADATA = '/lake/warehouse/leaderboard/metadata/7.metadata.json';
const LIST = '/lake/warehouse/leaderboard/metadata/snap-1.avro';

test('objects that a table points at: all there, the list of the newest snapshot gone', async () => {
  expect(await objects(METADATA, LIST)).toEqual([]);
  const [found] = await objects(METADATA);
  expect(found).toMatchObject({ component: 'localstack', title: 'Table leaderboard points at objects that are gone from the bucket' });
  expect(found?.cause).toBe('leaderboard: s3://lake/warehouse/leaderboard/metadata/snap-1.avro');
  expect(found?.fix).toBeUndefined();
});

test('what the engine needs comes before the engine, and what only an engine makes after it', () => {
  const at = (id: string): number => stackChecks.findIndex((check) => check.id === id);
  const order = [
    'catalog-answers',
    'catalog-access',
    'table-missing',
    'view-missing',
    'job-missing',
    'job-restarting',
    'table-commits',
    'events-stop',
  ];
  expect(order.map(at)).toEqual([...order.map(at)].sort((a, b) => a - b));
  expect(order.map(at)).not.toContain(-1);
});
