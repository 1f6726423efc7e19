import { restartContainer } from '../../clients/docker-objects.js';
import { k3dVersion } from '../../clients/k3d.js';
import { ForgeError, usageError } from '../../errors.js';
import type { StackContext } from '../../workspace/context.js';
import { resetIdentity } from '../kubernetes/identity.js';
import { kubeTarget } from '../kubernetes/target.js';
import { makeCluster, removeCluster, wakeCluster, type Work } from './cluster.js';
import { clusterSpec, imageOf } from './config.js';
import { driftOf, type Drift } from './drift.js';
import { toolsImage, withK3dEnvironment } from './environment.js';
import { ensureLocal } from './images.js';
import { clusterName } from './name.js';
import { hasLostK3s } from './node.js';
import { awaitCluster, makeFolders, missingFolders } from './ready.js';
import { ownCluster, type OwnCluster } from './state.js';
import { bringSystemImages, tryPullSystemImages } from './system-images.js';

/** A new node is ready in 15 s on a laptop; after a reboot everything starts at once. */
const READY_SECONDS = 180;

interface BringUp {
  signal: AbortSignal;
  progress: (text: string) => void;
  waitingFor: (what: string) => void;
  /** How far a new cluster is brought: its node takes images some seconds before Kubernetes in it is ready. */
  until?: 'takes images' | 'ready';
  /** Never to be made anew: its node was filled since. */
  keep?: boolean;
}

type Done = 'created' | 'made anew, with the data that it had' | 'started' | 'mended';
/** Whether there was no cluster of these settings before. */
export const isNew = (done: Done): boolean => done === 'created' || done === 'made anew, with the data that it had';

/**
 * Makes, starts or mends the workspace's cluster, whatever is there of it, until it is ready.
 * @throws ForgeError CLUSTER_NEEDS_RECREATE (exit 2) where only a new one would do and nobody allowed that
 */
export async function bringUpCluster(
  stack: StackContext,
  { signal, progress, waitingFor, until = 'ready', keep = false }: BringUp,
): Promise<Done> {
  const spec = clusterSpec(stack);
  const look = (): Promise<OwnCluster> => ownCluster(clusterName(stack), stack.workspace, { signal });
  const found = await look();
  const drift = found.node === undefined ? [] : driftOf(found.node, spec);
  const mayRecreate = stack.orders?.recreate === true && !keep;
  if (drift.length > 0 && !mayRecreate) throw recreateRefused(found.name, drift);

  waitingFor('the images of the cluster');
  const toolsImageUsed = toolsImage(stack, await k3dVersion({ signal }));
  const ensure = (image: string) => ensureLocal(image, { signal, progress, offline: stack.orders?.offline ?? false });
  const isStarted = found.state !== 'running' || drift.length > 0;
  if (isStarted) await Promise.all([ensure(toolsImageUsed), ensure(imageOf(stack, 'k3s'))]);
  // The node pulls its own images from the registry of the world, whatever mirror there is.
  if (isStarted && stack.config.images.mirror !== undefined && stack.orders?.offline !== true)
    await tryPullSystemImages(stack, { signal, progress });

  const bringUp = async (env: NodeJS.ProcessEnv): Promise<Done> => {
    const work: Work = { stack, env, signal, progress };
    waitingFor(`the cluster ${found.name}`);
    const make = async (before: OwnCluster): Promise<void> => {
      if (before.node !== undefined) await removeCluster(before, work);
      await makeCluster(before.node === undefined ? before : await look(), spec, work);
      await resetIdentity(stack.workspace, kubeTarget(stack).context);
      await awaitCluster(found.name, READY_SECONDS, work, until);
    };
    if (found.node === undefined || drift.length > 0) {
      await make(found);
      return drift.length > 0 ? 'made anew, with the data that it had' : 'created';
    }
    try {
      if (found.state === 'stopped') await wakeCluster(found, spec, work);
      else if (await hasLostK3s(found.node, signal)) await restartContainer(found.node.id, { signal });
      await awaitCluster(found.name, READY_SECONDS, work);
      return found.state === 'stopped' ? 'started' : 'mended';
    } catch (error) {
      if (!mayRecreate || !(error instanceof ForgeError) || !['CLUSTER_NOT_READY', 'K3D_FAILED'].includes(error.code)) throw error;
      await make(await look());
      return 'made anew, with the data that it had';
    }
  };
  const done = await withK3dEnvironment(stack.workspace, bringUp, { toolsImage: toolsImageUsed });
  if (until === 'takes images' && isNew(done)) return done;
  await Promise.all([
    missingFolders(found.name, signal).then((folders) => makeFolders(found.name, folders, signal)),
    bringSystemImages(stack, found.name, { signal, progress }),
  ]);
  return done;
}

const recreateRefused = (name: string, drift: Drift[]): ForgeError =>
  usageError({
    code: 'CLUSTER_NEEDS_RECREATE',
    message: `The cluster ${name} has to be made anew, as Docker cannot change these:\n${drift.map(({ field, is, should }) => `  - ${field} is ${is}, should be ${should}`).join('\n')}`,
    hint: '`forge up --recreate` does it and keeps the data of the servers; or take the change back',
  });
