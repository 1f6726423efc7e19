import type { Condition, Workload } from './pod-types.js';
import { conditionOf } from './pod-types.js';

/** What can be waited for. */
export type ReadyKind = 'Deployment' | 'StatefulSet' | 'Job';
export const API_VERSIONS: Record<ReadyKind, string> = { Deployment: 'apps/v1', StatefulSet: 'apps/v1', Job: 'batch/v1' };

export interface Readiness {
  ready: boolean;
  /** `1 of 2 ready` */
  text: string;
}

/** Whether a workload runs as it is described now, and not as it was before; a Job, whether it is complete. */
export function readinessOf(workload: Workload): Readiness {
  const { spec, status = {}, metadata } = workload;
  if (workload.kind === 'Job') {
    const ready = conditionOf(status.conditions, 'Complete')?.status === 'True';
    return { ready, text: ready ? 'complete' : `${status.succeeded ?? 0} of ${spec?.completions ?? 1} complete` };
  }
  const desired = spec?.replicas ?? 1;
  const isSeen = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  if (!isSeen) return { ready: false, text: 'not yet looked at by Kubernetes' };
  const isNew = updatedReplicas >= desired && replicas <= Math.max(updatedReplicas, desired);
  const ready = isNew && readyReplicas >= desired && availableReplicas >= desired;
  return { ready, text: `${Math.min(readyReplicas, isNew ? desired : updatedReplicas)} of ${desired} ready` };
}

/** The condition by which a Job says that it has failed, or is about to. */
export const failedCondition = ({ kind, status }: Workload): Condition | undefined =>
  kind === 'Job'
    ? status?.conditions?.find(({ type, status: is }) => is === 'True' && (type === 'Failed' || type === 'FailureTarget'))
    : undefined;
