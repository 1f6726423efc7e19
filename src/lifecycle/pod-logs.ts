import { connectKubernetes, followObjects, type KubeClient } from '../clients/kubernetes.js';
import { componentsOf } from '../components/index.js';
import { lackingError, usageError, type ForgeError } from '../errors.js';
import { isOwn } from '../runtimes/kubernetes/labels.js';
import { followLines, previousLines, sourcesOf, storedLines, type LogSource, type PodLogOptions } from '../runtimes/kubernetes/logs.js';
import type { Pod, Workload } from '../runtimes/kubernetes/pod-types.js';
import { belongsTo } from '../runtimes/kubernetes/pods.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import type { StackContext } from '../workspace/context.js';
import { redact } from '../workspace/secret.js';

interface Wanted extends PodLogOptions {
  stack: StackContext;
  /** A component, one of its workloads, or a pod. */
  name: string;
  follow: boolean;
  onLine: (process: string, line: string, isSingle: boolean) => void;
}

/** Gives the log lines of a component's pods, one container after the other; following, all of them as they come, new pods too. */
export async function podLogs(wanted: Wanted): Promise<void> {
  const client = await connectKubernetes(kubeTarget(wanted.stack));
  const { namespace, takes } = await choose(client, wanted);
  if (wanted.follow) return follow(client, namespace, takes, wanted);
  const { items } = await client.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace }, { signal: wanted.signal });
  const sources = inOrder(items.filter(takes)).flatMap((pod) => sourcesOf(pod));
  if (sources.length === 0)
    throw lackingError({
      code: 'NO_LOG',
      message: `No pod of ${wanted.name} has written a log`,
      hint: 'See `forge status`; `forge up` brings it up',
    });
  for (const source of sources)
    for (const line of await storedLines(client, source, wanted)) wanted.onLine(source.name, redact(line), sources.length === 1);
}

interface Choice {
  namespace: string;
  takes: (pod: Pod) => boolean;
}

async function choose(client: KubeClient, { stack, name, signal }: Wanted): Promise<Choice> {
  const components = componentsOf(stack);
  const parts = components.flatMap(({ name: component, kubernetes }) =>
    kubernetes.workloads.map((workload) => ({ ...workload, component, namespace: kubernetes.namespace })),
  );
  const chosen = parts.filter((part) => part.component === name || part.name === name);
  const ownPod = (pod: Pod): boolean => isOwn(pod, stack.workspace.id);
  if (chosen[0] !== undefined) {
    const { namespace } = chosen[0];
    const found = await Promise.all(
      chosen.map((part) => client.get<Workload>({ apiVersion: 'apps/v1', kind: part.kind, namespace, name: part.name }, { signal })),
    );
    const workloads = found.filter((workload) => workload !== undefined);
    // Those that follow may be here before it is.
    if (workloads.length === 0) return { namespace, takes: (pod) => ownPod(pod) && pod.metadata.labels?.[JOB_NAME] === undefined };
    return { namespace, takes: (pod) => ownPod(pod) && workloads.some((workload) => belongsTo(pod, workload)) };
  }
  for (const namespace of new Set(parts.map((part) => part.namespace))) {
    const { items } = await client.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace }, { signal });
    const isIt = (pod: Pod): boolean => ownPod(pod) && (pod.metadata.name === name || pod.metadata.labels?.[JOB_NAME] === name);
    if (items.some(isIt)) return { namespace, takes: isIt };
  }
  throw unknown(
    name,
    parts.flatMap((part) => [part.component, part.name]),
  );
}

const JOB_NAME = 'batch.kubernetes.io/job-name';

const inOrder = (pods: Pod[]): Pod[] => {
  const key = ({ metadata }: Pod): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`;
  return pods.sort((a, b) => (key(a) < key(b) ? -1 : 1));
};

/** A failure of one of the logs ends all of them. */
async function follow(client: KubeClient, namespace: string, takes: Choice['takes'], wanted: Wanted): Promise<void> {
  const { signal, since, lines, onLine } = wanted;
  const end = new AbortController();
  const either = AbortSignal.any([signal, end.signal]);
  const followed = new Map<string, Promise<void>>();
  let live = 0;
  let isFirst = true;
  const begin = async (source: LogSource, options: PodLogOptions): Promise<void> => {
    live += 1;
    const tell = (line: string): void => onLine(source.name, redact(line), live === 1);
    for (const line of await previousLines(client, source, options)) tell(line);
    for await (const line of followLines(client, source, options)) tell(line);
    live -= 1;
  };
  const onPods = (pods: readonly Pod[]): void => {
    for (const pod of inOrder(pods.filter(takes)))
      for (const source of sourcesOf(pod)) {
        const key = `${pod.metadata.uid ?? ''} ${source.container}`;
        // A pod that comes while others are followed is told from its beginning.
        const options = { signal: either, ...(isFirst ? { since, lines } : {}) };
        if (!followed.has(key)) followed.set(key, begin(source, options));
        followed.get(key)?.catch(() => end.abort());
      }
    isFirst = false;
  };
  const watching = followObjects<Pod>(client, { apiVersion: 'v1', kind: 'Pod', namespace }, { signal: either }, onPods);
  const [watched, ...logs] = [await settled(watching), ...(await Promise.all([...followed.values()].map(settled)))];
  if (signal.aborted) return;
  const failed = logs.find((log) => log !== undefined) ?? watched;
  if (failed !== undefined) throw failed.error;
}

const settled = (work: Promise<unknown>): Promise<{ error: unknown } | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );

const unknown = (name: string, names: string[]): ForgeError =>
  usageError({
    code: 'UNKNOWN_COMPONENT',
    message: `This stack has no component ${name}`,
    hint: `It has ${[...new Set(names)].join(', ')}`,
  });
