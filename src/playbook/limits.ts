import { ExitCode, ForgeError } from '../errors.js';

export interface Limits {
  /** Ctrl-C of the whole run. */
  signal: AbortSignal;
  seconds: number;
  /** How long work that was told to stop may take to do so, before it is left behind. */
  graceMs: number;
}

/**
 * Runs `work` with a signal of its own, which the run's signal and the time-out abort. What `work` gives or throws is passed
 * on as it is, unless it was told to stop: then an interruption is `INTERRUPTED`, and too long is what `timedOut` makes of it.
 */
export async function withLimits<T>(
  limits: Limits,
  timedOut: (elapsedSeconds: number, cause: unknown) => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(TIMED_OUT), limits.seconds * 1000);
  const onInterrupt = (): void => stop.abort(INTERRUPTED);
  limits.signal.addEventListener('abort', onInterrupt, { once: true });
  if (limits.signal.aborted) onInterrupt();
  const leftBehind = leaveBehind(stop.signal, limits.graceMs);
  try {
    return await Promise.race([work(stop.signal), leftBehind.promise]);
  } catch (error) {
    if (stop.signal.reason === TIMED_OUT) throw timedOut((performance.now() - started) / 1000, error);
    if (stop.signal.aborted) throw interruption(limits.signal);
    throw error;
  } finally {
    clearTimeout(timer);
    leftBehind.clear();
    limits.signal.removeEventListener('abort', onInterrupt);
  }
}

const TIMED_OUT = new Error('the time is up');
const INTERRUPTED = new Error('interrupted');

/** What an aborted run throws: the reason that was given with the abort, where that says how to exit. */
export function interruption(signal: AbortSignal): ForgeError {
  if (signal.reason instanceof ForgeError) return signal.reason;
  return new ForgeError({
    code: 'INTERRUPTED',
    message: 'Interrupted; what was under way has ended, nothing more was started',
    hint: 'Run the same command again: it takes up where this one stopped',
    exitCode: ExitCode.interrupted,
  });
}

/** Rejects when the signal was aborted and `graceMs` went by since. */
function leaveBehind(signal: AbortSignal, graceMs: number): { promise: Promise<never>; clear: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    const wait = (): void => {
      timer = setTimeout(() => reject(signal.reason as Error), graceMs);
    };
    if (signal.aborted) wait();
    else signal.addEventListener('abort', wait, { once: true });
  });
  promise.catch(() => undefined);
  return { promise, clear: () => clearTimeout(timer) };
}
