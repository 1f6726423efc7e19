import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { isKubeError, isPassing, refusedError } from './kubernetes-error.js';
import type { KubeClient } from './kubernetes-client.js';
import type { KubeList, KubeObject, KubeQuery, WatchEvent } from './kubernetes-types.js';

/** Watches have hung, so silence ends one: the list that follows shows what was missed, in time for whoever waits. */
const IDLE_MS = 4_000;
/** For how long a server that fails may be asked again and again. */
const PATIENCE_MS = 15_000;

export interface FollowOptions {
  signal: AbortSignal;
  idleMs?: number;
  patienceMs?: number;
}

/**
 * Keeps a list up to date and tells every state of it: lists, watches from there, and lists anew when the watch ends, is silent
 * for too long or its place in the history is forgotten. Ends by the signal (which it throws) or by an error that does not pass.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names the shape
export async function followObjects<T extends KubeObject>(
  client: Pick<KubeClient, 'list' | 'watch'>,
  query: KubeQuery,
  { signal, idleMs = IDLE_MS, patienceMs = PATIENCE_MS }: FollowOptions,
  onChange: (items: readonly T[]) => void,
): Promise<never> {
  let answered = performance.now();
  let failures = 0;
  // After a watch that ended oddly the kept connections may be dead too.
  let fresh = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      const { items, resourceVersion } = await client.list<T>(query, { signal, fresh });
      answered = performance.now();
      failures = 0;
      fresh = true;
      const state = new Map(items.map((item) => [keyOf(item), item]));
      onChange([...state.values()]);
      for await (const { type, object } of client.watch<T>(query, { resourceVersion, idleMs, signal })) {
        if (type === 'BOOKMARK') continue;
        if (type === 'DELETED') state.delete(keyOf(object));
        else state.set(keyOf(object), object);
        onChange([...state.values()]);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isKubeError(error, 410)) continue;
      if (!isPassing(error) || performance.now() - answered > patienceMs) throw error;
      await delay(Math.min(100 * 2 ** failures++, 2_000), undefined, { signal }).catch(() => undefined);
    }
  }
}

const keyOf = ({ metadata: { uid, namespace, name } }: KubeObject): string => uid ?? `${namespace ?? ''}/${name}`;

/** The lines of an answer that goes on; ends with it, or when nothing came for `idleMs`. */
export async function* linesOf(response: IncomingMessage, idleMs = Infinity): AsyncGenerator<string> {
  let rest = '';
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    clearTimeout(timer);
    if (Number.isFinite(idleMs)) timer = setTimeout(() => response.destroy(), idleMs);
  };
  response.setEncoding('utf8');
  arm();
  try {
    for await (const part of response) {
      arm();
      const lines = (rest + String(part)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
      arm();
    }
    if (rest !== '') yield rest;
  } catch (error) {
    // A stream that breaks off has ended; whoever reads it asks again.
    if ((error as NodeJS.ErrnoException).name === 'AbortError') throw error;
  } finally {
    clearTimeout(timer);
    response.destroy();
  }
}

/** The events of a watch. One that says that its place is forgotten is thrown (410). */
export async function* watchEvents<T extends KubeObject>(
  server: string,
  response: IncomingMessage,
  idleMs: number,
): AsyncGenerator<WatchEvent<T>> {
  for await (const line of linesOf(response, idleMs)) {
    const event = eventOf<T>(line);
    if (event === undefined) return;
    if ('status' in event) throw refusedError(server, 'a watch', event.status, JSON.stringify(event.said));
    yield event;
  }
}

/** Undefined for a line that broke off. */
function eventOf<T>(line: string): WatchEvent<T> | { status: number; said: unknown } | undefined {
  try {
    const { type, object } = JSON.parse(line) as { type: WatchEvent<T>['type'] | 'ERROR'; object: T };
    return type === 'ERROR' ? { status: (object as { code?: number }).code ?? 500, said: object } : { type, object };
  } catch {
    return undefined;
  }
}

/** A list in pages of 500. */
export async function listPages<T>(
  page: (query: Record<string, string | number>) => Promise<{ items?: T[]; metadata?: { resourceVersion?: string; continue?: string } }>,
): Promise<KubeList<T>> {
  const items: T[] = [];
  for (let token: string | undefined; ;) {
    const answer = await page({ limit: 500, ...(token === undefined ? {} : { continue: token }) });
    items.push(...(answer.items ?? []));
    token = answer.metadata?.continue;
    if (token === undefined || token === '') return { items, resourceVersion: answer.metadata?.resourceVersion ?? '' };
  }
}
