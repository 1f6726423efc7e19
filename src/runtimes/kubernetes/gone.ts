import { followObjects, type KubeClient, type KubeObject, type KubeQuery } from '../../clients/kubernetes.js';

/** Waits by a watch until no object that matters is left; what is still there after a while is given back. */
export async function whenNone<T extends KubeObject>(
  client: KubeClient,
  query: KubeQuery,
  matters: (object: T) => boolean,
  { signal, patienceMs }: { signal: AbortSignal; patienceMs: number },
): Promise<T[]> {
  const done = new AbortController();
  const limit = AbortSignal.timeout(patienceMs);
  let left: T[] = [];
  try {
    await followObjects<T>(client, query, { signal: AbortSignal.any([signal, limit, done.signal]) }, (items) => {
      left = items.filter((item) => matters(item));
      if (left.length === 0) done.abort();
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!done.signal.aborted && !limit.aborted) throw error;
  }
  return left;
}
