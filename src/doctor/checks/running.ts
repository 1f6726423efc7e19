import { Behind, type StackPlace } from '../check.js';
import { requireServing } from './servers/unwell.js';

/** Throws when one of these servers is known not to serve: that is a finding of its own, and nothing can be told beyond it. */
export async function requireRunning(place: StackPlace, ...components: string[]): Promise<void> {
  for (const component of components) await requireServing(place, component);
}

/**
 * Throws when a task of these modules is not as it should be, which the check named beside tells. For checks that begin to look while
 * the tasks are still being observed, so that the whole takes no longer than that.
 */
export async function requireInSync(place: StackPlace, tellers: Readonly<Record<string, string>>): Promise<void> {
  for (const { id, module, state, message } of await place.tasks()) {
    const teller = tellers[module];
    if (teller !== undefined && state !== 'ok')
      throw new Behind(teller, `needs ${id}, which is ${state}${message === '' ? '' : ` (${message})`}`);
  }
}

/** `12 s`, `4 min`, `3 h`: how long something is ago, or lasts. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** `1 event`, `3 events`. */
export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
