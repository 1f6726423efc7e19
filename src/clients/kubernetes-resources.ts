import type { KubeAccess } from './kubernetes-access.js';
import { isKubeError } from './kubernetes-error.js';
import { kubeRequest } from './kubernetes-request.js';
import type { KubeResource } from './kubernetes-types.js';

const CORE = 'ConfigMap Event Endpoints PersistentVolumeClaim Pod Secret Service ServiceAccount LimitRange ResourceQuota';
const BUILT_IN: Record<string, { namespaced: string; cluster?: string }> = {
  v1: { namespaced: CORE, cluster: 'Namespace Node PersistentVolume' },
  'apps/v1': { namespaced: 'Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision' },
  'batch/v1': { namespaced: 'Job CronJob' },
  'policy/v1': { namespaced: 'PodDisruptionBudget' },
  'rbac.authorization.k8s.io/v1': { namespaced: 'Role RoleBinding', cluster: 'ClusterRole ClusterRoleBinding' },
  'networking.k8s.io/v1': { namespaced: 'Ingress NetworkPolicy', cluster: 'IngressClass' },
  'storage.k8s.io/v1': { namespaced: '', cluster: 'StorageClass' },
  'apiextensions.k8s.io/v1': { namespaced: '', cluster: 'CustomResourceDefinition' },
};

const pluralOf = (kind: string): string => {
  const lower = kind.toLowerCase();
  if (lower === 'endpoints') return lower;
  return /(s|ss|x|ch)$/.test(lower) ? `${lower}es` : lower.endsWith('y') ? `${lower.slice(0, -1)}ies` : `${lower}s`;
};

/** Known without asking the server, which makes every first request of a command two. */
const KNOWN: ReadonlyMap<string, KubeResource> = new Map(
  Object.entries(BUILT_IN).flatMap(([apiVersion, { namespaced, cluster = '' }]) => {
    const entries = (kinds: string, isNamespaced: boolean): [string, KubeResource][] =>
      kinds
        .split(' ')
        .filter(Boolean)
        .map((kind) => [`${apiVersion}/${kind}`, { apiVersion, kind, plural: pluralOf(kind), namespaced: isNamespaced }]);
    return [...entries(namespaced, true), ...entries(cluster, false)];
  }),
);

const rootOf = (apiVersion: string): string => (apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`);

/** The path of a resource, in a namespace where it has one. */
export const pathOf = ({ apiVersion, plural, namespaced }: KubeResource, namespace?: string, name?: string): string =>
  [
    rootOf(apiVersion),
    ...(namespaced && namespace !== undefined ? ['namespaces', encodeURIComponent(namespace)] : []),
    plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
  ].join('/');

/** Finds the kinds of a server. */
export interface KubeResources {
  /** Undefined where the server has no such kind. */
  find(apiVersion: string, kind: string, signal?: AbortSignal): Promise<KubeResource | undefined>;
  /** Every kind that can be listed and deleted, in the version that the server prefers. */
  all(signal?: AbortSignal): Promise<KubeResource[]>;
}

export function resourcesOf(access: KubeAccess): KubeResources {
  const asked = new Map<string, KubeResource>();
  return {
    async find(apiVersion, kind, signal) {
      const key = `${apiVersion}/${kind}`;
      const known = KNOWN.get(key) ?? asked.get(key);
      if (known !== undefined) return known;
      for (const one of await listed(access, apiVersion, signal)) asked.set(`${apiVersion}/${one.kind}`, one);
      return asked.get(key);
    },
    all: async (signal) => (await aggregated(access, signal)) ?? [...KNOWN.values()].filter(({ kind }) => kind !== 'Endpoints'),
  };
}

interface ApiResourceList {
  resources: { name: string; kind: string; namespaced: boolean }[];
}

async function listed(access: KubeAccess, apiVersion: string, signal?: AbortSignal): Promise<KubeResource[]> {
  try {
    const { resources } = await kubeRequest<ApiResourceList>(access, {
      path: rootOf(apiVersion),
      doing: `asking for ${apiVersion}`,
      signal,
    });
    return resources
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, kind, namespaced }) => ({ apiVersion, kind, plural: name, namespaced }));
  } catch (error) {
    if (isKubeError(error, 404)) return [];
    throw error;
  }
}

interface Discovery {
  kind: string;
  items?: {
    metadata?: { name?: string };
    versions: {
      version: string;
      resources?: { resource: string; scope: string; verbs: string[]; responseKind: { kind: string } }[];
    }[];
  }[];
}

const DISCOVERY = ['v2', 'v2beta1'].map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);

/** Undefined where the server is too old to tell all in one answer. */
async function aggregated(access: KubeAccess, signal?: AbortSignal): Promise<KubeResource[] | undefined> {
  const accept = [...DISCOVERY, 'application/json'].join(',');
  const answers = await Promise.all(
    ['/api', '/apis'].map((path) => kubeRequest<Discovery>(access, { path, accept, doing: 'asking for its kinds', signal })),
  );
  if (answers.some(({ kind }) => kind !== 'APIGroupDiscoveryList')) return undefined;
  return answers.flatMap(({ items = [] }) =>
    items.flatMap(({ metadata, versions: [preferred] }) => {
      const group = metadata?.name ?? '';
      if (preferred === undefined || group === 'events.k8s.io') return [];
      const apiVersion = group === '' ? preferred.version : `${group}/${preferred.version}`;
      return (preferred.resources ?? [])
        .filter(({ verbs }) => verbs.includes('list') && verbs.includes('delete'))
        .map(({ resource, scope, responseKind }) => ({
          apiVersion,
          kind: responseKind.kind,
          plural: resource,
          namespaced: scope === 'Namespaced',
        }));
    }),
  );
}
