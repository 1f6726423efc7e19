import {
  listNetworks,
  listVolumes,
  removeContainers,
  removeNetwork,
  removeVolume,
  type Container,
  type Named,
} from '../../clients/docker-objects.js';
import { dockerEngine, type DockerOptions } from '../../clients/docker.js';
import { stopCluster } from '../../clients/k3d.js';
import { ForgeError } from '../../errors.js';
import type { Workspace } from '../../workspace/workspace.js';
import { removeCluster } from './cluster.js';
import { withK3dEnvironment } from './environment.js';
import { ownLabel } from './name.js';
import { ownCluster, ownContainers } from './state.js';

/** Everything in Docker that carries this workspace's label; no settings are needed to find it. */
export interface Remains {
  containers: Container[];
  networks: Named[];
  volumes: Named[];
}

interface TakeDown {
  signal: AbortSignal;
  note: (text: string) => void;
}

export async function ownRemains(workspace: Workspace, options: DockerOptions): Promise<Remains> {
  const labels = ownLabel(workspace);
  const [containers, networks, volumes] = await Promise.all([
    ownContainers(workspace, options),
    listNetworks(labels, options),
    listVolumes(labels, options),
    // An engine out of its mind may give empty lists; this answer is never empty.
    dockerEngine(options),
  ]);
  return { containers, networks, volumes };
}

const isRunning = ({ status }: Container): boolean => status === 'running' || status === 'restarting' || status === 'paused';

/** The names of the workspace's clusters: one, or more where its name was changed in between. */
function clustersIn({ containers, networks }: Remains): string[] {
  const names = [...containers.map(({ labels }) => labels['k3d.cluster'] ?? ''), ...networks.map(({ name }) => name.replace(/^k3d-/, ''))];
  return [...new Set(names.filter((name) => name !== ''))];
}

/** Stops what runs and keeps everything. Gives the names of the clusters that ran. */
export async function stopOwn(remains: Remains, workspace: Workspace, { signal, note }: TakeDown): Promise<string[]> {
  const running = remains.containers.filter(isRunning).map(({ labels }) => labels['k3d.cluster'] ?? '');
  const names = [...new Set(running.filter((name) => name !== ''))];
  for (const name of names) {
    note(`Stopping the cluster ${name}`);
    await withK3dEnvironment(workspace, (env) => stopCluster(name, { env, signal }));
  }
  return names;
}

/** Removes all of it: clusters, networks, volumes with the data. Gives the names of the clusters that ran. */
export async function removeRemains(remains: Remains, workspace: Workspace, { signal, note }: TakeDown): Promise<string[]> {
  const running = remains.containers.filter(isRunning).map(({ labels }) => labels['k3d.cluster'] ?? '');
  for (const name of clustersIn(remains)) {
    note(`Removing the cluster ${name}`);
    await removeByName(name, workspace, signal);
  }
  // What k3d did not see, or would not: by its label, which is ours.
  const left = await ownRemains(workspace, { signal });
  await removeContainers(
    left.containers.map(({ id }) => id),
    { signal },
  );
  for (const { name } of left.networks) await removeNetwork(name, { signal });
  for (const { name } of left.volumes) await removeVolume(name, { signal });
  return [...new Set(running.filter((name) => name !== ''))];
}

async function removeByName(name: string, workspace: Workspace, signal: AbortSignal): Promise<void> {
  try {
    const cluster = await ownCluster(name, workspace, { signal });
    await withK3dEnvironment(workspace, (env) => removeCluster(cluster, { env, signal, progress: () => undefined }));
  } catch (error) {
    // Somebody uninstalled k3d: the labels are enough.
    if (!(error instanceof ForgeError) || error.code !== 'K3D_MISSING') throw error;
  }
}
