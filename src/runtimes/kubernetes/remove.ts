import { isKubeError, nameOf, refOf, type KubeClient, type KubeObject } from '../../clients/kubernetes.js';
import { serverError, type ForgeError } from '../../errors.js';
import { whenNone } from './gone.js';
import { hasPods, MANIFEST, manifestLabel, workspaceSelector, type Ownership } from './labels.js';
import { removeNamespaces } from './namespaces.js';
import { everyObject, forgetListings } from './owned.js';

export interface RemoveOptions {
  signal?: AbortSignal | undefined;
  note?: (text: string) => void;
  /** Until all of it is gone. */
  patienceMs?: number;
}

const PATIENCE_MS = 180_000;

/**
 * Deletes exactly these objects, and waits until they are gone; a workload stays until its pods have ended. One that somebody
 * put in the place of another since is left alone.
 * @throws ForgeError NOT_REMOVED (exit 4)
 */
export async function deleteObjects(client: KubeClient, objects: readonly KubeObject[], options: RemoveOptions = {}): Promise<void> {
  const { signal, note } = options;
  await Promise.all(
    objects.map(async (object) => {
      note?.(`Removing ${nameOf(refOf(object))}`);
      const propagation = hasPods(object) && object.kind !== 'Pod' ? 'Foreground' : 'Background';
      await client.delete(refOf(object), { uid: object.metadata.uid, propagation, signal }).catch((error: unknown) => {
        if (!isKubeError(error, 409)) throw error;
      });
    }),
  );
  forgetListings(client);
  const left = (await Promise.all(objects.map((object) => leftOf(client, object, options)))).filter((object) => object !== undefined);
  if (left.length > 0) throw notRemoved(left, options);
}

/**
 * Waits until an object that is being deleted is gone.
 * @throws ForgeError NOT_REMOVED (exit 4)
 */
export async function awaitGone(client: KubeClient, object: KubeObject, options: RemoveOptions = {}): Promise<void> {
  const left = await leftOf(client, object, options);
  if (left !== undefined) throw notRemoved([left], options);
}

async function leftOf(client: KubeClient, object: KubeObject, options: RemoveOptions): Promise<KubeObject | undefined> {
  const { signal = new AbortController().signal, patienceMs = PATIENCE_MS } = options;
  const { apiVersion, kind, metadata } = object;
  const query = { apiVersion, kind, namespace: metadata.namespace, fields: `metadata.name=${metadata.name}`, metadataOnly: true };
  const [left] = await whenNone(client, query, (one) => one.metadata.uid === metadata.uid, { signal, patienceMs });
  return left;
}

/** Deletes everything of a manifest, its data and its namespace included; a namespace that holds something of others stays. */
export async function removeManifest(client: KubeClient, owner: Ownership, options: RemoveOptions = {}): Promise<void> {
  const labels = `${workspaceSelector(owner.workspace)},${MANIFEST}=${manifestLabel(owner.manifest)}`;
  const objects = await everyObject(client, labels, options.signal);
  await deleteObjects(client, objects.filter(hasPods), options);
  const namespaces = objects.filter(({ kind }) => kind === 'Namespace');
  await deleteObjects(
    client,
    objects.filter((object) => !hasPods(object) && !namespaces.includes(object)),
    options,
  );
  await removeNamespaces(client, namespaces, owner.workspace, options);
}

function notRemoved(left: KubeObject[], { patienceMs = PATIENCE_MS }: RemoveOptions): ForgeError {
  const names = left.map((object) => {
    const { finalizers = [] } = object.metadata;
    return `${nameOf(refOf(object))}${finalizers.length === 0 ? '' : ` (held by ${finalizers.join(', ')})`}`;
  });
  return serverError({
    code: 'NOT_REMOVED',
    message: `After ${patienceMs / 1000} s these are still there: ${names.join(', ')}`,
    hint: 'See `kubectl describe` for what holds them, then run the same command again',
  });
}
