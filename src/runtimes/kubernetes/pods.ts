import type { KubeClient } from '../../clients/kubernetes.js';
import { WORKSPACE } from './labels.js';
import { conditionOf, containersOf, type ContainerStatus, type Pod, type Terminated, type Workload } from './pod-types.js';

/** A workload that a component should have, as it is. */
export interface FoundWorkload {
  kind: string;
  name: string;
  /** Undefined when there is none. */
  object: Workload | undefined;
  pods: Pod[];
}

interface Wanted {
  namespace: string;
  workloads: readonly { kind: 'Deployment' | 'StatefulSet'; name: string }[];
}

/** Looks for the workloads of a component and for their pods; pods that have ended or are ending do not count. */
export async function findWorkloads(client: KubeClient, wanted: Wanted, signal?: AbortSignal): Promise<FoundWorkload[]> {
  const { namespace, workloads } = wanted;
  const kinds = [...new Set(workloads.map(({ kind }) => kind))];
  const [pods, ...lists] = await Promise.all([
    client.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace }, { signal }),
    ...kinds.map((kind) => client.list<Workload>({ apiVersion: 'apps/v1', kind, namespace }, { signal })),
  ]);
  const all = lists.flatMap(({ items }) => items);
  const present = pods.items.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  return workloads.map(({ kind, name }) => {
    const object = all.find((one) => one.kind === kind && one.metadata.name === name);
    return { kind, name, object, pods: object === undefined ? [] : present.filter((pod) => belongsTo(pod, object)) };
  });
}

/** Whether a workload's selector takes the pod, and both are of the same workspace: in a shared namespace others may use the same names. */
export function belongsTo(pod: Pod, { spec, metadata }: Workload): boolean {
  if (pod.metadata.labels?.[WORKSPACE] !== metadata.labels?.[WORKSPACE]) return false;
  const wanted = Object.entries(spec?.selector?.matchLabels ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

export const desiredOf = ({ spec }: Workload): number => spec?.replicas ?? 1;

/** `OOMKilled`, `exit code 3`. */
export function endOf({ reason, exitCode }: Terminated): string {
  return reason === undefined || reason === 'Error' || reason === 'Completed' ? `exit code ${exitCode}` : reason;
}

/** Whether a container of the pod has ended by itself and is not running again. */
export function hasDied(pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  return containersOf(pod).some(({ state, lastState }) => {
    if (state?.terminated !== undefined) return state.terminated.exitCode !== 0;
    return state?.waiting?.reason === 'CrashLoopBackOff' || (state?.waiting !== undefined && lastState?.terminated !== undefined);
  });
}

const STARTING = new Set(['ContainerCreating', 'PodInitializing']);

/** Why a pod does not serve, in plain words: what its containers wait for, how they ended, how often they were started again. */
export function troubleOf(pod: Pod): string {
  const { name } = pod.metadata;
  const { phase, reason, message, conditions } = pod.status ?? {};
  if (phase === 'Failed')
    return `${name} failed${reason === undefined ? '' : `: ${reason}`}${message === undefined ? '' : ` (${message})`}`;
  const scheduled = conditionOf(conditions, 'PodScheduled');
  if (scheduled?.status === 'False') return `${name} finds no node: ${scheduled.message ?? scheduled.reason ?? 'no reason given'}`;
  const told = containersOf(pod)
    .map((status) => containerTrouble(status))
    .find((text) => text !== undefined);
  return `${name} ${told ?? 'is starting'}`;
}

function containerTrouble({ name, state, lastState, restartCount, ready }: ContainerStatus): string | undefined {
  const last = lastState?.terminated;
  const before = last === undefined ? '' : `; ended with ${endOf(last)}, restarts: ${restartCount}`;
  if (state?.waiting?.reason !== undefined && !STARTING.has(state.waiting.reason))
    return `(${name}) waits: ${state.waiting.reason}${detail(state.waiting.message)}${before}`;
  if (state?.terminated !== undefined && state.terminated.exitCode !== 0)
    return `(${name}) ended with ${endOf(state.terminated)}, restarts: ${restartCount}`;
  if (state?.running !== undefined && ready !== true) return `(${name}) runs and is not ready${before}`;
  return undefined;
}

/** A message of Kubernetes can be long, and repeats itself. */
const detail = (message: string | undefined): string => (message === undefined ? '' : ` (${message.slice(0, 200)})`);

const RECENT_MS = 3_600_000;

/** Of a pod that serves: that it was started again in the last hour, and why. */
export function restartsOf(pod: Pod, now = Date.now()): string | undefined {
  const restarted = (pod.status?.containerStatuses ?? []).find(({ lastState }) => {
    const finished = Date.parse(lastState?.terminated?.finishedAt ?? '');
    return now - finished < RECENT_MS;
  });
  const last = restarted?.lastState?.terminated;
  if (restarted === undefined || last === undefined) return undefined;
  return `${pod.metadata.name} (${restarted.name}) was restarted; ended with ${endOf(last)}, restarts: ${restarted.restartCount}`;
}
