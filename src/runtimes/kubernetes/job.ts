import type { KubeClient, KubeObject } from '../../clients/kubernetes.js';
import type { FieldDifference } from './diff.js';
import { HASH } from './labels.js';
import { isOlderThan, RUN_START, stuckReason } from './stale.js';
import type { Pod, Workload } from './pod-types.js';

interface JobPlan {
  plan: 'none' | 'recreate';
  diff: FieldDifference[];
  conflicts: [];
  why?: string;
}

/**
 * A Job runs once: made from the same template it is done, or on its way, and never repeated. One of another template, one that
 * failed and one whose pod cannot start are made anew: nothing in a Job can be changed, nor can it be tried once more.
 */
export async function jobPlan(
  client: KubeClient,
  object: KubeObject,
  live: Workload,
  { signal, since = RUN_START }: { signal?: AbortSignal | undefined; since?: number | undefined },
): Promise<JobPlan> {
  const [is, should] = [live, object].map(({ metadata }) => metadata.annotations?.[HASH] ?? 'absent');
  const anew = (why: string, field: string, before: string, after: string): JobPlan => ({
    plan: 'recreate',
    diff: [{ field, is: before, should: after }],
    conflicts: [],
    why,
  });
  if (is !== should) return anew('a Job cannot be changed', `metadata.annotations.${HASH}`, is ?? '', should ?? '');
  const ended = live.status?.conditions?.find(({ type, status }) => status === 'True' && ['Complete', 'Failed'].includes(type));
  // What fails in this run is for k8s.ready to tell, with its reason.
  if (ended?.type === 'Failed' && isOlderThan(ended.lastTransitionTime, since))
    return anew(`it failed (${ended.reason ?? 'no reason given'})`, 'status', 'failed', 'complete');
  if (ended === undefined) {
    const { namespace, uid = '' } = live.metadata;
    const labels = `batch.kubernetes.io/controller-uid=${uid}`;
    const { items } = await client.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace, labels }, { signal });
    const stuck = items.map((pod) => stuckReason(pod, since)).find((reason) => reason !== undefined);
    if (stuck !== undefined) return anew(`its pod could not start (${stuck})`, 'status', stuck, 'complete');
  }
  return { plan: 'none', diff: [], conflicts: [] };
}
