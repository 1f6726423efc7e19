import { openAccess } from '../../clients/kubernetes-access.js';
import { openPodPort } from '../../clients/kubernetes-forward.js';
import { connectKubernetes, followObjects, type KubeClient } from '../../clients/kubernetes.js';
import type { KubeObject, KubeTarget } from '../../clients/kubernetes-types.js';
import { serverError } from '../../errors.js';
import type { Dial, Forward, ServicePort } from './forward.js';

interface Service extends KubeObject {
  spec?: { ports?: { name?: string; port: number }[] };
}

/** Where a service leads to at this moment, as Kubernetes itself keeps it; with no pod at all, its lists are null. */
export interface EndpointSlice extends KubeObject {
  endpoints?: Endpoint[] | null;
  ports?: { name?: string; port?: number }[] | null;
}

interface Endpoint {
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  targetRef?: { kind?: string; name?: string };
}

interface PodEndpoint {
  pod: string;
  port: number;
}

const SERVICE_NAME = 'kubernetes.io/service-name';
const SLICE = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' } as const;

/** Ready pods of a service and their port, by what its slices say; the port's name joins a service and its slices. */
export function readyPods(slices: readonly EndpointSlice[], portName: string): PodEndpoint[] {
  return slices.flatMap(({ endpoints, ports }) => {
    const port = ports?.find(({ name = '' }) => name === portName)?.port;
    if (port === undefined) return [];
    return (endpoints ?? []).flatMap(({ conditions = {}, targetRef }) => {
      const { ready = true, serving = true, terminating = false } = conditions;
      return targetRef?.kind === 'Pod' && targetRef.name !== undefined && ready && serving && !terminating
        ? [{ pod: targetRef.name, port }]
        : [];
    });
  });
}

/** Connects to a pod that is ready behind a service; with several of them, to any that takes the connection. */
export async function dialer(target: KubeTarget): Promise<Dial> {
  const client = await connectKubernetes(target);
  const access = await openAccess(target);
  return async ({ namespace, service, port }, signal) => {
    const [found, slices] = await Promise.all([
      client.get<Service>({ apiVersion: 'v1', kind: 'Service', namespace, name: service }, { signal }),
      slicesOf(client, { namespace, service }, signal),
    ]);
    const name = found?.spec?.ports?.find((one) => one.port === port)?.name ?? '';
    const pods = shuffled(readyPods(slices, name));
    let last: unknown;
    for (const { pod, port: podPort } of pods)
      try {
        return await openPodPort(access, { namespace, pod, port: podPort }, signal);
      } catch (error) {
        signal.throwIfAborted();
        last = error;
      }
    throw serverError({
      code: 'NO_READY_POD',
      message: `No pod behind service ${namespace}/${service} takes a connection on its port ${port}`,
      hint: 'See `forge status`',
      cause: last,
    });
  };
}

async function slicesOf(
  client: KubeClient,
  { namespace, service }: Pick<ServicePort, 'namespace' | 'service'>,
  signal?: AbortSignal,
): Promise<EndpointSlice[]> {
  const query = { ...SLICE, namespace, labels: `${SERVICE_NAME}=${service}` };
  return (await client.list<EndpointSlice>(query, { signal })).items;
}

/** Whoever stands first would get every connection. */
function shuffled<T>(items: T[]): T[] {
  const first = Math.floor(Math.random() * items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/** Tells the ready pods behind each forward, now and whenever they change; ends by the signal, or when the cluster refuses. */
export async function followReady(
  client: KubeClient,
  forwards: readonly Forward[],
  signal: AbortSignal,
  onPods: (forward: Forward, pods: string[]) => void,
): Promise<void> {
  const namespaces = [...new Set(forwards.map(({ to }) => to.namespace))];
  await Promise.all(
    namespaces.map((namespace) => {
      const inside = forwards.filter(({ to }) => to.namespace === namespace);
      return followObjects<EndpointSlice>(client, { ...SLICE, namespace }, { signal }, (slices) => {
        for (const forward of inside) {
          const own = slices.filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === forward.to.service);
          // Every port of a pod is there or none is: which one does not matter here.
          const ports = own.flatMap(({ ports }) => (ports ?? []).map(({ name = '' }) => name));
          onPods(forward, [...new Set(ports.flatMap((port) => readyPods(own, port).map(({ pod }) => pod)))].sort());
        }
      });
    }),
  );
}
