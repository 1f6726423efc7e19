import { isKubeError, type KubeClient, type KubeObject, type KubeQuery } from '../../clients/kubernetes.js';
import { isOwn, workspaceSelector } from './labels.js';
import { removeNamespaces } from './namespaces.js';
import { conditionOf, type Workload } from './pod-types.js';
import { deleteObjects, type RemoveOptions } from './remove.js';

export interface Teardown extends RemoveOptions {
  /** Id of the workspace whose objects go. */
  workspace: string;
  /** Where to look if this user may not list the objects of all namespaces. */
  namespaces: readonly string[];
}

type Kind = Pick<KubeQuery, 'apiVersion' | 'kind'>;
const kindsOf = (apiVersion: string, kinds: string): Kind[] => kinds.split(' ').map((kind) => ({ apiVersion, kind }));

const WORKLOADS = [
  ...kindsOf('apps/v1', 'Deployment StatefulSet DaemonSet'),
  ...kindsOf('batch/v1', 'CronJob Job'),
  ...kindsOf('v1', 'Pod'),
];
const SERVICES = kindsOf('v1', 'Service');
const REST = [...SERVICES, ...kindsOf('v1', 'Secret ConfigMap PersistentVolumeClaim')];
/** Seldom used: a user who may not look for these has none of forge's either. */
const SELDOM = [
  ...kindsOf('v1', 'ServiceAccount'),
  ...kindsOf('policy/v1', 'PodDisruptionBudget'),
  ...kindsOf('networking.k8s.io/v1', 'NetworkPolicy Ingress'),
  ...kindsOf('rbac.authorization.k8s.io/v1', 'RoleBinding Role'),
];
const NAMESPACES = kindsOf('v1', 'Namespace');

/** Deletes what runs of a workspace, and waits until its pods are gone; volumes, credentials and services stay. Gives the names. */
export async function stopWorkloads(client: KubeClient, teardown: Teardown): Promise<string[]> {
  const found = (await findOwn<Workload>(client, WORKLOADS, teardown)).filter((object) => !isComplete(object));
  await deleteObjects(client, found, teardown);
  return namesOf(found);
}

/**
 * Deletes everything that carries the workspace's labels: workloads, then what they stood on, then the namespaces that forge made
 * and in which nobody else has anything. Gives the names of the workloads.
 */
export async function removeWorkspace(client: KubeClient, teardown: Teardown): Promise<string[]> {
  const workloads = await findOwn(client, WORKLOADS, teardown);
  await deleteObjects(client, workloads, teardown);
  await deleteObjects(client, await findOwn(client, [...REST, ...SELDOM], teardown), teardown);
  await removeNamespaces(client, await findOwn(client, NAMESPACES, teardown), teardown.workspace, teardown);
  return namesOf(workloads);
}

/**
 * Deletes workloads and services in these namespaces only, for servers that are no part of the stack any more. Their data stays, and
 * so do their services' settings; a service would hold a port of the node.
 */
export async function withdrawFrom(client: KubeClient, teardown: Teardown): Promise<string[]> {
  const inside = new Set(teardown.namespaces);
  const found = await findOwn<Workload>(client, [...WORKLOADS, ...SERVICES], teardown);
  const unwanted = found.filter((object) => inside.has(object.metadata.namespace ?? '') && !isComplete(object));
  await deleteObjects(client, unwanted, teardown);
  return namesOf(unwanted);
}

/** Such a Job runs nothing, and tells that its work is not to be done again. */
const isComplete = ({ kind, status }: Workload): boolean =>
  kind === 'Job' && conditionOf(status?.conditions, 'Complete')?.status === 'True';

const namesOf = (objects: KubeObject[]): string[] =>
  objects
    .filter(({ kind }) => WORKLOADS.some((workload) => workload.kind === kind))
    .map(({ metadata }) => metadata.name)
    .sort();

/** All objects of these kinds with the workspace's labels, but for those that belong to another object and go with it. */
async function findOwn<T extends KubeObject>(client: KubeClient, kinds: Kind[], teardown: Teardown): Promise<T[]> {
  const found = (await Promise.all(kinds.map((kind) => listOwn<T>(client, kind, teardown)))).flat();
  return found.filter((object) => isOwn(object, teardown.workspace) && (object.metadata.ownerReferences ?? []).length === 0);
}

async function listOwn<T extends KubeObject>(client: KubeClient, kind: Kind, { workspace, namespaces, signal }: Teardown): Promise<T[]> {
  const labels = workspaceSelector(workspace);
  try {
    return (await client.list<T>({ ...kind, labels }, { signal })).items;
  } catch (error) {
    if (!isKubeError(error, 403)) throw error;
  }
  try {
    if (kind.kind === 'Namespace')
      return (await Promise.all(namespaces.map((name) => client.get<T>({ ...kind, name }, { signal })))).filter((one) => one !== undefined);
    const lists = await Promise.all(namespaces.map((namespace) => client.list<T>({ ...kind, namespace, labels }, { signal })));
    return lists.flatMap(({ items }) => items);
  } catch (error) {
    if (!isKubeError(error, 403) || !SELDOM.includes(kind)) throw error;
    return [];
  }
}
