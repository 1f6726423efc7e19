import { localImage, pipeImages } from '../../clients/docker-images.js';
import { inContainer } from '../../clients/docker-objects.js';
import type { StackContext } from '../../workspace/context.js';
import { imagesOf } from '../../workspace/images.js';
import { lookingAt } from './gathered.js';
import { CTR, ensureLocal, nodeImages, type ImageWork } from './images.js';
import { nodeName } from './name.js';
import { qualified } from './reference.js';

/** An image of k3s' own, which its image does not hold: its node pulls it, where it reaches the registry. */
export interface SystemImage {
  name: string;
  /** On this machine, with the mirror's prefix where there is a mirror. */
  image: string;
  /** As k3s names it. */
  inNode: string;
}

const NAMES = ['k3s-pause', 'k3s-coredns'];
const tagOf = (reference: string | undefined): string | undefined => /:([^/:@]+)(@|$)/.exec(reference ?? '')?.[1];

/** Those of the pinned k3s; which ones another k3s has nobody knows. */
export function systemImages({ packageRoot, images }: Pick<StackContext, 'packageRoot' | 'images'>): SystemImage[] {
  const pinned = imagesOf(packageRoot, { images: {} });
  if (tagOf(images['k3s']) !== tagOf(pinned['k3s'])) return [];
  return NAMES.flatMap((name) => {
    const [image, inNode] = [images[name], pinned[name]];
    return image === undefined || inNode === undefined ? [] : [{ name, image, inNode }];
  });
}

/** What this machine has of them and the node of the cluster has not. */
export async function systemImagesToBring(stack: StackContext, cluster: string, signal: AbortSignal): Promise<SystemImage[]> {
  const held = await nodeImages(cluster, lookingAt(stack, signal));
  const lacking = systemImages(stack).filter(({ inNode }) => !held.has(qualified(inNode)));
  const local = await Promise.all(lacking.map(({ image }) => localImage(image, { signal })));
  return lacking.filter((_, index) => local[index] !== undefined);
}

/** Brings them into the node, under the names that k3s knows. None of them has to be here. */
export async function bringSystemImages(
  stack: StackContext,
  cluster: string,
  { signal, progress }: Omit<ImageWork, 'offline'>,
): Promise<void> {
  const found = await systemImagesToBring(stack, cluster, signal);
  if (found.length === 0) return;
  progress(`bringing ${found.map(({ image }) => image).join(', ')} into the cluster`);
  const node = nodeName(cluster);
  await pipeImages(
    found.map(({ image }) => image),
    node,
    '',
    { signal },
  );
  for (const { image, inNode } of found)
    if (image !== inNode) await inContainer(node, [...CTR, 'tag', '--force', qualified(image), qualified(inNode)], { signal });
}

/** Gets those that this machine lacks, as far as they can be had; the node may reach another registry, or hold them already. */
export async function tryPullSystemImages(stack: StackContext, { signal, progress }: Omit<ImageWork, 'offline'>): Promise<void> {
  const tries = systemImages(stack).map(({ image }) => ensureLocal(image, { signal, progress, offline: false }));
  await Promise.allSettled(tries);
  signal.throwIfAborted();
}
