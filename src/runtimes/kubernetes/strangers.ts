import { isKubeError, nameOf, refOf, type KubeClient, type KubeObject } from '../../clients/kubernetes.js';
import { isOwn } from './labels.js';

/** What Kubernetes itself puts into a namespace, or keeps there about other objects. */
const SYSTEM_KINDS = new Set(['Event', 'Endpoints', 'EndpointSlice', 'ControllerRevision', 'Lease', 'PodMetrics', 'CSIStorageCapacity']);
const SYSTEM_OBJECTS = new Set(['ConfigMap kube-root-ca.crt', 'ServiceAccount default']);

/** Objects in a namespace that this workspace did not make: they would go with it. */
export async function strangersIn(client: KubeClient, namespace: string, workspace: string, signal?: AbortSignal): Promise<string[]> {
  const kinds = (await client.resources({ signal })).filter(({ namespaced, kind }) => namespaced && !SYSTEM_KINDS.has(kind));
  const lists = await Promise.all(
    kinds.map(async ({ apiVersion, kind }) => {
      try {
        return (await client.list({ apiVersion, kind, namespace, metadataOnly: true }, { signal })).items;
      } catch (error) {
        // Aggregated kinds without a server behind them, and what may not be looked at.
        if (isKubeError(error, 403, 405, 503)) return [];
        throw error;
      }
    }),
  );
  return lists
    .flat()
    .filter((object) => isStranger(object, workspace))
    .map((object) => nameOf(refOf(object)));
}

function isStranger(object: KubeObject, workspace: string): boolean {
  const { name, ownerReferences = [], annotations = {}, deletionTimestamp } = object.metadata;
  if (isOwn(object, workspace) || ownerReferences.length > 0 || deletionTimestamp !== undefined) return false;
  if (annotations['kubernetes.io/service-account.name'] !== undefined) return false;
  return !SYSTEM_OBJECTS.has(`${object.kind} ${name}`);
}
