import path from 'node:path';
import { usageError } from '../../errors.js';
import { writeFileAtomic } from '../../workspace/atomic.js';
import type { StackContext } from '../../workspace/context.js';
import { servicesOf } from '../../workspace/services.js';
import { clusterName, dataVolumeName, networkName, ownLabels } from './name.js';

export const DATA_PATH = '/var/lib/forge';
export const PACKAGES_PATH = '/forge-packages';
/** Labels of the node that keep what is mounted where, as forge gave it: Docker Desktop tells its own paths instead. */
export const MOUNT_LABELS = { [DATA_PATH]: 'forge.data', [PACKAGES_PATH]: 'forge.packages' } as const;
/** Inside the node. */
export const API_PORT = 6443;

/** What the cluster has to be; a difference in any of it needs a new one, as Docker changes no container. */
export interface ClusterSpec {
  name: string;
  image: string;
  /** On this machine's loopback. */
  ports: { name: string; host: number; inside: number }[];
  /** `SOURCE:TARGET[:options]` */
  binds: string[];
  serverArguments: string[];
}

export const packagesFolder = ({ cacheDir }: Pick<StackContext, 'cacheDir'>): string => path.join(cacheDir, 'packages');
export const configFile = ({ workspace }: Pick<StackContext, 'workspace'>): string => path.join(workspace.generated, 'k3d.yaml');

/** Ports of both catalogs and both engines are led to this machine, so that another choice needs no new cluster. */
export function clusterSpec(stack: StackContext): ClusterSpec {
  const services = {
    ...servicesOf({ catalog: 'polaris', engine: 'risingwave' }),
    ...servicesOf({ catalog: 'iceberg-rest', engine: 'flink' }),
  };
  const ports = Object.entries(services).map(([name, { nodePort }]) => ({ name, host: portOf(stack, name), inside: nodePort }));
  return {
    name: clusterName(stack),
    image: imageOf(stack, 'k3s'),
    ports: [{ name: 'k3d-api', host: portOf(stack, 'k3d-api'), inside: API_PORT }, ...ports.sort((a, b) => a.inside - b.inside)],
    binds: [`${dataVolumeName(stack.workspace)}:${DATA_PATH}`, `${mountable(packagesFolder(stack))}:${PACKAGES_PATH}:ro`],
    // The stack needs none of them: its ports are led to the node directly.
    serverArguments: ['--disable=traefik', '--disable=metrics-server', '--disable=servicelb'],
  };
}

/** What is mounted at a place, by binds as Docker takes them. */
export const sourceOf = (binds: readonly string[], target: string): string =>
  binds.find((one) => one.split(':')[1] === target)?.split(':')[0] ?? 'none';

/** Writes .forge/generated/k3d.yaml and gives its name. */
export async function writeConfig(stack: StackContext, spec: ClusterSpec): Promise<string> {
  const { stringify } = await import('yaml');
  const node = { nodeFilters: ['server:0'] };
  const [api, ...ports] = spec.ports;
  const mounts = Object.entries(MOUNT_LABELS).map(([target, label]) => [label, sourceOf(spec.binds, target)]);
  const labels = Object.entries({ ...ownLabels(stack), ...(Object.fromEntries(mounts) as Record<string, string>) });
  const document = {
    apiVersion: 'k3d.io/v1alpha5',
    kind: 'Simple',
    metadata: { name: spec.name },
    servers: 1,
    agents: 0,
    image: spec.image,
    network: networkName(spec.name),
    // k3d's own default is every interface of this machine.
    kubeAPI: { host: '127.0.0.1', hostIP: '127.0.0.1', hostPort: String(api?.host) },
    ports: ports.map(({ host, inside }) => ({ port: `127.0.0.1:${host}:${inside}`, nodeFilters: ['server:0:direct'] })),
    volumes: spec.binds.map((volume) => ({ volume, ...node })),
    options: {
      k3d: { wait: true, timeout: '300s', disableLoadbalancer: true },
      k3s: { extraArgs: spec.serverArguments.map((arg) => ({ arg, ...node })) },
      kubeconfig: { updateDefaultKubeconfig: false, switchCurrentContext: false },
      runtime: { labels: labels.map(([name, value]) => ({ label: `${name}=${value}`, ...node })) },
    },
  };
  const head = '# Written by forge, read by k3d when the cluster is made.\n';
  const file = configFile(stack);
  await writeFileAtomic(file, head + keepDollars(stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })), { mode: 0o600 });
  return file;
}

/** k3d puts variables of its environment in place of every `$NAME` and knows no escape: so a dollar is a variable too. */
export const DOLLAR = 'FORGE_K3D_DOLLAR';
const keepDollars = (text: string): string => text.replaceAll('$', `\${${DOLLAR}}`);

function mountable(folder: string): string {
  if (!folder.includes(':')) return folder;
  throw usageError({
    code: 'CACHE_NOT_MOUNTABLE',
    message: `The folder of server packages has a colon in its name, so that Docker cannot mount it: ${folder}`,
    hint: 'Set FORGE_CACHE_DIR to another folder',
  });
}

function portOf(stack: StackContext, name: string): number {
  const port = stack.ports[name];
  if (port === undefined) throw new Error(`no port is allotted to ${name}`);
  return port;
}

export function imageOf(stack: Pick<StackContext, 'images'>, name: string): string {
  const reference = stack.images[name];
  if (reference === undefined) throw new Error(`images.yaml names no ${name}`);
  return reference;
}
