import { localImage } from '../clients/docker-images.js';
import { k3dVersion } from '../clients/k3d.js';
import { componentsOf } from '../components/index.js';
import { ForgeError } from '../errors.js';
import { imagesHere } from '../runtimes/k3d/choice.js';
import { imageOf } from '../runtimes/k3d/config.js';
import { toolsImage } from '../runtimes/k3d/environment.js';
import { nodeImages } from '../runtimes/k3d/images.js';
import { clusterName } from '../runtimes/k3d/name.js';
import { qualified } from '../runtimes/k3d/reference.js';
import { clusterState } from '../runtimes/k3d/state.js';
import { systemImages } from '../runtimes/k3d/system-images.js';
import type { StackContext } from '../workspace/context.js';

export interface NeededImage {
  name: string;
  image: string;
  /**
   * Nothing fails without it: the cluster may get it by itself. Its own name in there, where it has another one. Such an image is
   * listed where this machine has it.
   */
  optional?: string;
}

export interface ImageState extends Omit<NeededImage, 'optional'> {
  /** Whether this machine's Docker has it, and its size there. */
  here: boolean;
  bytes: number | null;
  /** Whether the node of the workspace's own cluster has it; null where no cluster runs. */
  inCluster: boolean | null;
}

export interface ImageList {
  images: ImageState[];
  /** Whether this machine's Docker has all of them. */
  complete: boolean;
  bytes: number;
}

/** What the stack needs. On k3d these are also images of k3s' own (pause, CoreDNS), which its node pulls where it can. */
export async function imagesNeeded(stack: StackContext, signal: AbortSignal): Promise<NeededImage[]> {
  const isOwn = stack.runtime === 'k3d';
  const servers = componentsOf(stack).flatMap(({ kubernetes }) => kubernetes.images);
  // Where forge's packages cannot be mounted, Flink's connectors are fetched inside.
  const more = !isOwn && stack.engine === 'flink' ? (['maven'] as const) : [];
  const names = [...new Set([...(isOwn ? (['k3s'] as const) : []), ...servers, ...more])];
  const helper = isOwn ? await helperImage(stack, signal) : [];
  const images = await imagesHere(stack, names, signal);
  const system = isOwn ? systemImages(stack).map(({ name, image, inNode }) => ({ name, image, optional: inNode })) : [];
  return [...names.map((name) => ({ name, image: imageOf({ images }, name) })), ...helper, ...system];
}

/** k3d's helper is of k3d's own version: where there is no k3d, nobody knows which. */
async function helperImage(stack: StackContext, signal: AbortSignal): Promise<NeededImage[]> {
  const version = await unlessNoK3d(() => k3dVersion({ signal }));
  return version === undefined ? [] : [{ name: 'k3d-tools', image: toolsImage(stack, version) }];
}

export async function stateOfImages(stack: StackContext, signal: AbortSignal, needed?: NeededImage[]): Promise<ImageList> {
  const held = stack.runtime === 'k3d' ? await heldByCluster(stack, signal) : undefined;
  const looked = await Promise.all(
    (needed ?? (await imagesNeeded(stack, signal))).map(async ({ name, image, optional }): Promise<ImageState[]> => {
      const local = await localImage(image, { signal });
      if (local === undefined && optional !== undefined) return [];
      const inCluster = held === undefined ? null : held.has(qualified(optional ?? image));
      return [{ name, image, here: local !== undefined, bytes: local?.bytes ?? null, inCluster }];
    }),
  );
  const images = looked.flat();
  return { images, complete: images.every(({ here }) => here), bytes: images.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0) };
}

async function heldByCluster(stack: StackContext, signal: AbortSignal): Promise<Set<string> | undefined> {
  const name = clusterName(stack);
  const found = await unlessNoK3d(() => clusterState(name, stack.workspace, { signal }));
  return found?.state === 'running' ? nodeImages(name, { signal }) : undefined;
}

async function unlessNoK3d<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ForgeError && error.code === 'K3D_MISSING') return undefined;
    throw error;
  }
}
