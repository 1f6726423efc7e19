import { isKubeError, type KubeClient, type KubeObject } from '../../clients/kubernetes.js';
import { serverError } from '../../errors.js';
import { whenNone } from './gone.js';
import type { Condition } from './pod-types.js';
import type { RemoveOptions } from './remove.js';
import { strangersIn } from './strangers.js';

interface Namespace extends KubeObject {
  status?: { conditions?: Condition[] };
}

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' } as const;
const PATIENCE_MS = 180_000;

/** Deletes namespaces that forge made for the workspace. One that holds something of others stays, and a note tells so. */
export async function removeNamespaces(
  client: KubeClient,
  namespaces: readonly KubeObject[],
  workspace: string,
  options: RemoveOptions,
): Promise<void> {
  await Promise.all(
    namespaces.map(async (namespace) => {
      const { name } = namespace.metadata;
      const strangers = await strangersIn(client, name, workspace, options.signal);
      if (strangers.length === 0) return removeNamespace(client, namespace, options);
      options.note?.(`Namespace ${name} stays: it holds ${shortList(strangers)}, which forge did not make`);
    }),
  );
}

async function removeNamespace(client: KubeClient, namespace: KubeObject, options: RemoveOptions): Promise<void> {
  const { signal = new AbortController().signal, note, patienceMs = PATIENCE_MS } = options;
  const { name, uid } = namespace.metadata;
  note?.(`Removing Namespace ${name}`);
  await client.delete({ ...NAMESPACE, name }, { uid, signal }).catch((error: unknown) => {
    if (!isKubeError(error, 409)) throw error;
  });
  const query = { ...NAMESPACE, fields: `metadata.name=${name}` };
  const [left] = await whenNone<Namespace>(client, query, ({ metadata }) => metadata.uid === uid, { signal, patienceMs });
  if (left === undefined) return;
  throw serverError({
    code: 'NAMESPACE_STUCK',
    message: `Namespace ${name} does not go within ${patienceMs / 1000} s${holdersOf(left)}`,
    hint: 'Whoever put these finalizers there has to take them away; then run the same command again',
  });
}

/** Kubernetes itself says what holds a namespace. */
function holdersOf({ status }: Namespace): string {
  const told = (status?.conditions ?? []).filter(({ type, status }) => /Remaining$|Failure$/.test(type) && status === 'True');
  const texts = told.flatMap(({ message }) => message ?? []);
  return texts.length === 0 ? '' : `: ${texts.join('; ')}`;
}

const shortList = (names: string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
