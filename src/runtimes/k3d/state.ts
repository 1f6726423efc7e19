import { containersNamed, listContainers, networksNamed, volumesNamed, type Container, type Named } from '../../clients/docker-objects.js';
import type { DockerOptions } from '../../clients/docker.js';
import { listClusters, type ListedCluster } from '../../clients/k3d.js';
import { lackingError, serverError, type ForgeError } from '../../errors.js';
import type { Workspace } from '../../workspace/workspace.js';
import { Gathered, type AskOptions } from './gathered.js';
import { dataVolumeName, imageVolumeName, isOwn, networkName, nodeName, toolsName } from './name.js';

interface Surroundings {
  name: string;
  /** Containers of ours that have to go before anything is made. */
  remains: Container[];
  /** Network and volumes of ours that are there. */
  network?: Named;
  volumes: Named[];
}

/** Our own cluster. `half`: somebody was killed while making it, and it cannot be used. `absent`: there may be leftovers. */
export type OwnCluster = Surroundings &
  ({ state: 'absent'; node?: undefined } | { state: 'half'; node?: undefined } | { state: 'stopped' | 'running'; node: Container });
/** Somebody else's cluster or network of that name, which is never touched. */
type Stranger = Surroundings & { state: 'stranger'; node?: undefined; what: string };
/** What there is of a cluster of that name, whosever it is. */
export type ClusterState = OwnCluster | Stranger;

const USABLE = new Set(['running', 'restarting', 'exited', 'paused']);

/**
 * What really is there, from k3d's list and what Docker says of the things by their exact names. Both have to agree, and an
 * answer that cannot be understood is an error, never "no cluster".
 * @throws ForgeError DOCKER_…, K3D_…, CLUSTER_UNCLEAR
 */
export const clusterState = (name: string, workspace: Workspace, options?: AskOptions): Promise<ClusterState> =>
  states.ask(JSON.stringify([name, workspace.root]), (signal) => readState(name, workspace, { signal }), options);

const states = new Gathered<ClusterState>();

async function readState(name: string, workspace: Workspace, options: DockerOptions): Promise<ClusterState> {
  for (let attempt = 1; ; attempt++) {
    const [clusters, containers, networks, volumes] = await Promise.all([
      listClusters(options),
      containersNamed([nodeName(name), toolsName(name)], options),
      networksNamed([networkName(name)], options),
      volumesNamed([imageVolumeName(name), dataVolumeName(workspace)], options),
    ]);
    const listed = clusters.find((cluster) => cluster.name === name)?.nodes ?? [];
    const isListed = listed.some((node) => node.name === nodeName(name));
    const isThere = containers.some((one) => one.name === nodeName(name) && isOfCluster(one, name));
    if (isListed === isThere) return judge({ name, workspace, listed, containers, networks, volumes });
    // One of both may have been asked a moment earlier than the other.
    if (attempt >= 3) throw unclear(name, isListed);
  }
}

interface Seen {
  name: string;
  workspace: Workspace;
  listed: ListedCluster['nodes'];
  containers: Container[];
  networks: Named[];
  volumes: Named[];
}

/** Made by k3d for a cluster of that name, whosever it is. */
const isOfCluster = ({ labels }: Container, name: string): boolean => labels['k3d.cluster'] === name;

function judge({ name, workspace, listed, containers, networks, volumes }: Seen): ClusterState {
  const own = (thing: Named): boolean => isOwn(thing, workspace);
  const network = networks.find(own);
  const base: Surroundings = { name, remains: [], volumes: volumes.filter(own), ...(network === undefined ? {} : { network }) };
  const stranger = (what: string): ClusterState => ({ ...base, state: 'stranger', what });

  const node = containers.find((one) => one.name === nodeName(name));
  if (node !== undefined && !own(node))
    return stranger(isOfCluster(node, name) ? `the cluster ${name} (container ${node.name})` : `the container ${node.name}`);
  if (node === undefined && listed[0] !== undefined) return stranger(`the container ${listed[0].name}`);
  // k3d's helper has no label of ours: it is known by its exact name and by the network that was made for it.
  const tools = containers.filter((one) => one.name === toolsName(name));
  if (node === undefined && network === undefined) {
    const [thing] = [...tools.map((one) => `the container ${one.name}`), ...networks.map((one) => `the network ${one.name}`)];
    if (thing !== undefined) return stranger(thing);
  }

  const remains = [...(node === undefined ? [] : [node]), ...tools];
  if (node === undefined) return { ...base, state: tools.length > 0 ? 'half' : 'absent', remains };
  if (!USABLE.has(node.status)) return { ...base, state: 'half', remains };
  const isRunning = node.status === 'running' || node.status === 'restarting';
  // A helper beside a usable node may be at work for somebody, and the next start takes it along.
  return { ...base, state: isRunning ? 'running' : 'stopped', node };
}

const unclear = (name: string, isListed: boolean): ForgeError =>
  serverError({
    code: 'CLUSTER_UNCLEAR',
    message: `k3d and Docker do not agree: k3d ${isListed ? 'lists' : 'does not list'} the cluster ${name}, Docker has ${isListed ? 'none' : 'some'} of its containers`,
    hint: 'Do both use the same engine (DOCKER_HOST, `docker context ls`)? Is somebody else changing it just now? Then run the same command again',
  });

/**
 * The workspace's own cluster, as it is.
 * @throws ForgeError CLUSTER_FOREIGN (exit 3) where somebody else has that name
 */
export async function ownCluster(name: string, workspace: Workspace, options?: AskOptions): Promise<OwnCluster> {
  const found = await clusterState(name, workspace, options);
  if (found.state !== 'stranger') return found;
  throw lackingError({
    code: 'CLUSTER_FOREIGN',
    message: `Docker has ${found.what}, which this workspace did not make: it is left alone`,
    hint: 'Give forge another name for its cluster (k3d.name in forge.yaml), or remove that one yourself',
  });
}

/** Every container of this workspace, by its label alone: also without any settings. */
export const ownContainers = (workspace: Workspace, options?: DockerOptions): Promise<Container[]> =>
  listContainers({ 'forge.workspace': workspace.id }, options);
