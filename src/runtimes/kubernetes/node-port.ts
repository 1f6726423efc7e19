import { nameOf, refOf, type KubeClient, type KubeError, type KubeObject } from '../../clients/kubernetes.js';
import { serverError, type ForgeError } from '../../errors.js';
import { isOwn, type Ownership } from './labels.js';

interface Service extends KubeObject {
  spec?: { ports?: { nodePort?: number }[] };
}

export interface TakenPort {
  error: ForgeError;
  /** Held by a Service of this workspace, which goes when its turn comes. */
  byOwn: boolean;
}

/** Who holds a node port that a Service cannot have; undefined when the refusal is about something else. */
export async function takenNodePort(
  client: KubeClient,
  object: KubeObject,
  refused: KubeError,
  owner: Ownership,
  signal?: AbortSignal,
): Promise<TakenPort | undefined> {
  const ports = refused.causes.flatMap(({ message = '' }) => {
    const port = /Invalid value: (\d+): provided port is already allocated/.exec(message)?.[1];
    return port === undefined ? [] : [Number(port)];
  });
  if (ports.length === 0) return undefined;
  const { items } = await client.list<Service>({ apiVersion: 'v1', kind: 'Service' }, { signal });
  const holders = items.filter(({ spec }) => spec?.ports?.some(({ nodePort }) => nodePort !== undefined && ports.includes(nodePort)));
  const by = holders.length === 0 ? 'another Service' : holders.map((holder) => nameOf(refOf(holder))).join(', ');
  const error = serverError({
    code: 'NODE_PORT_TAKEN',
    message: `${nameOf(refOf(object))} needs node port ${ports.join(', ')}, which ${by} holds`,
    hint: `Delete ${by}, or give it another node port, then run the same command again`,
    cause: refused,
  });
  return { error, byOwn: holders.length > 0 && holders.every((holder) => isOwn(holder, owner.workspace)) };
}
