import { parseBootstrap } from '../clients/kafka-link.js';
import { usageError, type ForgeError } from '../errors.js';

/** Events that one run may send; above it a typing error is more likely than a wish. */
const MAX_COUNT = 1_000_000_000;
const MAX_RATE = 1_000_000;
const MAX_PLAYERS = 10_000;
const MAX_DURATION_SECONDS = 7 * 24 * 3600;
const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };

const bad = (flag: string, expected: string, text: string, example: string): ForgeError =>
  usageError({ code: 'BAD_FLAG', message: `${flag}: expected ${expected}, not "${text}"`, hint: `For example ${flag} ${example}` });

function decimal(text: string): number {
  return /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text.trim()) ? Number(text) : NaN;
}

/** A whole number within bounds, or a usage error that names the flag. */
export function parseWhole(flag: string, text: string, min: number, max: number, example: string): number {
  const value = decimal(text);
  if (!Number.isInteger(value) || value < min || value > max) throw bad(flag, `a whole number from ${min} to ${max}`, text, example);
  return value;
}

/** Events per second, or `max` for as many as the broker takes. */
export function parseRate(text: string, flag = '--rate'): number | 'max' {
  if (text.trim().toLowerCase() === 'max') return 'max';
  const value = decimal(text);
  if (!(value > 0 && value <= MAX_RATE)) throw bad(flag, `events per second (above 0, up to ${MAX_RATE}) or max`, text, '100');
  return value;
}

/** Seconds between two events, as the original demo has it, as a rate. */
export function parseDelay(text: string, flag = '--delay'): number | 'max' {
  const value = decimal(text);
  if (!(value >= 0 && value <= 86_400)) throw bad(flag, 'seconds between two events (0 to 86400)', text, '0.5');
  return value === 0 ? 'max' : Math.min(1 / value, MAX_RATE);
}

export function parseProbability(flag: string, text: string): number {
  const value = decimal(text);
  if (!(value >= 0 && value <= 1)) throw bad(flag, 'a chance from 0 to 1', text, '0.15');
  return value;
}

/** `500ms`, `30s`, `5m`, `1h` in seconds. */
export function parseDuration(flag: string, text: string): number {
  const found = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)$/.exec(text.trim());
  const seconds = Number(found?.[1]) * (UNITS[found?.[2] ?? ''] ?? NaN);
  if (!(seconds > 0 && seconds <= MAX_DURATION_SECONDS))
    throw bad(flag, 'a duration such as 500ms, 30s, 5m or 1h (at most 168h)', text, '30s');
  return seconds;
}

/** A topic's name as Kafka takes it. */
export function parseTopic(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(text) || text === '.' || text === '..')
    throw bad('--topic', 'letters, digits, dots, underscores and hyphens (at most 249)', text, 'balloon-game');
  return text;
}

/** The flags of `generate events` as they were written. */
export interface GeneratorFlags {
  players?: string | undefined;
  'bonus-probability'?: string | undefined;
  rate?: string | undefined;
  delay?: string | undefined;
  duration?: string | undefined;
  count?: string | undefined;
  seed?: string | undefined;
  topic?: string | undefined;
  'bootstrap-servers'?: string | undefined;
}

const given = <T>(text: string | undefined, parse: (text: string) => T): T | undefined => (text === undefined ? undefined : parse(text));

/** All flags, checked; the first bad one is a usage error that names it. */
export function readOptions(flags: GeneratorFlags) {
  return {
    players: given(flags.players, (text) => parseWhole('--players', text, 1, MAX_PLAYERS, '10')),
    bonusProbability: given(flags['bonus-probability'], (text) => parseProbability('--bonus-probability', text)),
    rate: given(flags.rate, parseRate) ?? given(flags.delay, parseDelay),
    durationSeconds: given(flags.duration, (text) => parseDuration('--duration', text)),
    count: given(flags.count, (text) => parseWhole('--count', text, 1, MAX_COUNT, '20000')),
    seed: given(flags.seed, (text) => parseWhole('--seed', text, 0, 2 ** 32 - 1, '7')),
    topic: given(flags.topic, parseTopic),
    bootstrapServers: given(flags['bootstrap-servers'], (text) => parseBootstrap(text).join(',')),
  };
}
