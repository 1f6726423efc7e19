import { setTimeout as delay } from 'node:timers/promises';
import { unlessAborted } from '../../clients/wait.js';
import type { StackContext } from '../../workspace/context.js';

/** Time in which the tasks of one run come to ask. */
const GATHER_MS = 20;

/** How to ask for what this stack has: `doctor` only looks. */
export const lookingAt = ({ orders }: Pick<StackContext, 'orders'>, signal?: AbortSignal): AskOptions => ({
  signal,
  underWay: orders?.glance === true,
});

interface Asked<T> {
  answer: Promise<T>;
  askers: number;
  /** For when nobody waits for it any more. */
  end: AbortController;
}

export interface AskOptions {
  signal?: AbortSignal | undefined;
  /** For who changes nothing: an answer that is under way will do. */
  underWay?: boolean;
}

/**
 * Questions that cost a program each, and that many parts of a command ask at the same time: asked once for all who come before
 * it is begun. One that is under way may miss what was changed meanwhile, and is not given to those who come later.
 */
export class Gathered<T> {
  readonly #asked = new Map<string, Asked<T>>();
  readonly #underWay = new Map<string, Asked<T>>();

  /** The answer to `read`; `key` tells what is asked. An aborted signal throws its reason. */
  async ask(key: string, read: (signal: AbortSignal) => Promise<T>, { signal, underWay = false }: AskOptions = {}): Promise<T> {
    signal?.throwIfAborted();
    const asked = this.#asked.get(key) ?? (underWay ? this.#underWay.get(key) : undefined) ?? this.#begin(key, read);
    asked.askers++;
    try {
      return await unlessAborted(asked.answer, signal);
    } finally {
      if (--asked.askers === 0) {
        this.#forget(key, asked);
        asked.end.abort();
      }
    }
  }

  #begin(key: string, read: (signal: AbortSignal) => Promise<T>): Asked<T> {
    const end = new AbortController();
    const asked: Asked<T> = {
      end,
      askers: 0,
      answer: delay(GATHER_MS).then(async () => {
        end.signal.throwIfAborted();
        this.#asked.delete(key);
        this.#underWay.set(key, asked);
        try {
          return await read(end.signal);
        } finally {
          this.#forget(key, asked);
        }
      }),
    };
    asked.answer.catch(() => undefined);
    this.#asked.set(key, asked);
    return asked;
  }

  #forget(key: string, asked: Asked<T>): void {
    for (const kept of [this.#asked, this.#underWay]) if (kept.get(key) === asked) kept.delete(key);
  }
}
