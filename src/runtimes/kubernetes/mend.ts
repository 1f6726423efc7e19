import { isKubeError, refOf, type KubeClient } from '../../clients/kubernetes.js';
import { isOwn } from './labels.js';
import { conditionOf, type Pod } from './pod-types.js';
import { stuckReason } from './stale.js';
import type { WorkloadView } from './view.js';

export interface MendOptions {
  workspace: string | undefined;
  since: number;
  signal: AbortSignal;
  progress: ((text: string) => void) | undefined;
}

/**
 * Starts pods anew that would hold up the workload: those which wait out a back-off from before this run, and those of a
 * StatefulSet's earlier description that are not ready (Kubernetes waits for such a one before it makes the new one, without
 * end). A Job's pods count as its attempts and are left alone.
 */
export async function mendPods(client: KubeClient, view: WorkloadView, options: MendOptions): Promise<void> {
  const { workload, pods, oldPods } = view;
  if (options.workspace === undefined || !isOwn(workload, options.workspace) || workload.kind === 'Job') return;
  const isReady = ({ status }: Pod): boolean => conditionOf(status?.conditions, 'Ready')?.status === 'True';
  const isSeen = (workload.status?.observedGeneration ?? 0) >= (workload.metadata.generation ?? 0);
  const outdated = workload.kind === 'StatefulSet' && isSeen ? oldPods.filter((pod) => !isReady(pod)) : [];
  const stuck = pods.filter((pod) => stuckReason(pod, options.since) !== undefined);
  for (const pod of [...outdated, ...stuck]) {
    options.progress?.(`Starting pod ${pod.metadata.name} anew`);
    try {
      await client.delete(refOf(pod), { uid: pod.metadata.uid, signal: options.signal });
    } catch (error) {
      if (!isKubeError(error, 409)) throw error;
    }
    pod.metadata.deletionTimestamp = new Date().toISOString();
  }
  for (const list of [pods, oldPods])
    list.splice(0, list.length, ...list.filter(({ metadata }) => metadata.deletionTimestamp === undefined));
}
