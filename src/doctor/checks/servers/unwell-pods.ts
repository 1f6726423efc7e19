import { setTimeout as delay } from 'node:timers/promises';
import { connectKubernetes, type KubeClient } from '../../../clients/kubernetes.js';
import { componentOf } from '../../../components/index.js';
import { askItself, type ComponentState } from '../../../components/status.js';
import { podFailure, type Failure } from '../../../runtimes/kubernetes/failure.js';
import { isOwn } from '../../../runtimes/kubernetes/labels.js';
import type { KubeEvent, Pod } from '../../../runtimes/kubernetes/pod-types.js';
import { podDetail } from '../../../runtimes/kubernetes/report.js';
import { kubeTarget } from '../../../runtimes/kubernetes/target.js';
import { UP, type StackPlace, type Trouble } from '../../check.js';
import { RESTART_COSTS } from './localstack.js';
import type { Unwell } from './unwell.js';

/** A busy server may miss one question. */
const AGAIN_MS = 3_000;

/** Servers as pods that do not serve; a pod that cannot come up is told with its reason and its last words. */
export async function unwellPods(place: StackPlace): Promise<Unwell[]> {
  const states = await place.states();
  if (states.length > 0 && states.every(({ state }) => state === 'stopped')) return [{ id: 'server-down', trouble: allDown(states) }];
  return (await Promise.all(states.map((state) => lookAt(place, state)))).flat();
}

const allDown = ([first]: ComponentState[]): Trouble => ({
  title: 'The stack is down: none of its servers runs',
  cause: first?.reason ?? 'they were stopped',
  remedy: '`forge up` starts them',
  fix: UP,
});

async function lookAt(place: StackPlace, state: ComponentState): Promise<Unwell[]> {
  const { name, reason = state.state } = state;
  if (state.state === 'running') return [];
  const isReady = reason.startsWith('not true');
  if (state.state === 'failing' && isReady) {
    const still = await stillFails(place, name);
    return still === undefined ? [] : [{ id: 'server-hung', trouble: silentTrouble(state, still) }];
  }
  const { namespace } = componentOf(name).kubernetes;
  const failed = await failedPod(place, namespace);
  if (failed !== undefined) return [{ id: 'pod-failed', trouble: podTrouble(name, namespace, failed) }];
  const title =
    state.state === 'degraded' ? `${name} runs in part only` : state.state === 'failing' ? `${name} is not ready` : `${name} does not run`;
  return [{ id: 'server-down', trouble: { component: name, title, cause: reason, remedy: '`forge up` brings it back', fix: UP } }];
}

async function stillFails({ stack, signal }: StackPlace, name: string): Promise<string | undefined> {
  const until = Date.now() + AGAIN_MS;
  for (;;) {
    const { state, reason = '' } = await askItself(stack, componentOf(name), signal);
    if (state === 'running' || /refuses the password|tells its clients to use|refuses user/.test(reason)) return undefined;
    if (Date.now() > until) return reason;
    await delay(200, undefined, { signal });
  }
}

/** Of a pod that is ready and does not answer. */
export const silentTrouble = ({ name, pods = [] }: ComponentState, reason: string): Trouble => ({
  component: name,
  title: `${name} runs and does not answer`,
  cause: `Pod ${pods.join(', ')} is ready, but ${reason}`,
  remedy: `See \`forge logs ${name}\`; \`kubectl -n ${componentOf(name).kubernetes.namespace} delete pod ${pods.join(' ')}\` starts it anew, and \`forge up\` waits for it${name === 'localstack' ? ` (${RESTART_COSTS})` : ''}`,
});

interface FailedPod {
  pod: Pod;
  failure: Failure;
  detail: string[];
}

async function failedPod({ stack, signal }: StackPlace, namespace: string): Promise<FailedPod | undefined> {
  const client = await connectKubernetes(kubeTarget(stack));
  const [pods, events] = await Promise.all([
    client.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace }, { signal }),
    client.list<KubeEvent>({ apiVersion: 'v1', kind: 'Event', namespace }, { signal }),
  ]);
  const own = pods.items.filter((pod) => isOwn(pod, stack.workspace.id) && pod.metadata.deletionTimestamp === undefined);
  const found = firstFailure(own, events.items, stack.images);
  return found === undefined ? undefined : { ...found, detail: await tellingLines(client, found, events.items, signal) };
}

/** The first of the pods that cannot come up. Pods of Jobs are their Job's business. */
export function firstFailure(
  pods: readonly Pod[],
  events: readonly KubeEvent[],
  images: Readonly<Record<string, string>>,
): Omit<FailedPod, 'detail'> | undefined {
  for (const pod of pods) {
    if (pod.metadata.labels?.['batch.kubernetes.io/job-name'] !== undefined) continue;
    const own = events.filter(({ involvedObject }) => involvedObject?.uid === pod.metadata.uid);
    const failure = podFailure({ pod, events: own, images });
    if (failure !== undefined) return { pod, failure };
  }
  return undefined;
}

const LOG_LINES = 3;

/** The last that a container wrote, without the events: what they tell is in the failure. */
async function tellingLines(
  client: KubeClient,
  { pod, failure }: Omit<FailedPod, 'detail'>,
  events: readonly KubeEvent[],
  signal: AbortSignal,
): Promise<string[]> {
  if (failure.hasLog === undefined) return [];
  const lines = await podDetail(client, pod, failure, events, signal);
  const start = lines.indexOf('From its log:');
  return start < 0 ? [] : lines.slice(start + 1).slice(-LOG_LINES);
}

/** A finding for a pod that cannot come up. */
export function podTrouble(component: string, namespace: string, { pod, failure, detail }: FailedPod): Trouble {
  const { what, hint, container } = failure;
  const where = `Pod ${namespace}/${pod.metadata.name}${container === undefined ? '' : `, container ${container}`}`;
  const words = detail.length === 0 ? '' : `\nIts last words:\n${detail.join('\n')}`;
  return {
    component,
    title: `${component} cannot come up: ${shortOf(failure)}`,
    cause: `${where}: ${what}${words}`,
    remedy: hint,
    fix: UP,
  };
}

/** `ImagePullBackOff`, `OOMKilled`: what Kubernetes calls it, or forge's own word for it. */
const shortOf = ({ code, what }: Failure): string =>
  /\b(OOMKilled|CrashLoopBackOff|ImagePullBackOff|ErrImagePull|ErrImageNeverPull|InvalidImageName|Evicted|CreateContainerConfigError)\b/.exec(
    what,
  )?.[1] ?? code.toLowerCase().replaceAll('_', ' ');
