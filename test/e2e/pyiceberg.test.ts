import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnvResult } from '../../src/cli/schemas.js';
import { sandbox, type Sandbox } from '../helpers/forge.js';
import { sumOfTopic, waitFor } from '../helpers/lake.js';
import { pyicebergPython, readLake, type LakeSeen } from '../helpers/pyiceberg.js';

const text = (name: string): string => `${name} string required`;
const long = (name: string): string => `${name} long required`;
const time = (name: string): string => `${name} timestamptz required`;

/** The tables as the Balloon Popper demo has them. */
const EXPECTED = {
  leaderboard: {
    fields: [text('player'), long('total_score'), long('bonus_hits'), time('event_ts')],
    partition: ['day(event_ts)', 'identity(player)'],
    sort: ['identity(total_score) desc', 'identity(bonus_hits) desc'],
  },
  balloon_color_stats: {
    fields: [text('player'), text('balloon_color'), long('balloon_pops'), long('points_by_color'), long('bonus_hits'), time('event_ts')],
    partition: ['day(event_ts)', 'identity(balloon_color)', 'identity(player)'],
    sort: ['identity(points_by_color) desc', 'identity(balloon_pops) desc'],
  },
  realtime_scores: {
    fields: [text('player'), long('total_score'), time('window_start'), time('window_end')],
    partition: ['hour(window_start)'],
    sort: [],
  },
  balloon_colored_pops: {
    fields: [
      text('player'),
      text('balloon_color'),
      long('balloon_pops'),
      long('points_by_color'),
      long('bonus_hits'),
      time('window_start'),
      time('window_end'),
    ],
    partition: ['hour(window_start)', 'identity(player)'],
    sort: ['identity(balloon_color) asc'],
  },
  color_performance_trends: {
    fields: [
      text('balloon_color'),
      'avg_score_per_pop decimal(28, 10) required',
      long('total_pops'),
      time('window_start'),
      time('window_end'),
    ],
    partition: ['hour(window_start)', 'identity(balloon_color)'],
    sort: ['identity(balloon_color) asc'],
  },
};

let box: Sandbox;
let python: string;
const home = mkdtempSync(join(tmpdir(), 'forge-pyiceberg-'));

beforeAll(async () => {
  python = await pyicebergPython();
  box = await sandbox();
  await box.ok(['up', '--events', '30s', '--catalog', 'iceberg-rest']);
  const { stdout, code } = await box.forge(['env', '--shell', 'pyiceberg']);
  expect(code).toBe(0);
  writeFileSync(join(home, '.pyiceberg.yaml'), stdout, { mode: 0o600 });
});
afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await box.remove();
});

const read = async (): Promise<LakeSeen> => {
  const { ICEBERG_NAMESPACE } = await box.ok<EnvResult>(['env']);
  return readLake(python, home, String(ICEBERG_NAMESPACE));
};

test('PyIceberg reads rows from all five tables, and they are those of the demo', async () => {
  const { tables } = await read();
  expect(Object.keys(tables).sort()).toEqual(Object.keys(EXPECTED).sort());
  for (const [name, expected] of Object.entries(EXPECTED)) {
    expect(tables[name], name).toMatchObject({ formatVersion: 2, ...expected });
    expect(tables[name]!.rows, name).toBeGreaterThan(0);
  }
});

test('the newest rows of the leaderboard are the scores in Kafka, player by player', async () => {
  const inKafka = await sumOfTopic(await box.ok<EnvResult>(['env']));
  expect(Object.keys(inKafka).length).toBeGreaterThan(0);
  await waitFor(async () => expect((await read()).totals).toEqual(inKafka));
});
