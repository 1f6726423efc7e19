import { createNetwork, createVolume, removeContainers, removeNetwork, removeVolume } from '../../clients/docker-objects.js';
import { docker } from '../../clients/docker.js';
import { createCluster, deleteCluster, startCluster } from '../../clients/k3d.js';
import { ensureDir } from '../../workspace/atomic.js';
import type { StackContext } from '../../workspace/context.js';
import { packagesFolder, writeConfig, type ClusterSpec } from './config.js';
import { dataVolumeName, imageVolumeName, networkName, ownLabels } from './name.js';
import { whileK3sLives } from './node.js';
import { portError, refuseTakenPorts } from './ports.js';
import type { OwnCluster } from './state.js';

/** What work on a cluster needs; k3d's environment among it. */
export interface Work {
  stack: StackContext;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  progress: (text: string) => void;
}

/** Removes what a killed run left, then makes the cluster. */
export async function makeCluster(state: OwnCluster, spec: ClusterSpec, work: Work): Promise<void> {
  const { stack, env, signal, progress } = work;
  await removeContainers(
    state.remains.map(({ id }) => id),
    { signal },
  );
  await refuseTakenPorts(spec, signal);
  await ensureDir(packagesFolder(stack), 0o755);
  const file = await writeConfig(stack, spec);
  await makeSurroundings(state, work);
  progress(`creating the cluster ${spec.name}`);
  try {
    await whileK3sLives(spec.name, signal, (both) => createCluster(file, { env, signal: both, progress }));
  } catch (error) {
    signal.throwIfAborted();
    throw portError(error, spec) ?? error;
  }
}

/** Starts the cluster again, as after a reboot or `down --keep-data`. */
export async function wakeCluster(state: OwnCluster, spec: ClusterSpec, work: Work): Promise<void> {
  const { env, signal, progress } = work;
  await makeSurroundings(state, work);
  if (state.node?.status === 'paused') return void (await docker(['unpause', state.node.id], { signal }));
  await refuseTakenPorts(spec, signal);
  progress(`starting the cluster ${state.name}`);
  try {
    await whileK3sLives(state.name, signal, (both) => startCluster(state.name, { env, signal: both, progress }));
  } catch (error) {
    signal.throwIfAborted();
    throw portError(error, spec) ?? error;
  }
}

/** Removes exactly this cluster, which is ours; the data volume stays. */
export async function removeCluster({ name, node, remains, network, volumes }: OwnCluster, work: Omit<Work, 'stack'>): Promise<void> {
  const { env, signal, progress } = work;
  if (node !== undefined) {
    progress(`removing the cluster ${name}`);
    await deleteCluster(name, { env, signal, progress });
  }
  await removeContainers(
    remains.map(({ id }) => id),
    { signal },
  );
  if (volumes.some((volume) => volume.name === imageVolumeName(name))) await removeVolume(imageVolumeName(name), { signal });
  // k3d does not remove a network that it did not make.
  if (network !== undefined) await removeNetwork(network.name, { signal });
}

/** Network and volumes with our labels come first: by them a cluster that was made by half is known as ours. */
async function makeSurroundings({ name, network, volumes }: OwnCluster, { stack, signal }: Work): Promise<void> {
  const labels = ownLabels(stack);
  const has = (volume: string): boolean => volumes.some((one) => one.name === volume);
  if (network === undefined) await createNetwork({ name: networkName(name), labels }, { signal });
  if (!has(dataVolumeName(stack.workspace))) await createVolume({ name: dataVolumeName(stack.workspace), labels }, { signal });
  // With k3d's own labels it goes when k3d deletes the cluster.
  const kept = { ...labels, app: 'k3d', 'k3d.cluster': name };
  if (!has(imageVolumeName(name))) await createVolume({ name: imageVolumeName(name), labels: kept }, { signal });
}
