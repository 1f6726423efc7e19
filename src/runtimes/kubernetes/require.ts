import type { KubeClient, KubeObject } from '../../clients/kubernetes.js';
import { lackingError } from '../../errors.js';

export interface Needs {
  /** The namespaces of the stack's servers. */
  namespaces: readonly string[];
  /** Ports of this machine are led into pods. */
  forwards: boolean;
  /** Commands are run in pods. */
  commands: boolean;
}

interface Right {
  group: string;
  resource: string;
  subresource?: string;
  verbs: readonly string[];
}

const OLDEST = { major: 1, minor: 30 };
const CHANGE = ['get', 'list', 'watch', 'create', 'patch', 'delete'] as const;
const LOOK = ['get', 'list', 'watch'] as const;

function rightsFor({ forwards, commands }: Needs): Right[] {
  const of = (group: string, resources: string, verbs: readonly string[]): Right[] =>
    resources.split(' ').map((resource) => ({ group, resource, verbs }));
  const pods = (subresource: string, verb: string): Right => ({ group: '', resource: 'pods', subresource, verbs: [verb] });
  return [
    ...of('apps', 'deployments statefulsets', CHANGE),
    ...of('batch', 'jobs', CHANGE),
    ...of('', 'services secrets configmaps persistentvolumeclaims', CHANGE),
    // Pods that are stuck are started anew, and those of Polaris when its realm is another one.
    ...of('', 'pods', [...LOOK, 'delete']),
    // Every wait follows what happens to a workload and to its pods, which belong to a Deployment by its ReplicaSets.
    ...of('', 'events', ['list', 'watch']),
    ...of('apps', 'replicasets', ['list', 'watch']),
    pods('log', 'get'),
    ...(forwards ? [...of('discovery.k8s.io', 'endpointslices', LOOK), pods('portforward', 'create')] : []),
    ...(commands ? [pods('exec', 'create')] : []),
  ];
}

/**
 * Whether a cluster can hold the stack: it answers, is new enough, and lets this user make what the manifests declare. All that is
 * lacking is said at once.
 * @throws ForgeError CLUSTER_LACKING (exit 3)
 */
export async function requireCluster(client: KubeClient, needs: Needs, signal?: AbortSignal): Promise<void> {
  const { gitVersion } = await client.version({ signal, timeoutMs: 10_000 });
  const lacking = [...(isTooOld(gitVersion) ? [`Kubernetes ${gitVersion} is older than ${OLDEST.major}.${OLDEST.minor}`] : [])];
  lacking.push(...(await missingRights(client, needs, signal)));
  if (lacking.length === 0) return;
  throw lackingError({
    code: 'CLUSTER_LACKING',
    message: `The cluster of context ${client.target.context} (${client.server}) cannot hold the stack:\n${lacking.map((text) => `  ${text}`).join('\n')}`,
    hint: "Ask the cluster's administrator, or name another context (--context NAME)",
  });
}

/** A version that says nothing is taken for a new one: the server will tell what it does not know. */
export function isTooOld(gitVersion: string): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) < OLDEST.major || (Number(major) === OLDEST.major && Number(minor) < OLDEST.minor);
}

async function missingRights(client: KubeClient, needs: Needs, signal?: AbortSignal): Promise<string[]> {
  if (await mayDo(client, { group: '*', resource: '*', verb: '*' }, signal)) return [];
  const texts = await Promise.all([
    ...rightsFor(needs).map((right) => missingRight(client, right, needs.namespaces, signal)),
    missingNamespaces(client, needs.namespaces, signal),
  ]);
  return texts.filter((text) => text !== undefined);
}

/** A right may be given everywhere, or in each namespace. */
async function missingRight(
  client: KubeClient,
  right: Right,
  namespaces: readonly string[],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { verbs, ...what } = right;
  const everywhere = await Promise.all(verbs.map((verb) => mayDo(client, { ...what, verb }, signal)));
  const open = verbs.filter((_, index) => everywhere[index] === false);
  const denied = await Promise.all(
    namespaces.flatMap((namespace) =>
      open.map(async (verb) => ((await mayDo(client, { ...what, verb, namespace }, signal)) ? undefined : { namespace, verb })),
    ),
  );
  const missing = denied.filter((one) => one !== undefined);
  if (missing.length === 0) return undefined;
  const [lackedVerbs, places] = [unique(missing.map(({ verb }) => verb)), unique(missing.map(({ namespace }) => namespace))];
  const name = right.subresource === undefined ? right.resource : `${right.resource}/${right.subresource}`;
  return `this user may not ${lackedVerbs.join(', ')} ${name} in ${places.join(', ')}`;
}

/** Namespaces that are there already need not be made. */
async function missingNamespaces(client: KubeClient, namespaces: readonly string[], signal?: AbortSignal): Promise<string | undefined> {
  const verbs = ['get', 'create', 'patch'];
  const may = await Promise.all(verbs.map((verb) => mayDo(client, { group: '', resource: 'namespaces', verb }, signal)));
  if (may.every(Boolean)) return undefined;
  if (may[0] === false) return 'this user may not get namespaces';
  const found = await Promise.all(namespaces.map((name) => client.get({ apiVersion: 'v1', kind: 'Namespace', name }, { signal })));
  const absent = namespaces.filter((_, index) => found[index] === undefined);
  return absent.length === 0 ? undefined : `this user may not create namespaces, and these are not there: ${absent.join(', ')}`;
}

interface AccessReview extends KubeObject {
  status?: { allowed?: boolean };
}

async function mayDo(
  client: KubeClient,
  resourceAttributes: { group: string; resource: string; subresource?: string; verb: string; namespace?: string },
  signal?: AbortSignal,
): Promise<boolean> {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    // It has no name, and the server refuses one.
    metadata: { name: '' },
    spec: { resourceAttributes },
  };
  return (await client.create<AccessReview>(review, { signal })).status?.allowed === true;
}

const unique = (texts: string[]): string[] => [...new Set(texts)];
