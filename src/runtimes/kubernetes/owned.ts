import { isKubeError, type KubeClient, type KubeObject } from '../../clients/kubernetes.js';
import { manifestOf, workspaceSelector } from './labels.js';

/** The kinds that manifests of forge are made of. */
const KINDS: readonly (readonly [string, string])[] = [
  ['v1', 'ConfigMap'],
  ['v1', 'Secret'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['v1', 'PersistentVolumeClaim'],
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['batch/v1', 'Job'],
  ['batch/v1', 'CronJob'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['networking.k8s.io/v1', 'Ingress'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['policy/v1', 'PodDisruptionBudget'],
];
/** The tasks of a run look at about the same time, and each needs a part of the same lists. */
const FRESH_MS = 2_000;

interface Listing {
  at: number;
  objects: Promise<KubeObject[]>;
}
const listings = new WeakMap<KubeClient, Map<string, Listing>>();

/** The objects of a workspace (names, labels and owners only), of the kinds of forge's manifests and of these. */
export async function ownedObjects(
  client: KubeClient,
  workspace: string,
  more: readonly { apiVersion: string; kind: string }[] = [],
  signal?: AbortSignal,
): Promise<KubeObject[]> {
  const kinds = new Map(KINDS.map(([apiVersion, kind]) => [`${apiVersion}/${kind}`, { apiVersion, kind }]));
  for (const { apiVersion, kind } of more) kinds.set(`${apiVersion}/${kind}`, { apiVersion, kind });
  const key = [workspace, ...kinds.keys()].join(' ');
  const known = listings.get(client) ?? new Map<string, Listing>();
  listings.set(client, known);
  const kept = known.get(key);
  if (kept !== undefined && performance.now() - kept.at < FRESH_MS) return kept.objects;
  const objects = listAll(client, [...kinds.values()], workspaceSelector(workspace), signal);
  known.set(key, { at: performance.now(), objects });
  // A list that failed or was broken off by its own task is none for the others.
  objects.catch(() => known.delete(key));
  return objects;
}

/** After every change: what was listed before does not hold any more. */
export const forgetListings = (client: KubeClient): void => void listings.delete(client);

/** Objects of every kind that the server has, by a label selector; not those that a controller made for another one. */
export async function everyObject(client: KubeClient, labels: string, signal?: AbortSignal): Promise<KubeObject[]> {
  const kinds = (await client.resources({ signal })).filter(({ kind }) => kind !== 'Event' && kind !== 'Endpoints');
  return listAll(client, kinds, labels, signal);
}

async function listAll(
  client: KubeClient,
  kinds: readonly { apiVersion: string; kind: string }[],
  labels: string,
  signal?: AbortSignal,
): Promise<KubeObject[]> {
  const lists = await Promise.all(
    kinds.map(async ({ apiVersion, kind }) => {
      try {
        return (await client.list({ apiVersion, kind, labels, metadataOnly: true }, { signal })).items;
      } catch (error) {
        // What may not be looked at, forge cannot have made.
        if (isKubeError(error, 403, 405)) return [];
        throw error;
      }
    }),
  );
  return lists.flat().filter(({ metadata }) => !(metadata.ownerReferences ?? []).some(({ controller }) => controller === true));
}

/** Data goes only when the stack goes, and a namespace with all that is in it. */
const KEPT = new Set(['Namespace', 'PersistentVolumeClaim', 'PersistentVolume', 'CustomResourceDefinition']);

/** What a manifest had once and has no more. */
export function leftoversOf(owned: readonly KubeObject[], manifest: string, objects: readonly KubeObject[]): KubeObject[] {
  const key = ({ kind, metadata: { namespace = '', name } }: KubeObject): string => `${kind} ${namespace}/${name}`;
  const wanted = new Set(objects.map(key));
  return owned.filter(
    (object) =>
      manifestOf(object) === manifest &&
      !KEPT.has(object.kind) &&
      object.metadata.deletionTimestamp === undefined &&
      !wanted.has(key(object)),
  );
}
