import { setTimeout as delay } from 'node:timers/promises';
import { serverError } from '../errors.js';

export interface WaitOptions {
  signal?: AbortSignal | undefined;
  /** Plain words for the error: `topic balloon-game to appear`. */
  what: string;
  /** First pause; it doubles up to 500 ms. */
  everyMs?: number;
  /** Without it the signal alone ends the wait. */
  timeoutMs?: number;
}

/**
 * Calls `check` until it gives something other than false, null or undefined, and returns that.
 * An error of `check` ends the wait at once; an aborted signal throws its reason.
 */
export async function waitUntil<T>(check: () => Promise<T | false | null | undefined>, options: WaitOptions): Promise<T> {
  const deadline = options.timeoutMs === undefined ? Infinity : performance.now() + options.timeoutMs;
  for (let pause = options.everyMs ?? 50; ; pause = Math.min(pause * 2, 500)) {
    options.signal?.throwIfAborted();
    const value = await check();
    if (value !== false && value !== null && value !== undefined) return value;
    if (performance.now() + pause > deadline)
      throw serverError({
        code: 'TIMED_OUT',
        message: `Waited ${(options.timeoutMs ?? 0) / 1000} s for ${options.what}, in vain`,
        hint: '`forge doctor` says what is wrong; `forge logs` shows what the servers say',
      });
    await delay(pause, undefined, { signal: options.signal }).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      throw error;
    });
  }
}

/** The outcome of some work, or the signal's reason as soon as it is aborted; the work itself goes on. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
