import type { Failure } from './failure.js';
import { conditionOf, containersOf, eventTime, type KubeEvent, type Pod } from './pod-types.js';
import { isOlderThan } from './stale.js';

/** How an image of the cluster's own comes to a node that cannot pull it. */
export const SYSTEM_IMAGE_HINT =
  'The node does not get an image of the cluster itself. On k3d: `forge images pull`, with a network or a mirror (images.mirror in forge.yaml), or `forge images load FILE` without; then `forge up` brings it into the node. Elsewhere the administrator of the cluster has to see to it';

/** A failure of now shows itself again soon; one of before this run, whose reason may be gone, at the kubelet's next attempt. */
const GRACE_MS = { now: 1_500, before: 20_000 };

/** Every pod begins with an image that the cluster itself names: without it no container of any pod is made. */
export function sandboxFailure(pod: Pod, events: readonly KubeEvent[], since = 0): Failure | undefined {
  // Events stay for an hour; once the pod has its sandbox they tell of the past.
  const hasOne = conditionOf(pod.status?.conditions, 'PodReadyToStartContainers')?.status === 'True';
  const hasBegun = containersOf(pod).some(({ state, lastState }) => state?.running ?? state?.terminated ?? lastState?.terminated);
  if (pod.status?.phase !== 'Pending' || hasOne || hasBegun) return undefined;
  const event = events.find(
    (one) =>
      one.reason === 'FailedCreatePodSandBox' &&
      /failed to (get sandbox|pull( and unpack)?) image/.test(one.message ?? '') &&
      eventTime(one) >= since - 1_000,
  );
  if (event === undefined) return undefined;
  const isOld = isOlderThan(pod.metadata.creationTimestamp, since);
  const what = `${event.reason ?? ''}: ${(event.message ?? '').replace(/^Failed to create pod sandbox: /, '')}`;
  return { code: 'SANDBOX_IMAGE_MISSING', what, hint: SYSTEM_IMAGE_HINT, graceMs: isOld ? GRACE_MS.before : GRACE_MS.now };
}
