import { afterEach, expect, test } from 'vitest';
import type { Check, Trouble } from '../../../src/doctor/check.js';
import { engineChecks } from '../../../src/doctor/checks/engine/index.js';
import { culpritOf } from '../../../src/doctor/checks/engine/culprit.js';
import type { TopicLook } from '../../../src/doctor/checks/pipeline/flow.js';
import { placeOf, startAnswers, type PlaceParts } from '../../helpers/doctor-place.js';
import { atPort } from '../../helpers/fake-polaris/stack.js';

const AGO = (seconds: number): number => Date.now() - seconds * 1000;
const check = (id: string): Check => engineChecks.find((one) => one.id === id)!;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A job as Flink's REST API gives it. */
const job = (over: object = {}) => ({
  jid: 'a1',
  name: 'balloon-popper',
  state: 'RUNNING',
  'start-time': AGO(600),
  tasks: { total: 14, running: 14, finished: 0 },
  ...over,
});
interface Flink {
  jobs?: object[];
  overview?: object;
  failures?: { secondsAgo: number; trace: string }[];
  lastCheckpoint?: number | null;
  more?: Record<string, unknown>;
}

/** Flink as a server that says this of itself. */
async function look(
  id: string,
  { jobs = [job()], overview = {}, failures = [], lastCheckpoint = 3, more = {} }: Flink,
  parts: PlaceParts = {},
) {
  const entries = failures.map(({ secondsAgo, trace }) => ({ timestamp: AGO(secondsAgo), stacktrace: trace }));
  const completed = lastCheckpoint === null ? null : { latest_ack_timestamp: AGO(lastCheckpoint) };
  const { port, stop } = await startAnswers({
    '/jobs/overview': { jobs },
    '/overview': { taskmanagers: 1, 'slots-total': 4, 'slots-available': 3, ...overview },
    '/jobs/a1/exceptions?maxExceptions=10': { exceptionHistory: { entries } },
    '/jobs/a1/exceptions?maxExceptions=1': { exceptionHistory: { entries: entries.slice(0, 1) } },
    '/jobs/a1/checkpoints': {
      counts: { completed: 7, failed: 2 },
      latest: { completed, failed: { failure_message: 'Checkpoint expired' } },
    },
    '/jobs/a1/checkpoints/config': { interval: 5000 },
    ...more,
  });
  stops.push(stop);
  const endpoints = {
    flink: atPort(port),
    kafka: atPort(19094),
    localstack: atPort(4566),
    postgresql: atPort(15432),
    catalog: atPort(18181),
  };
  return check(id).look(placeOf({ ...parts, stack: { endpoints, ...parts.stack } }));
}

const IDS = ['flink-slots', 'checkpoints-failing', 'job-restarting'];
test.each(IDS)('%s: a job that runs and completes checkpoints is no finding', async (id) => {
  expect(await look(id, {})).toEqual([]);
  // It failed once, and a checkpoint came after that.
  expect(await look(id, { failures: [{ secondsAgo: 20, trace: 'java.io.IOException: x' }] })).toEqual([]);
  // Just submitted, not all tasks there, no checkpoint yet.
  const starting = job({ 'start-time': AGO(5), tasks: { total: 14, running: 2, finished: 0 } });
  expect(await look(id, { jobs: [starting], lastCheckpoint: null })).toEqual([]);
});

test('no TaskManager, and slots that others hold while the job waits', async () => {
  const [none] = await look('flink-slots', { overview: { taskmanagers: 0, 'slots-total': 0, 'slots-available': 0 } });
  expect(none).toMatchObject({ component: 'flink', title: expect.stringMatching(/no TaskManager/) as string });
  const waiting = job({ state: 'CREATED', tasks: { total: 14, running: 0, finished: 0 } });
  const other = job({ jid: 'b2', name: 'somebody-elses' });
  const [taken] = await look('flink-slots', { jobs: [waiting, other], overview: { 'slots-available': 0 } });
  expect(taken?.cause).toMatch(/somebody-elses \(b2\)/);
  expect(taken?.remedy).toMatch(/\/jobs\/b2$/);
  expect(taken?.fix).toBeUndefined();
});

test('a job that fails over and over is an error which names the server behind it; one that has just come back a warning', async () => {
  const trace = 'java.lang.Exception: x\n\tat y\nCaused by: java.net.ConnectException: Connection refused: /127.0.0.1:4566';
  const failures = [3, 9, 15].map((secondsAgo) => ({ secondsAgo, trace }));
  const restarting = job({ state: 'RESTARTING', tasks: { total: 14, running: 0, finished: 0 } });
  const [error] = await look('job-restarting', { jobs: [restarting], failures, lastCheckpoint: 30 });
  expect(error).toMatchObject({ severity: 'error', component: 'localstack' });
  expect(error?.cause).toMatch(/^3 failures since its last checkpoint, the newest \(localstack is behind it\): ConnectException: /);
  const [warning] = await look('job-restarting', { failures, lastCheckpoint: 30 });
  expect(warning).toMatchObject({ severity: 'warning', title: expect.stringMatching(/started again 3 s ago/) as string });
});

test('a job that recovers each time and fails again is a warning, unless it is long past, once only, or another server is behind it', async () => {
  const at = (secondsAgo: number, trace = 'java.lang.OutOfMemoryError: Java heap space') => ({ secondsAgo, trace });
  const [warning] = await look('job-restarting', { failures: [20, 21, 140, 300, 301, 700].map((seconds) => at(seconds)) });
  expect(warning).toMatchObject({
    severity: 'warning',
    title: expect.stringMatching(/does not stay up: it failed 3 times in 5 min/) as string,
    cause: expect.stringMatching(/^The newest failure, 20 s ago: OutOfMemoryError: Java heap space$/) as string,
  });
  const refused = 'java.net.ConnectException: Connection refused: /127.0.0.1:4566';
  for (const failures of [
    [at(20), at(25), at(30), at(35)],
    [at(400), at(450), at(500)],
    [at(20, refused), at(140, refused), at(300)],
  ])
    expect(await look('job-restarting', { failures })).toEqual([]);
});

test('checkpoints: those that fail, those that never come, and a job that has only just come back', async () => {
  const failing = 'org.apache.flink.util.FlinkRuntimeException: Exceeded checkpoint tolerable failure threshold.';
  const [failed] = await look('checkpoints-failing', { failures: [{ secondsAgo: 4, trace: failing }], lastCheckpoint: 20 });
  expect(failed?.cause).toMatch(/1 failure, the last one was 20 s ago: FlinkRuntimeException: Exceeded checkpoint/);
  expect(await look('job-restarting', { failures: [{ secondsAgo: 4, trace: failing }], lastCheckpoint: 20 })).toEqual([]);
  const [hanging] = await look('checkpoints-failing', { lastCheckpoint: 300 });
  expect(hanging?.title).toMatch(/completes no checkpoint/);
  expect(hanging?.cause).toMatch(/every 5 s, the last one was 5 min ago; 7 completed, 2 failed \(Checkpoint expired\)/);
  expect(await look('checkpoints-failing', { failures: [{ secondsAgo: 30, trace: 'x' }], lastCheckpoint: 300 })).toEqual([]);
  expect(await look('checkpoints-failing', { lastCheckpoint: 40 })).toEqual([]);
});

test('where there is no job, its checkpoints and failures are no good ones: that it is gone is told', async () => {
  for (const id of ['checkpoints-failing', 'job-restarting'])
    await expect(look(id, { jobs: [job({ state: 'CANCELED' })] }), id).rejects.toMatchObject({ id: 'job-missing' });
});

test.each([
  ['job-missing', { state: 'missing' as const, message: 'no job balloon-popper is running' }],
  ['job-twice', { state: 'drifted' as const, diff: [{ field: 'jobs', is: '2', should: '1' }] }],
  ['job-changed', { state: 'drifted' as const, diff: [{ field: 'sql', is: 'a', should: 'b' }] }],
  ['job-old-tables', { state: 'drifted' as const, diff: [{ field: 'table leaderboard', is: 'u', should: 'v' }] }],
  ['gateway-left', { state: 'drifted' as const, diff: [{ field: 'SQL gateway', is: 'running', should: 'stopped' }] }],
])('%s is told by that check alone', async (id, task) => {
  const place = placeOf({ tasks: [{ id: 'job', module: 'flink.job', ...task }] });
  const drifts = engineChecks.filter((one) =>
    ['job-missing', 'job-twice', 'job-changed', 'job-old-tables', 'gateway-left'].includes(one.id),
  );
  const found: [string, Trouble[]][] = await Promise.all(drifts.map(async (one) => [one.id, await one.look(place)] as [string, Trouble[]]));
  expect(found.filter(([, troubles]) => troubles.length > 0).map(([name]) => name)).toEqual([id]);
  const settling = placeOf({
    tasks: [{ module: 'flink.job', state: 'drifted', diff: [{ field: 'status', is: 'RESTARTING', should: 'RUNNING' }] }],
  });
  expect(await check(id).look(settling)).toEqual([]);
  const unseen = placeOf({ tasks: [{ id: 'job', module: 'flink.job', state: 'unknown', message: 'waits for a table' }] });
  await expect(check(id).look(unseen)).rejects.toThrow(/waits for a table/);
});

const topic = (settled: number): TopicLook => ({
  settled,
  fresh: 10,
  before: new Date(AGO(60)),
  ends: new Map([[0, BigInt(settled)]]),
  lows: new Map([[0, 0n]]),
  // All of them came an hour ago.
  since: (time) => Promise.resolve({ count: time.getTime() < AGO(3600) ? settled : 0, from: new Map() }),
});

/** The metrics of the source: each answer the next of these offsets, the last one for ever. */
function metrics(current: string[], committed: string): Record<string, unknown> {
  const id = (kind: string) => `0.Source__balloon_game_events[1].KafkaSourceReader.topic.balloon-game.partition.0.${kind}`;
  const path = '/jobs/a1/vertices/v1/metrics';
  let asked = 0;
  return {
    '/jobs/a1': {
      vertices: [
        { id: 'v1', name: 'Source: balloon_game_events[1] -> Calc[2]' },
        { id: 'v2', name: 'Sink' },
      ],
    },
    [path]: ['currentOffset', 'committedOffset', 'other'].map((kind) => ({ id: kind === 'other' ? 'numRecordsIn' : id(kind) })),
    [`${path}?get=${id('currentOffset')},${id('committedOffset')}`]: () => [
      { id: id('currentOffset'), value: current[Math.min(asked++, current.length - 1)] },
      { id: id('committedOffset'), value: committed },
    ],
  };
}

test('lag: many old events that are not read, not what Flink told before it fetched new metrics', async () => {
  const shared = { topic: topic(5000), views: [{ name: 'mv_leaderboard', rows: 1, newest: new Date(AGO(7200)) }] };
  const [behind] = await look('engine-lag', { more: metrics(['999'], '-1') }, { shared });
  expect(behind).toMatchObject({ component: 'flink', title: expect.stringMatching(/4000 events wait/) as string });
  expect(await look('engine-lag', { more: metrics(['999', '4999'], '-1') }, { shared })).toEqual([]);
  // Restored, and nothing new since: the committed offset tells.
  expect(await look('engine-lag', { more: metrics(['-1'], '5000') }, { shared })).toEqual([]);
  // Old metrics: the view shows what is said not to be read.
  const shows = [{ name: 'mv_leaderboard', rows: 1, newest: new Date(AGO(3599)) }];
  expect(await look('engine-lag', { more: metrics(['999'], '-1') }, { shared: { ...shared, views: shows } })).toEqual([]);
  // Metrics that are not there yet, or any more.
  await expect(look('engine-lag', { more: metrics(['-1'], '-1') }, { shared })).rejects.toThrow('Flink does not tell how far');
  // It came back half a minute ago and may still catch up.
  expect(await look('engine-lag', { jobs: [job({ 'start-time': AGO(30) })], more: metrics(['999'], '-1') }, { shared })).toEqual([]);
});

test.each([
  ['ConnectException: Connection refused: localhost/127.0.0.1:15432', 'postgresql'],
  ['ConnectException: Connection to http://127.0.0.1:18181 refused', 'iceberg-rest'],
  ['NoSuchKeyException: The specified key does not exist', 'localstack'],
  ['PSQLException: ERROR: relation "mv_leaderboard" does not exist', 'postgresql'],
  ['NoSuchTableException: Table does not exist: balloon_pops.leaderboard', 'iceberg-rest'],
  ['TimeoutException: Topic balloon-game not present in metadata, kafka', 'kafka'],
  ['OutOfMemoryError: Java heap space', 'flink'],
  ['FileNotFoundException: /home/kafka/4566/flink/jobs/x/chk-7/y (Not a directory)', undefined],
  ['ArithmeticException: / by zero', undefined],
])('%s: %s is behind it', (text, component) => {
  const endpoints = { localstack: atPort(4566), postgresql: atPort(15432), catalog: atPort(18181) };
  expect(culpritOf(text, { endpoints, catalog: 'iceberg-rest' })).toBe(component);
});
