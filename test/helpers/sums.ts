import { expect } from 'vitest';
import type { EnvResult, GenerateEventsResult, UpResult } from '../../src/cli/schemas.js';
import { readTopic } from '../../src/clients/kafka-read.js';
import type { Sandbox } from './forge.js';
import { leaderboardOf, rows, sumOfTopic, waitFor } from './lake.js';

export type Totals = Record<string, number>;

export const changedOf = (result: UpResult): string[] => result.tasks.filter(({ status }) => status === 'changed').map(({ id }) => id);

export const messageOf = (result: UpResult, id: string): string => result.tasks.find((task) => task.id === id)?.message ?? '';

/** Plays simulated players on the sandbox's stack; everything has to be acknowledged. */
export const play = (box: Sandbox, count: number): Promise<GenerateEventsResult> =>
  box.ok<GenerateEventsResult>(['generate', 'events', '--count', String(count)]);

/** The score by player in mv_leaderboard. */
export async function viewTotals(env: EnvResult): Promise<Totals> {
  const found = await rows(env, "SELECT player, total_score FROM mv_leaderboard WHERE NOT starts_with(player, 'forge-probe-')");
  return Object.fromEntries(found.map(({ player, total_score }) => [String(player), Number(total_score)]));
}

/** The number of events by player in the topic. */
export async function eventsOfTopic(env: EnvResult): Promise<Totals> {
  const counts: Totals = {};
  await readTopic(env.KAFKA_BOOTSTRAP_SERVERS, 'balloon-game', {
    onMessage: ({ key }) => {
      const player = String(key);
      counts[player] = (counts[player] ?? 0) + 1;
    },
  });
  return counts;
}

export const sumOf = (totals: Totals): number => Object.values(totals).reduce((sum, value) => sum + value, 0);

/** Kafka, the view and the newest rows of the Iceberg leaderboard agree player by player, and there is something to agree on. */
export async function expectAgreement(box: Sandbox, why: string): Promise<Totals> {
  const env = await box.ok<EnvResult>(['env']);
  const inKafka = await sumOfTopic(env);
  expect(sumOf(inKafka), why).toBeGreaterThan(0);
  await waitFor(async () => expect(await viewTotals(env), `${why}: mv_leaderboard`).toEqual(inKafka), 180_000);
  await waitFor(async () => expect(await leaderboardOf(env), `${why}: Iceberg leaderboard`).toEqual(inKafka), 180_000);
  return inKafka;
}
