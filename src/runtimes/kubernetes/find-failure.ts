import { isKubeError, type KubeClient } from '../../clients/kubernetes.js';
import { podFailure, type Failure } from './failure.js';
import { claimFailure } from './failure-schedule.js';
import { eventTime, type KubeEvent, type Pod } from './pod-types.js';
import type { Found } from './report.js';
import type { WorkloadView } from './view.js';

export interface FindOptions {
  images: Readonly<Record<string, string>>;
  since: number;
  /** When each failure that may pass was seen first. */
  firstSeen: Map<string, number>;
  signal: AbortSignal;
}

/** What keeps the workload from becoming ready; with `inMs` it may still pass, and counts only after that time. */
export async function findFailure(
  client: KubeClient,
  view: WorkloadView,
  options: FindOptions,
): Promise<{ found: Found; inMs?: number } | undefined> {
  const candidates = candidatesOf(view, options);
  forgetPassed(candidates, options.firstSeen);
  let soonest: { found: Found; inMs: number } | undefined;
  for (const found of candidates) {
    const { failure, pod } = found;
    const key = keyOf(found);
    const first = options.firstSeen.get(key) ?? performance.now();
    options.firstSeen.set(key, first);
    const inMs = (failure.graceMs ?? 0) - (performance.now() - first);
    if (inMs > 0) {
      if (soonest === undefined || inMs < soonest.inMs) soonest = { found, inMs };
      continue;
    }
    if (failure.needsRoom !== true) return { found };
    const others = await allPods(client, options.signal);
    if (others.some(({ metadata }) => metadata.deletionTimestamp !== undefined)) soonest ??= { found, inMs: 500 };
    else return { found: { ...found, failure: withHolders(failure, pod, others) } };
  }
  return soonest;
}

const keyOf = ({ failure, pod }: Found): string => `${pod?.metadata.uid ?? ''} ${failure.code}`;

function forgetPassed(candidates: Found[], firstSeen: Map<string, number>): void {
  const present = new Set(candidates.map(keyOf));
  for (const key of firstSeen.keys()) if (!present.has(key)) firstSeen.delete(key);
}

function candidatesOf(view: WorkloadView, { images, since }: FindOptions): Found[] {
  const ofJob = view.workload.kind === 'Job';
  const ofPods = view.pods.flatMap((pod) => {
    const events = view.events.filter(({ involvedObject }) => involvedObject?.uid === pod.metadata.uid);
    // What was put out before this run has another pod in its place by now.
    if (pod.status?.phase === 'Failed' && Date.parse(pod.metadata.creationTimestamp ?? '') < since) return [];
    const failure = podFailure({ pod, events, ofJob, images, since });
    return failure === undefined ? [] : [{ failure, pod }];
  });
  const recent = view.events.filter((event) => eventTime(event) >= since - 1_000);
  const own = claimFailure(recent) ?? creationFailure(recent);
  return own === undefined ? ofPods : [...ofPods, { failure: own }];
}

/** Pods that may not even be made: by a quota, a policy, a webhook. */
function creationFailure(events: readonly KubeEvent[]): Failure | undefined {
  const event = events.find(
    ({ reason, message = '' }) =>
      reason === 'FailedCreate' &&
      /exceeded quota|violates PodSecurity|denied the request|forbidden|is invalid/i.test(message) &&
      !/serviceaccount ".*" not found|being terminated|object is being deleted/.test(message),
  );
  if (event === undefined) return undefined;
  const hint = /exceeded quota/.test(event.message ?? '')
    ? 'The namespace has a quota that the stack exceeds: have it raised, or use another cluster'
    : 'A rule of the cluster forbids the pod: have it changed for this namespace, or use another cluster';
  return { code: 'POD_FORBIDDEN', what: `FailedCreate: ${event.message ?? ''}`, hint };
}

async function allPods(client: KubeClient, signal: AbortSignal): Promise<Pod[]> {
  try {
    return (await client.list<Pod>({ apiVersion: 'v1', kind: 'Pod' }, { signal })).items;
  } catch (error) {
    // Whoever may not see other people's pods cannot be told about them.
    if (isKubeError(error, 403)) return [];
    throw error;
  }
}

const hostPorts = ({ spec }: Pod): number[] =>
  (spec?.containers ?? []).flatMap(({ ports = [] }) => ports.flatMap(({ hostPort }) => hostPort ?? []));

/** Names the pod that has the port. */
function withHolders(failure: Failure, pod: Pod | undefined, others: Pod[]): Failure {
  if (failure.code !== 'HOST_PORT_TAKEN' || pod === undefined) return failure;
  const wanted = hostPorts(pod);
  const holders = others.flatMap((other) => {
    const shared = hostPorts(other).filter((port) => wanted.includes(port));
    const isOther = other.metadata.uid !== pod.metadata.uid && other.spec?.nodeName !== undefined;
    return isOther && shared.length > 0 ? [{ name: `${other.metadata.namespace ?? ''}/${other.metadata.name}`, shared }] : [];
  });
  if (holders.length === 0) return failure;
  const told = holders.map(({ name, shared }) => `pod ${name} holds port ${shared.join(', ')}`).join('; ');
  const names = holders.map(({ name }) => name).join(' and ');
  return { ...failure, what: `${failure.what}; ${told}`, hint: `Delete pod ${names} or what made it, then run the same command again` };
}
