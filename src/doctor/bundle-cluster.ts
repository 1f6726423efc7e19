import { connectKubernetes, type KubeClient } from '../clients/kubernetes.js';
import { componentsOf } from '../components/index.js';
import { isOwn } from '../runtimes/kubernetes/labels.js';
import { sourcesOf, storedLines } from '../runtimes/kubernetes/logs.js';
import type { KubeEvent, Pod } from '../runtimes/kubernetes/pod-types.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import type { StackContext } from '../workspace/context.js';
import { jsonPart, partsOf, type BundlePart } from './bundle.js';

const LINES = 1000;
const EVENTS = 300;

/** What the stack's cluster tells of it. */
export async function clusterParts(stack: StackContext, withLogs: boolean, signal: AbortSignal): Promise<BundlePart[]> {
  return partsOfCluster(await connectKubernetes(kubeTarget(stack)), stack, withLogs, signal);
}

/** Pods of the stack as they are (not what they were given: that may hold secrets), the events around them, and their logs. */
export async function partsOfCluster(
  client: KubeClient,
  stack: Pick<StackContext, 'catalog' | 'engine' | 'workspace'>,
  withLogs: boolean,
  signal: AbortSignal,
): Promise<BundlePart[]> {
  const parts = componentsOf(stack).map(({ kubernetes }) => kubernetes);
  const namespaces = [...new Set(parts.map(({ namespace }) => namespace))];
  const list = async <T extends Pod | KubeEvent>(kind: string): Promise<T[]> =>
    (await Promise.all(namespaces.map((namespace) => client.list<T>({ apiVersion: 'v1', kind, namespace }, { signal })))).flatMap(
      ({ items }) => items,
    );
  const [pods, events] = await Promise.all([list<Pod>('Pod'), list<KubeEvent>('Event')]);
  const workloads = parts.flatMap((part) => part.workloads.map(({ name }) => name));
  // A namespace may be shared with others, whose events are nobody else's business.
  const isAbout = ({ involvedObject }: KubeEvent): boolean => workloads.some((name) => involvedObject?.name?.includes(name) === true);
  const own = pods.filter((pod) => isOwn(pod, stack.workspace.id));
  const logs = withLogs
    ? own
        .flatMap((pod) => sourcesOf(pod))
        .map((source) =>
          partsOf(`logs/${source.pod}-${source.container}`, async () => [
            {
              name: `logs/${source.pod}-${source.container}.log`,
              text: `${(await storedLines(client, source, { lines: LINES, signal })).join('\n')}\n`,
            },
          ]),
        )
    : [];
  return [
    jsonPart('kubernetes/pods.json', own.map(podFacts)),
    jsonPart('kubernetes/events.json', events.filter(isAbout).map(eventFacts).sort(byTime).slice(-EVENTS)),
    ...(await Promise.all(logs)).flat(),
  ];
}

const podFacts = ({ metadata: { namespace, name, creationTimestamp }, spec, status }: Pod) => ({
  namespace,
  name,
  created: creationTimestamp,
  node: spec?.nodeName,
  resources: spec?.containers.map(({ name: container, image, resources }) => ({ container, image, resources })),
  status,
});

const eventFacts = ({ type, reason, message, count, firstTimestamp, lastTimestamp, eventTime, involvedObject }: KubeEvent) => ({
  last: lastTimestamp ?? eventTime ?? firstTimestamp ?? '',
  type,
  reason,
  object: `${involvedObject?.kind ?? ''} ${involvedObject?.namespace ?? ''}/${involvedObject?.name ?? ''}`,
  message,
  count,
});

const byTime = (a: { last: string }, b: { last: string }): number => (a.last < b.last ? -1 : 1);
