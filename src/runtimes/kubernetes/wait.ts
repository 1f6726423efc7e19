import { nameOf, type KubeClient, type KubeRef } from '../../clients/kubernetes.js';
import { serverError, type ForgeError } from '../../errors.js';
import { dnsError } from './dns.js';
import { pullsOf } from './failure-image.js';
import { jobFailure } from './failure-job.js';
import { findFailure } from './find-failure.js';
import { mendPods } from './mend.js';
import type { Workload } from './pod-types.js';
import { API_VERSIONS, readinessOf, type ReadyKind } from './ready.js';
import { failureError, podDetail, stateOf, type Found } from './report.js';
import { RUN_START } from './stale.js';
import { followWorkload, type WorkloadView } from './view.js';

export interface WaitOptions {
  kind: ReadyKind;
  name: string;
  namespace: string;
  /** Until it has to be ready, the time in which images are pulled not counted. */
  readySeconds: number;
  /** For pulling images alone. */
  pullSeconds: number;
  /** Whose pods may be deleted to start them anew; without it none are. */
  workspace?: string;
  images?: Readonly<Record<string, string>>;
  signal: AbortSignal;
  progress?: (text: string) => void;
  /** What failed before counts for nothing; the start of this run when left out. */
  since?: number;
}

/**
 * Waits until a Deployment or StatefulSet runs as it is described, or a Job is complete. Ends at once with the reason when a
 * pod shows that this will not happen.
 */
export async function awaitReady(client: KubeClient, options: WaitOptions): Promise<void> {
  const ref: KubeRef = { apiVersion: API_VERSIONS[options.kind], kind: options.kind, name: options.name, namespace: options.namespace };
  const found = await client.get<Workload>(ref, { signal: options.signal });
  if (found === undefined) throw notThere(ref, 'is not there');
  const selector = Object.entries(found.spec?.selector?.matchLabels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    await untilReady(client, ref, followWorkload(client, ref, selector, signal), { ...options, signal });
  } catch (error) {
    options.signal.throwIfAborted();
    throw error;
  } finally {
    over.abort();
  }
}

async function untilReady(
  client: KubeClient,
  ref: KubeRef,
  follower: ReturnType<typeof followWorkload>,
  options: WaitOptions,
): Promise<void> {
  const { signal, progress, since = RUN_START } = options;
  const budget = new Budget();
  const firstSeen = new Map<string, number>();
  for (;;) {
    const changed = follower.changed();
    // Nobody may wait for it any more when the watches are ended.
    changed.catch(() => undefined);
    const view = follower.view();
    let pause = 1_000;
    if (view === 'gone') throw notThere(ref, 'was deleted while it was waited for');
    if (view !== undefined) {
      if (readinessOf(view.workload).ready) return;
      const job = jobFailure(view);
      if (job !== undefined) throw await failureError(client, ref, job, view.events, signal);
      await mendPods(client, view, { workspace: options.workspace, since, signal, progress });
      const failure = await findFailure(client, view, { images: options.images ?? {}, since, firstSeen, signal });
      if (failure !== undefined) {
        if (failure.inMs === undefined) throw await whyFailed(client, ref, failure.found, view, { since, signal });
        pause = Math.min(pause, failure.inMs);
      }
      progress?.(progressText(view));
    }
    const isPulling = view !== undefined && view.pods.some((pod) => pullsOf(pod, eventsOf(view, pod.metadata.uid)).length > 0);
    budget.spend(isPulling ? 'pull' : 'ready');
    if (budget.dnsIsDue()) {
      const dns = await dnsError(client, ref, since, signal);
      if (dns !== undefined) throw dns;
    }
    const tooLong = budget.exceeded(options);
    if (tooLong !== undefined) throw await lateError(client, ref, view, tooLong, options);
    await within(changed, pause);
  }
}

/** A server that finds no other often ends: then what it says of it is not the reason. */
async function whyFailed(
  client: KubeClient,
  ref: KubeRef,
  found: Found,
  view: WorkloadView,
  { since, signal }: { since: number; signal: AbortSignal },
): Promise<ForgeError> {
  const dns = found.failure.code === 'CONTAINER_CRASHED' ? await dnsError(client, ref, since, signal) : undefined;
  return dns ?? failureError(client, ref, found, view.events, signal);
}

/** Until something changed, at most for so long. */
async function within(changed: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([changed, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  } finally {
    clearTimeout(timer);
  }
}

const eventsOf = ({ events }: WorkloadView, uid: string | undefined) => events.filter(({ involvedObject }) => involvedObject?.uid === uid);

/** What is ready before that needs no look at the cluster's DNS. */
const DNS_AFTER_MS = 15_000;
const DNS_EVERY_MS = 10_000;

/** Time for pulling and time for becoming ready are spent apart. */
class Budget {
  readonly #spent = { pull: 0, ready: 0 };
  #last = performance.now();
  #nextDns = DNS_AFTER_MS;

  spend(on: 'pull' | 'ready'): void {
    const now = performance.now();
    this.#spent[on] += now - this.#last;
    this.#last = now;
  }

  dnsIsDue(): boolean {
    if (this.#spent.ready < this.#nextDns) return false;
    this.#nextDns = this.#spent.ready + DNS_EVERY_MS;
    return true;
  }

  exceeded({ readySeconds, pullSeconds }: WaitOptions): 'pull' | 'ready' | undefined {
    if (this.#spent.ready > readySeconds * 1000) return 'ready';
    return this.#spent.pull > pullSeconds * 1000 ? 'pull' : undefined;
  }
}

function progressText(view: WorkloadView): string {
  const pulls = view.pods.flatMap((pod) => pullsOf(pod, eventsOf(view, pod.metadata.uid)));
  if (pulls.length > 0) {
    const [first] = pulls;
    const seconds = Math.max(0, Math.round((Date.now() - (first?.since ?? 0)) / 1000));
    return `Pulling ${[...new Set(pulls.map(({ image }) => image))].join(', ')} (${seconds} s)`;
  }
  const busy = view.pods.find((pod) => pod.status?.phase !== 'Succeeded');
  return `${readinessOf(view.workload).text}${busy === undefined ? '' : `; ${stateOf(busy)}`}`;
}

async function lateError(
  client: KubeClient,
  ref: KubeRef,
  view: WorkloadView | 'gone' | undefined,
  what: 'pull' | 'ready',
  { readySeconds, pullSeconds, signal }: WaitOptions,
): Promise<ForgeError> {
  if (view === undefined || view === 'gone') return notThere(ref, 'did not show itself in time');
  if (what === 'pull')
    return serverError({
      code: 'IMAGE_PULL_SLOW',
      message: `${nameOf(ref)}: its images were not there after ${pullSeconds} s: ${progressText(view)}`,
      hint: 'The pull goes on: run `forge up` again. `forge images pull` gets them beforehand, `forge images load FILE` without a network',
    });
  const busy = view.pods.find((pod) => pod.status?.phase !== 'Succeeded');
  const container = busy?.status?.containerStatuses?.find(({ ready }) => ready !== true)?.name;
  const detail =
    busy === undefined
      ? []
      : await podDetail(client, busy, { ...(container === undefined ? {} : { container }), hasLog: 'now' }, view.events, signal);
  return serverError({
    code: 'SERVER_NOT_READY',
    message: [`${nameOf(ref)} was not ready after ${readySeconds} s: ${progressText(view)}`, ...detail].join('\n'),
    hint: 'A busy machine may need more time: run `forge up` again; `forge logs` shows what the server does',
  });
}

const notThere = (ref: KubeRef, what: string): ForgeError =>
  serverError({ code: 'WORKLOAD_MISSING', message: `${nameOf(ref)} ${what}`, hint: 'Run `forge up`, which makes it' });
