import { nameOf, type KubeClient, type KubeRef } from '../../clients/kubernetes.js';
import { serverError, type ForgeError } from '../../errors.js';
import { redact } from '../../workspace/secret.js';
import type { Failure } from './failure.js';
import { containersOf, eventCount, eventTime, type KubeEvent, type Pod } from './pod-types.js';

const LOG_LINES = 15;
const EVENTS = 6;

/** A failure with the pod that shows it; a workload's own failure has none. */
export interface Found {
  failure: Failure;
  pod?: Pod;
}

/** The error that tells why a workload will not become ready: the reason, what Kubernetes noted, the last lines of the log. */
export async function failureError(
  client: KubeClient,
  ref: KubeRef,
  { failure, pod }: Found,
  events: readonly KubeEvent[],
  signal?: AbortSignal,
): Promise<ForgeError> {
  const { code, what, hint, container } = failure;
  const where = pod === undefined ? '' : `pod ${pod.metadata.name}${container === undefined ? '' : `, container ${container}`}: `;
  const detail = pod === undefined ? eventLines(events) : await podDetail(client, pod, failure, events, signal);
  return serverError({ code, message: redact([`${nameOf(ref)}: ${where}${what}`, ...detail].join('\n')), hint });
}

/** What Kubernetes noted of a pod, and what its container wrote. */
export async function podDetail(
  client: KubeClient,
  pod: Pod,
  { container, hasLog }: Pick<Failure, 'container' | 'hasLog'>,
  events: readonly KubeEvent[],
  signal?: AbortSignal,
): Promise<string[]> {
  const own = events.filter(({ involvedObject }) => involvedObject?.uid === pod.metadata.uid);
  const lines = hasLog === undefined || container === undefined ? [] : await logLines(client, pod, container, hasLog === 'before', signal);
  return [...eventLines(own), ...lines];
}

function eventLines(events: readonly KubeEvent[]): string[] {
  const newest = [...events].sort((a, b) => eventTime(a) - eventTime(b)).slice(-EVENTS);
  if (newest.length === 0) return [];
  return [
    'Events:',
    ...newest.map((event) => `  ${event.reason ?? ''}${times(event)}: ${(event.message ?? '').replace(/\s+/g, ' ').slice(0, 400)}`),
  ];
}

const times = (event: KubeEvent): string => (eventCount(event) > 1 ? ` (${eventCount(event)} times)` : '');

async function logLines(client: KubeClient, pod: Pod, container: string, previous: boolean, signal?: AbortSignal): Promise<string[]> {
  const ref = { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name, container };
  const read = async (ofPrevious: boolean): Promise<string | undefined> =>
    // A log that cannot be had must not hide the reason.
    client.logs(ref, { tailLines: LOG_LINES, previous: ofPrevious, signal }).catch(() => undefined);
  const text = (await read(previous)) ?? (previous ? await read(false) : undefined);
  const lines = (text ?? '').split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) return ['It wrote nothing.'];
  return ['From its log:', ...lines.map((line) => `  ${line}`)];
}

/** What a pod is busy with, in a few words. */
export function stateOf(pod: Pod): string {
  const waiting = containersOf(pod).find(({ state }) => state?.waiting !== undefined);
  const unready = containersOf(pod).find(({ state, ready }) => state?.running !== undefined && ready !== true);
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return `pod ${pod.metadata.name} has no node yet: ${scheduled.message ?? ''}`;
  if (waiting !== undefined) return `pod ${pod.metadata.name}, container ${waiting.name}: ${waiting.state?.waiting?.reason ?? 'waiting'}`;
  if (unready !== undefined) return `pod ${pod.metadata.name}, container ${unready.name}: runs and is not ready`;
  return `pod ${pod.metadata.name}: ${pod.status?.phase ?? 'new'}`;
}
