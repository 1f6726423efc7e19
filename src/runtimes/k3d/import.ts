import os from 'node:os';
import { localImage, pipeImages } from '../../clients/docker-images.js';
import { inContainer } from '../../clients/docker-objects.js';
import { CTR, ensureLocal, nodeImages, type ImageWork } from './images.js';
import { nodeName } from './name.js';
import { isDigest, qualified } from './reference.js';

interface Waiting {
  reference: string;
  signal: AbortSignal;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Who waits to be brought into a cluster. */
interface Line {
  waiting: Waiting[];
  /** Those that will join in a moment, if their image is on this machine. */
  looking: number;
  streams: number;
}
const lines = new Map<string, Line>();

/** One stream keeps about two cores busy. */
const STREAMS = Math.max(1, Math.floor(os.availableParallelism() / 2));

/**
 * Brings an image into the cluster's node, pulled where this machine has none; tells whether it was. Those that are asked for
 * at the same time share streams: a stream of their own for each costs half as much again, as each brings the layers that
 * images have in common.
 */
export async function bringImage(reference: string, cluster: string, work: ImageWork): Promise<{ pulled: boolean }> {
  const { signal, progress } = work;
  signal.throwIfAborted();
  const line = lines.get(cluster) ?? { waiting: [], looking: 0, streams: 0 };
  lines.set(cluster, line);
  const join = (): Promise<void> => {
    progress(`bringing ${reference} into the cluster`);
    if (isDigest(reference)) return importByDigest(reference, cluster, signal);
    return new Promise((resolve, reject) => line.waiting.push({ reference, signal, resolve, reject }));
  };
  line.looking += 1;
  let joined: Promise<void> | undefined;
  try {
    if ((await localImage(reference, { signal })) !== undefined) joined = join();
  } finally {
    line.looking -= 1;
    pump(line, cluster);
  }
  if (joined !== undefined) return joined.then(() => ({ pulled: false }));
  const { pulled } = await ensureLocal(reference, work);
  joined = join();
  pump(line, cluster);
  return joined.then(() => ({ pulled }));
}

/** Starts streams for those that wait, evenly. */
function pump(line: Line, cluster: string): void {
  if (line.looking > 0) return;
  while (line.waiting.length > 0 && line.streams < STREAMS) {
    const batch = line.waiting.splice(0, Math.ceil(line.waiting.length / (STREAMS - line.streams)));
    line.streams += 1;
    void bringTogether(batch, cluster).finally(() => {
      line.streams -= 1;
      pump(line, cluster);
    });
  }
}

async function bringTogether(batch: Waiting[], cluster: string): Promise<void> {
  const stop = new AbortController();
  const onAbort = (): void => {
    // The others may still want theirs.
    if (batch.every(({ signal }) => signal.aborted)) stop.abort(batch[0]?.signal.reason);
  };
  for (const { signal } of batch) signal.addEventListener('abort', onAbort, { once: true });
  onAbort();
  try {
    const references = batch.map(({ reference }) => reference);
    await pipeImages(references, nodeName(cluster), '', { signal: stop.signal });
    for (const { resolve } of batch) resolve();
  } catch (error) {
    // One by one, so that only the culprit's task fails.
    if (batch.length > 1 && !stop.signal.aborted) for (const one of batch) await bringTogether([one], cluster);
    else for (const { reject } of batch) reject(error);
  } finally {
    for (const { signal } of batch) signal.removeEventListener('abort', onAbort);
  }
}

/** An archive knows no digest of a registry: the image gets a name of its content, and by that the one that pods ask for. */
async function importByDigest(reference: string, cluster: string, signal: AbortSignal): Promise<void> {
  const node = nodeName(cluster);
  const wanted = qualified(reference);
  const base = wanted.split('@')[0] ?? wanted;
  const named = async (): Promise<string[]> => [...(await nodeImages(cluster, { signal }))].filter((name) => name.startsWith(`${base}@`));
  const before = new Set(await named());
  await pipeImages([reference], node, `--digests --base-name ${base}`, { signal });
  const given = (await named()).find((name) => !before.has(name));
  if (given === undefined || given === wanted) return;
  await inContainer(node, [...CTR, 'tag', '--force', given, wanted], { signal });
  await inContainer(node, [...CTR, 'rm', given], { signal });
}
