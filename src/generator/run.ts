import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaProducer, KafkaRecord } from '../clients/kafka-produce.js';
import { type ForgeError, serverError } from '../errors.js';
import { balloonGame, type BalloonPop } from './balloon-popper.js';

export interface GenerateEventsOptions {
  /** host:port, several separated by commas. */
  bootstrapServers: string;
  topic: string;
  /** Default 10. */
  players?: number | undefined;
  /** Default 0.15. */
  bonusProbability?: number | undefined;
  /** Events per second; `max` takes what the broker takes. Default 10, or `max` when only `count` is given. */
  rate?: number | 'max' | undefined;
  /** Ends after so many seconds; without it and `count` only the signal ends it. */
  durationSeconds?: number | undefined;
  /** Ends after so many events. */
  count?: number | undefined;
  /** 0 to 2^32 - 1; random when not given. */
  seed?: number | undefined;
  /** Ends the run cleanly: what was sent is waited for and counted. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: GeneratorProgress) => void) | undefined;
}

export interface PlayerTotals {
  events: number;
  score: number;
  bonus: number;
}

export interface GenerateEventsResult {
  /** Events handed to the producer. */
  sent: number;
  /** Events that the broker has confirmed; scores and players count these. */
  acknowledged: number;
  totalScore: number;
  byPlayer: Record<string, PlayerTotals>;
  seconds: number;
  eventsPerSecond: number;
}

export interface GeneratorProgress {
  acknowledged: number;
  totalScore: number;
  seconds: number;
  /** Over the last second or so. */
  eventsPerSecond: number;
}

/** Keeps a batch below Kafka's default of 1 MiB. */
const BATCH = 4_000;
/** Batches are at least this far apart when the rate is limited, so that high rates do not mean tiny requests. */
const LINGER_MS = 10;
/** After an interruption, how long to wait for what is on its way. */
const GRACE_MS = 5_000;
const PROGRESS_MS = 250;
const OVERTIME_SECONDS = 0.25;

/** How many events a run sends in all; Infinity when only the clock or the signal ends it. */
export function eventLimit(rate: number | 'max', durationSeconds?: number, count?: number): number {
  // An event at 0, 1/rate, 2/rate, … below the duration; the small number takes away rounding (0.1 × 30 is a bit more than 3).
  const byTime = durationSeconds === undefined || rate === 'max' ? Infinity : Math.max(1, Math.ceil(rate * durationSeconds - 1e-6));
  return Math.min(byTime, count ?? Infinity);
}

function tally() {
  const byPlayer = new Map<string, PlayerTotals>();
  let acknowledged = 0;
  let totalScore = 0;
  return {
    add(pops: BalloonPop[]) {
      for (const { player, score, favorite_color_bonus } of pops) {
        let totals = byPlayer.get(player);
        if (totals === undefined) byPlayer.set(player, (totals = { events: 0, score: 0, bonus: 0 }));
        totals.events++;
        totals.score += score;
        if (favorite_color_bonus) totals.bonus++;
        totalScore += score;
      }
      acknowledged += pops.length;
    },
    get acknowledged() {
      return acknowledged;
    },
    get totalScore() {
      return totalScore;
    },
    /** The best first. */
    players: () => Object.fromEntries([...byPlayer].sort(([, a], [, b]) => b.score - a.score)),
  };
}

/** The events of one batch as records, all with the time of now. */
export function toRecords(pops: BalloonPop[], now = new Date()): KafkaRecord[] {
  const event_ts = now.toISOString();
  return pops.map((pop) => ({ key: pop.player, value: JSON.stringify({ ...pop, event_ts }) }));
}

/** Reports what happened since about a second ago, a few times per second. */
function watchProgress(state: ReturnType<typeof tally>, started: number, report: GenerateEventsOptions['onProgress']): () => void {
  if (report === undefined) return () => {};
  const seen: { at: number; acknowledged: number }[] = [{ at: started, acknowledged: 0 }];
  const timer = setInterval(() => {
    const at = performance.now();
    const { acknowledged, totalScore } = state;
    seen.push({ at, acknowledged });
    if (seen.length > 1_000 / PROGRESS_MS + 1) seen.shift();
    const first = seen[0] as (typeof seen)[number];
    const eventsPerSecond = ((acknowledged - first.acknowledged) * 1_000) / (at - first.at);
    report({ acknowledged, totalScore, seconds: (at - started) / 1_000, eventsPerSecond });
  }, PROGRESS_MS);
  return () => clearInterval(timer);
}

/** Draws, paces and sends; returns how many events were handed over and how the last batch failed, if it did. */
async function play(producer: KafkaProducer, options: GenerateEventsOptions, state: ReturnType<typeof tally>) {
  const { signal, durationSeconds, count } = options;
  const rate = options.rate ?? (count !== undefined && durationSeconds === undefined ? 'max' : 10);
  const limit = eventLimit(rate, durationSeconds, count);
  const next = balloonGame({
    players: options.players ?? 10,
    bonusProbability: options.bonusProbability ?? 0.15,
    seed: options.seed ?? randomInt(2 ** 32),
  });
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1_000;
  let sent = 0;
  let failure: unknown;
  let flight: Promise<void> | undefined;

  // With a rate the number of events ends the run; the clock only when the broker cannot keep up.
  const end = (durationSeconds ?? Infinity) + (rate === 'max' ? 0 : OVERTIME_SECONDS);
  const isOver = () => signal?.aborted || failure !== undefined || sent >= limit || elapsed() >= end;
  const due = () => (rate === 'max' ? BATCH : Math.floor(rate * elapsed()) + 1 - sent);

  while (!isOver()) {
    const size = Math.min(due(), limit - sent, BATCH);
    if (size <= 0) {
      const pause = Math.max(LINGER_MS, Math.min((sent / Number(rate) - elapsed()) * 1_000, PROGRESS_MS));
      await delay(pause, undefined, { signal }).catch(() => {});
      continue;
    }
    const pops = Array.from({ length: size }, next);
    const records = toRecords(pops);
    await flight;
    if (isOver()) break;
    sent += size;
    flight = producer.send(records).then(
      () => state.add(pops),
      (error: unknown) => void (failure = error),
    );
    // Lets the request leave before the next batch is drawn: the broker and this process then work at the same time.
    await new Promise(setImmediate);
    if (rate !== 'max') await flight;
  }
  await flight;
  return { sent, failure, seconds: elapsed() };
}

/**
 * Sends simulated events until the count, the duration or the signal ends it. A broker that cannot be reached at the start and
 * a missing topic are thrown; one that is lost on the way is returned as `failure` beside the exact counts.
 */
export async function runGenerator(options: GenerateEventsOptions): Promise<{ result: GenerateEventsResult; failure?: ForgeError }> {
  const { signal, bootstrapServers, topic } = options;
  const { connectProducer } = await import('../clients/kafka-produce.js');
  signal?.throwIfAborted();
  // The signal only ends the drawing of new events; the connection follows it at once before the start, and with patience after it.
  const hard = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let grace = 0;
  const onAbort = () => (timer = setTimeout(() => hard.abort(signal?.reason), grace));
  signal?.addEventListener('abort', onAbort, { once: true });
  let stopProgress = () => {};
  let producer: KafkaProducer | undefined;
  try {
    producer = await connectProducer(bootstrapServers, topic, { signal: hard.signal });
    grace = GRACE_MS;
    const state = tally();
    stopProgress = watchProgress(state, performance.now(), options.onProgress);
    const { sent, failure, seconds } = await play(producer, options, state);
    const { acknowledged, totalScore } = state;
    const result: GenerateEventsResult = {
      sent,
      acknowledged,
      totalScore,
      byPlayer: state.players(),
      seconds: Math.round(seconds * 1_000) / 1_000,
      eventsPerSecond: seconds > 0 ? Math.round((acknowledged / seconds) * 10) / 10 : 0,
    };
    return failure === undefined ? { result } : { result, failure: lost(failure, result, bootstrapServers) };
  } finally {
    clearTimeout(timer);
    stopProgress();
    signal?.removeEventListener('abort', onAbort);
    await producer?.close();
  }
}

function lost(error: unknown, { sent, acknowledged }: GenerateEventsResult, bootstrap: string): ForgeError {
  const why = error instanceof Error ? error.message : String(error);
  return serverError({
    code: 'EVENTS_LOST',
    message: `Kafka on ${bootstrap} was lost: ${acknowledged} of ${sent} events are acknowledged, of the other ${sent - acknowledged} nothing is known. ${why}`,
    hint: 'See `forge status` and `forge logs kafka`',
    cause: error,
  });
}

/** Like `runGenerator`, but throws the failure. */
export async function generateEvents(options: GenerateEventsOptions): Promise<GenerateEventsResult> {
  const { result, failure } = await runGenerator(options);
  if (failure !== undefined) throw failure;
  return result;
}
