import { quoteIdentifier } from '../clients/postgresql.js';
import { PROBE_PREFIX } from '../doctor/probe.js';
import { withViews } from '../doctor/pipeline.js';
import type { Proof } from '../doctor/verify.js';
import { generateEvents, type GenerateEventsResult } from '../generator/run.js';
import type { StackContext } from '../workspace/context.js';
import { runningTotals, verifyStack } from './verify.js';

export interface Played {
  events: GenerateEventsResult;
  leaderboard: { player: string; score: number; bonusPops: number }[];
  verify: Proof;
}

const SHOWN = 10;
/** A first checkpoint on a slow machine takes its time. */
const PATIENCE_MS = 90_000;

/** Plays simulated players, waits until their events are in every view and table, and gives the proof and the leaderboard. */
export async function playAndProve(
  stack: StackContext,
  options: { seconds: number; signal: AbortSignal; live: (text: string) => void },
): Promise<Played> {
  const { signal, live } = options;
  const before = await runningTotals(stack, signal);
  const events = await generateEvents({
    bootstrapServers: stack.endpoints['kafka']!.url,
    topic: stack.config.topic.name,
    durationSeconds: options.seconds,
    rate: 50,
    signal,
    onProgress: ({ acknowledged, seconds, totalScore }) =>
      live(`Playing: ${acknowledged} events in ${seconds.toFixed(0)} of ${options.seconds} s, total score ${totalScore}`),
  });
  signal.throwIfAborted();
  // A game shorter than a window and its watermark closes none: then only the running totals can be waited for.
  const windows = options.seconds >= 20;
  const minimumRows = Object.fromEntries(Object.entries(before).map(([name, rows]) => [name, rows + events.acknowledged]));
  const wait = { windows, minimumRows, patienceMs: PATIENCE_MS };
  const verify = await verifyStack(stack, { probe: false, wait, signal, progress: live });
  return { events, leaderboard: await leaderboard(stack, signal), verify };
}

async function leaderboard(stack: StackContext, signal: AbortSignal): Promise<Played['leaderboard']> {
  const rows = await withViews(
    stack,
    stack.config.views.database,
    (client) =>
      client.query<{ player: string; total_score: string; bonus_hits: string }>(
        `SELECT player, total_score, bonus_hits FROM ${quoteIdentifier('mv_leaderboard')} WHERE NOT starts_with(player, $1) ORDER BY total_score DESC, player LIMIT ${SHOWN}`,
        [PROBE_PREFIX],
      ),
    signal,
  );
  return rows.map(({ player, total_score, bonus_hits }) => ({ player, score: Number(total_score), bonusPops: Number(bonus_hits) }));
}
