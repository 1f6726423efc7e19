import { expect, test } from 'vitest';
import { configSchema } from '../../../src/config/schema.js';
import type { TopicLook, ViewLook } from '../../../src/doctor/checks/pipeline/flow.js';
import { between, graceOf } from '../../../src/doctor/checks/pipeline/flow.js';
import { pipelineChecks } from '../../../src/doctor/checks/pipeline/index.js';
import { tableFlowChecks } from '../../../src/doctor/checks/tables/index.js';
import type { LoadTableResult } from '../../../src/clients/iceberg.js';
import type { StackPlace, Trouble } from '../../../src/doctor/check.js';
import { patienceMs } from '../../../src/doctor/patience.js';
import { placeOf } from '../../helpers/doctor-place.js';

const AGO = (seconds: number): Date => new Date(Date.now() - seconds * 1000);
const check = (id: string) => [...tableFlowChecks, ...pipelineChecks].find((one) => one.id === id)!;

interface Flow {
  /** Seconds since each record of the topic came. */
  events?: number[];
  view?: { rows: number; newestSecondsAgo?: number };
  table?: { rows: number; committedSecondsAgo?: number; files?: number };
  /** Undefined where the engine does not tell. */
  unread?: number | undefined;
  /** Complete events that the view should have. */
  lacking?: number;
  /** Seconds since the job was submitted. */
  jobAge?: number;
  failedSecondsAgo?: number;
  /** In place of what is the default. */
  checkpointInterval?: string;
}

/** A pipeline in which this much was seen. */
function flow({
  events = [],
  view = { rows: 0 },
  table = { rows: 0 },
  lacking = 0,
  jobAge = 3600,
  failedSecondsAgo,
  checkpointInterval = '5s',
  ...seen
}: Flow): StackPlace {
  const config = configSchema.parse({ components: { flink: { checkpointInterval } } });
  const times = events.map(AGO).sort((a, b) => a.getTime() - b.getTime());
  const before = AGO(graceOf({ stack: { engine: 'flink', config } as StackPlace['stack'] }) / 1000);
  const settled = times.filter((time) => time < before).length;
  const topic: TopicLook = {
    settled,
    fresh: times.length - settled,
    before,
    ends: new Map([[0, BigInt(settled)]]),
    lows: new Map([[0, 0n]]),
    since(time) {
      const from = times.filter((at) => at < time).length;
      return Promise.resolve({ count: Math.max(0, settled - from), from: new Map([[0, BigInt(from)]]) });
    },
  };
  const { newestSecondsAgo: newest } = view;
  const views: ViewLook[] = [{ name: 'mv_leaderboard', rows: view.rows, newest: newest === undefined ? undefined : AGO(newest) }];
  const snapshot = {
    'snapshot-id': 1,
    'timestamp-ms': AGO(table.committedSecondsAgo ?? 0).getTime(),
    'manifest-list': 's3://b/l',
    summary: { 'total-records': String(table.rows), 'total-data-files': String(table.files ?? 1) },
  };
  const loaded = {
    metadata: {
      'current-snapshot-id': 1,
      snapshots: table.committedSecondsAgo === undefined ? [] : [snapshot],
      schemas: [],
      'partition-specs': [],
      'sort-orders': [],
    },
  } as unknown as LoadTableResult;
  const job = { id: 'a1', name: 'balloon-popper', status: 'RUNNING', startedAt: AGO(jobAge).getTime(), allTasksRunning: true };
  const failures = failedSecondsAgo === undefined ? [] : [{ at: AGO(failedSecondsAgo), cause: 'x', ofCheckpoint: false }];
  const flink = { flink: { failures: () => Promise.resolve(failures) }, name: 'balloon-popper', jobs: [job], job };
  return placeOf({
    stack: { config },
    shared: {
      topic,
      views,
      tables: new Map([['leaderboard', loaded]]),
      flink,
      unread: 'unread' in seen ? seen.unread : 0,
      'lacked by mv_leaderboard': lacking,
    },
  });
}

const look = (id: string, seen: Flow): Promise<Trouble[]> => check(id).look(flow(seen));

const FLOWS: [string, Flow][] = [
  [
    'a view that shows all, while Flink tells old metrics',
    { events: [300, 200], unread: 2, view: { rows: 2, newestSecondsAgo: 30 }, table: { rows: 2, committedSecondsAgo: 20 } },
  ],
  ['no events at all', {}],
  ['events of seconds ago, nothing shown yet', { events: [1, 2, 5, 30], unread: 4 }],
  [
    'events that arrived everywhere',
    { events: [300, 200], view: { rows: 2, newestSecondsAgo: 200 }, table: { rows: 2, committedSecondsAgo: 190 } },
  ],
  ['events that flow', { events: [90, 80, 70, 3], view: { rows: 1, newestSecondsAgo: 3 }, table: { rows: 4, committedSecondsAgo: 4 } }],
  ['a job that has just come up and catches up', { events: [900, 800], unread: 2, jobAge: 20 }],
  ['a job that came back half a minute ago', { events: [900, 800, 700], unread: 3, failedSecondsAgo: 30 }],
  [
    'a table that was made anew, and no event since',
    { events: [900, 800, 700], view: { rows: 3, newestSecondsAgo: 700 }, table: { rows: 0, committedSecondsAgo: 10 }, jobAge: 300 },
  ],
  [
    'tables that are committed to every ten minutes',
    {
      events: [800, 700, 600, 5],
      view: { rows: 4, newestSecondsAgo: 5 },
      table: { rows: 1, committedSecondsAgo: 900 },
      checkpointInterval: '10m',
    },
  ],
  [
    'a job that came back within the time of two commits',
    { events: [9000, 8000, 7000], unread: 3, lacking: 3, failedSecondsAgo: 300, checkpointInterval: '10m' },
  ],
  [
    'records that no view shows, such as poison',
    { events: [300, 299], view: { rows: 1, newestSecondsAgo: 400 }, table: { rows: 1, committedSecondsAgo: 390 } },
  ],
];
test.each(FLOWS)('%s: nothing to tell', async (_, seen) => {
  for (const id of ['table-commits', 'table-files', 'events-stop']) expect(await look(id, seen), id).toEqual([]);
});

test('events that the job does not read', async () => {
  const [found] = await look('events-stop', { events: [300, 200, 100], unread: 2, lacking: 3 });
  expect(found).toMatchObject({
    component: 'flink',
    title: 'Events stop between topic balloon-game and balloon-popper',
    cause: expect.stringMatching(/holds 3 events that are older than 60 s; 2 of them are not read/) as string,
  });
});

test('an engine that does not tell what it has read may be where events stop, too', async () => {
  const [found] = await look('events-stop', { events: [300, 200, 100], unread: undefined, lacking: 3 });
  expect([found?.title, found?.cause]).toEqual([
    'Events stop between topic balloon-game and view mv_leaderboard',
    expect.stringMatching(/^Topic balloon-game holds 3 events that are older than 60 s, and mv_leaderboard lacks at least 3/),
  ]);
});

test('a view without rows: where the tables have none either, events stop; where they have, it was emptied', async () => {
  const seen: Flow = { events: [300, 200, 100], lacking: 3 };
  const [stop] = await look('events-stop', { ...seen, table: { rows: 0, committedSecondsAgo: 5 } });
  expect(stop?.title).toBe('Events stop between balloon-popper and view mv_leaderboard');
  const [emptied] = await look('events-stop', { ...seen, table: { rows: 3, committedSecondsAgo: 5 } });
  expect(emptied).toMatchObject({ severity: 'warning', title: 'View mv_leaderboard lacks events that the tables have' });
});

test('a table without rows while the view has them', async () => {
  const seen: Flow = { events: [400, 300, 200, 100], view: { rows: 3, newestSecondsAgo: 100 }, table: { rows: 0, committedSecondsAgo: 5 } };
  const [found] = await look('events-stop', seen);
  expect(found?.title).toBe('Events stop between view mv_leaderboard and table leaderboard');
  expect(found?.cause).toMatch(/mv_leaderboard has 3 rows, 4 events came since the job started, and leaderboard has no row/);
});

test('snapshots that do not advance while events flow, or never came', async () => {
  const stale: Flow = { events: [300, 200, 90, 5], view: { rows: 4, newestSecondsAgo: 5 }, table: { rows: 1, committedSecondsAgo: 250 } };
  const [found] = await look('table-commits', stale);
  expect(found?.title).toMatch(/no Iceberg table gets a new snapshot/);
  expect(found?.cause).toBe('leaderboard was last committed to 4 min ago, and 2 events came since');
  const [never] = await look('table-commits', { ...stale, table: { rows: 0 } });
  expect(never?.cause).toMatch(/leaderboard was never committed to, and 3 events came since/);
});

test('so many files that reading takes minutes are a warning', async () => {
  expect(check('table-files').severity).toBe('warning');
  expect(await look('table-files', { table: { rows: 5, committedSecondsAgo: 9, files: 20_000 } })).toEqual([]);
  const [found] = await look('table-files', { table: { rows: 50_000, committedSecondsAgo: 9, files: 20_001 } });
  expect(found?.cause).toBe('leaderboard has 20001 files for 50000 rows, last commit 9 s ago');
});

test('events get two commits and some time to spare, and never less than they need anyway', () => {
  const patience = (components: object, engine: 'flink' | 'risingwave', least = 60_000): number =>
    patienceMs({ engine, config: configSchema.parse({ components }) }, least);
  expect(patience({}, 'flink')).toBe(60_000);
  expect(patience({}, 'flink', 30_000)).toBe(30_000);
  expect(patience({}, 'risingwave')).toBe(60_000);
  expect(patience({ risingwave: { commitInterval: 3600 } }, 'risingwave')).toBe(7_230_000);
  expect(patience({ risingwave: { commitInterval: 3600 } }, 'flink')).toBe(60_000);
  const everyHalf = (interval: string): number => patience({ flink: { checkpointInterval: interval } }, 'flink');
  expect(['500ms', '90.5s', '10m', '1h'].map(everyHalf)).toEqual([60_000, 211_000, 1_230_000, 7_230_000]);
  // What is far beyond any timer is a day.
  expect(everyHalf('99999h')).toBe(2 * 86_400_000 + 30_000);
});

test('distances between offsets: records that were deleted, and partitions that are new, count as they are', () => {
  const lows = new Map([
    [0, 100n],
    [1, 0n],
  ]);
  const ends = new Map([
    [0, 150n],
    [1, 7n],
  ]);
  expect(between(new Map([[0, 10n]]), ends, lows)).toBe(57);
  expect(between(new Map([[0, 200n]]), ends, lows)).toBe(7);
});
