import { unlessAborted } from './wait.js';

/** A connection on its way: closing is for one that was opened and has answered, cutting for any other. */
export interface Opening<C> {
  opened: Promise<C>;
  /** Takes leave of the server. Never rejects. */
  close(): Promise<void>;
  /** Ends it at once, whatever it is doing. */
  cut(): void;
}

interface Held<C> extends Opening<C> {
  isOpen: boolean;
  users: number;
  /** Somebody left without waiting for an answer. */
  isBusy: boolean;
}

/**
 * Connections for those who want one to the same place at the same moment: the first opens it, the others share it, the last
 * closes it. Nothing is kept for later, and what failed anybody is given to nobody who comes after.
 */
export class SharedConnections<C> {
  readonly #held = new Map<string, Held<C>>();

  /** `key` tells all that the connection depends on; without one nobody shares it. An aborted signal throws its reason, and leaves the others undisturbed. */
  async use<T>(key: string | undefined, open: () => Opening<C>, use: (connection: C) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const held = (key === undefined ? undefined : this.#held.get(key)) ?? hold(open());
    if (key !== undefined) this.#held.set(key, held);
    held.users++;
    try {
      return await unlessAborted(held.opened.then(use), signal);
    } catch (error) {
      this.#retire(key, held);
      if (signal?.aborted) held.isBusy = true;
      throw error;
    } finally {
      if (--held.users === 0) {
        this.#retire(key, held);
        if (held.isOpen && !held.isBusy) await held.close();
        else held.cut();
      }
    }
  }

  #retire(key: string | undefined, held: Held<C>): void {
    if (key !== undefined && this.#held.get(key) === held) this.#held.delete(key);
  }
}

function hold<C>(opening: Opening<C>): Held<C> {
  const held: Held<C> = { ...opening, isOpen: false, users: 0, isBusy: false };
  held.opened.then(
    () => (held.isOpen = true),
    () => undefined,
  );
  return held;
}
