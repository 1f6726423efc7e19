import type { StackContext } from '../workspace/context.js';

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Timers go no further than some weeks. */
const MOST_MS = 24 * 3_600_000;

/** Time between two commits to the Iceberg tables, as the settings have it. */
function commitIntervalMs({ engine, config: { components } }: Pick<StackContext, 'engine' | 'config'>): number {
  if (engine === 'risingwave') return components.risingwave.commitInterval * 1000;
  const [, amount = '', unit = ''] = /^([\d.]+)(\D+)$/.exec(components.flink.checkpointInterval) ?? [];
  return Math.min(Number(amount) * (UNIT_MS[unit] ?? 1), MOST_MS);
}

/**
 * How long an event may be under way before that means anything: `least` is enough for what commits every few seconds; else it is
 * the one commit that the event has just missed, the next one, and time to spare.
 */
export const patienceMs = (stack: Pick<StackContext, 'engine' | 'config'>, least: number): number =>
  Math.max(least, 2 * commitIntervalMs(stack) + least / 2);
