import { quoteIdentifier, quoteLiteral } from '../clients/postgresql.js';
import { PROBE_PREFIX } from '../doctor/probe.js';
import { withViews } from '../doctor/pipeline.js';
import type { Proof } from '../doctor/verify.js';
import { generateEvents, type GenerateEventsResult, type GeneratorProgress } from '../generator/run.js';
import type { StackContext } from '../workspace/context.js';
import { runtimeOf } from './runtime.js';
import { expectEvents, prove } from './verify.js';

export interface Played {
  events: GenerateEventsResult;
  leaderboard: { player: string; score: number; bonusPops: number }[];
  verify: Proof;
}

const SHOWN = 10;
/** A first checkpoint on a slow machine takes its time. */
const PATIENCE_MS = 90_000;

export interface PlayOptions {
  seconds: number;
  signal: AbortSignal;
  live: (text: string) => void;
}

/** Plays simulated players, waits until their events are in every view and table, and gives the proof and the leaderboard. */
export async function playAndProve(stack: StackContext, options: PlayOptions): Promise<Played> {
  const runtime = await runtimeOf(stack.runtime);
  return runtime.withAccess(stack, options.signal, () => play(stack, options));
}

async function play(stack: StackContext, { seconds, signal, live }: PlayOptions): Promise<Played> {
  const expectedAfter = await expectEvents(stack, signal);
  const events = await generateEvents({
    bootstrapServers: stack.endpoints['kafka']!.url,
    topic: stack.config.topic.name,
    durationSeconds: seconds,
    rate: 50,
    signal,
    onProgress: (progress) => live(playing(progress, seconds)),
  });
  signal.throwIfAborted();
  // A game shorter than a window and its watermark closes none: then only the running totals can be waited for.
  const windows = seconds >= 20;
  const wait = { windows, expected: expectedAfter(events), patienceMs: PATIENCE_MS };
  const verify = await prove(stack, { probe: false, wait, signal, progress: live });
  return { events, leaderboard: await leaderboard(stack, signal), verify };
}

/** How far the game is, of so many seconds. */
export const playing = ({ acknowledged, seconds, totalScore }: Omit<GeneratorProgress, 'eventsPerSecond'>, all: number): string =>
  `Playing: ${acknowledged} events in ${seconds.toFixed(0)} of ${all} s, total score ${totalScore}`;

async function leaderboard(stack: StackContext, signal: AbortSignal): Promise<Played['leaderboard']> {
  const rows = await withViews(
    stack,
    stack.config.views.database,
    (client) =>
      client.query<{ player: string; total_score: string; bonus_hits: string }>(
        `SELECT player, total_score, bonus_hits FROM ${quoteIdentifier('mv_leaderboard')} WHERE NOT starts_with(player, ${quoteLiteral(PROBE_PREFIX)}) ORDER BY total_score DESC, player LIMIT ${SHOWN}`,
      ),
    signal,
  );
  return rows.map(({ player, total_score, bonus_hits }) => ({ player, score: Number(total_score), bonusPops: Number(bonus_hits) }));
}
