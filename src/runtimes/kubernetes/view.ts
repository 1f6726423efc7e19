import { followObjects, type KubeClient, type KubeObject, type KubeRef } from '../../clients/kubernetes.js';
import type { KubeEvent, Pod, Workload } from './pod-types.js';

/** A workload with all that tells how it fares. */
export interface WorkloadView {
  workload: Workload;
  /** The pods that it has by its present description, without those that are ending. */
  pods: Pod[];
  /** Its pods of an earlier description. */
  oldPods: Pod[];
  /** Events of the workload, of what it made and of its pods. */
  events: KubeEvent[];
}

interface Seen {
  workloads?: readonly Workload[];
  pods?: readonly Pod[];
  replicaSets?: readonly KubeObject[];
  events?: readonly KubeEvent[];
}

export interface WorkloadFollower {
  /** Undefined before everything was listed once; `gone` when the workload is not there (any more). */
  view(): WorkloadView | 'gone' | undefined;
  /** Resolves at the next change; rejects when the API server does not answer any more. */
  changed(): Promise<void>;
}

/** Follows a workload, its pods and their events by watches, until the signal. */
export function followWorkload(client: KubeClient, ref: KubeRef, selector: string, signal: AbortSignal): WorkloadFollower {
  const seen: Seen = {};
  let wake = deferred();
  const { namespace } = ref;
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names the shape
  const follow = <T extends KubeObject>(
    query: { apiVersion: string; kind: string; labels?: string; fields?: string; metadataOnly?: boolean },
    keep: (items: readonly T[]) => void,
  ): Promise<never> =>
    followObjects<T>(client, { ...query, namespace }, { signal }, (items) => {
      keep(items);
      wake.resolve();
      wake = deferred();
    });
  const followers = [
    follow<Workload>({ ...ref, fields: `metadata.name=${ref.name}` }, (items) => (seen.workloads = items)),
    follow<Pod>({ apiVersion: 'v1', kind: 'Pod', labels: selector }, (items) => (seen.pods = items)),
    follow<KubeEvent>({ apiVersion: 'v1', kind: 'Event' }, (items) => (seen.events = items)),
    ...(ref.kind === 'Deployment'
      ? [
          follow<KubeObject>({ apiVersion: 'apps/v1', kind: 'ReplicaSet', labels: selector, metadataOnly: true }, (items) => {
            seen.replicaSets = items;
          }),
        ]
      : []),
  ];
  const failed = Promise.race(followers);
  failed.catch(() => undefined);
  if (ref.kind !== 'Deployment') seen.replicaSets = [];
  return { view: () => viewOf(seen), changed: () => Promise.race([wake.promise, failed]) };
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

const REVISION = 'deployment.kubernetes.io/revision';

function viewOf({ workloads, pods, replicaSets, events }: Seen): WorkloadView | 'gone' | undefined {
  if (workloads === undefined || pods === undefined || replicaSets === undefined || events === undefined) return undefined;
  const [workload] = workloads;
  if (workload === undefined) return 'gone';
  const ownedBy = (object: KubeObject, uid: string | undefined): boolean =>
    uid !== undefined && (object.metadata.ownerReferences ?? []).some((owner) => owner.uid === uid);
  const sets = replicaSets.filter((set) => ownedBy(set, workload.metadata.uid));
  const revision = workload.metadata.annotations?.[REVISION];
  const isSeen = (workload.status?.observedGeneration ?? 0) >= (workload.metadata.generation ?? 0);
  // Before the controller has looked at the new description, none of the pods is by it.
  const current = isSeen ? sets.find((set) => set.metadata.annotations?.[REVISION] === revision) : undefined;
  const isCurrent = (pod: Pod): boolean => {
    if (workload.kind === 'Deployment') return ownedBy(pod, current?.metadata.uid);
    if (workload.kind === 'Job') return true;
    return isSeen && pod.metadata.labels?.['controller-revision-hash'] === workload.status?.updateRevision;
  };
  const makers = [workload, ...sets].map(({ metadata }) => metadata.uid);
  const own = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && makers.some((uid) => ownedBy(pod, uid)));
  const uids = new Set([workload.metadata.uid, current?.metadata.uid, ...own.map(({ metadata }) => metadata.uid)]);
  const claims = new Set(own.flatMap(claimsOf));
  return {
    workload,
    pods: own.filter(isCurrent),
    oldPods: own.filter((pod) => !isCurrent(pod)),
    events: events.filter(
      ({ involvedObject }) =>
        uids.has(involvedObject?.uid) || (involvedObject?.kind === 'PersistentVolumeClaim' && claims.has(involvedObject.name ?? '')),
    ),
  };
}

function claimsOf(pod: Pod): string[] {
  const volumes = (pod.spec as { volumes?: { persistentVolumeClaim?: { claimName: string } }[] } | undefined)?.volumes ?? [];
  return volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
}
