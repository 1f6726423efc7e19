import { containersOf, type Pod } from './pod-types.js';

/** When this run of forge began. What failed before it says nothing of the configuration, the images and the node as they are now. */
export const RUN_START = Date.now() - process.uptime() * 1000;

export const isOlderThan = (time: string | undefined, since: number): boolean => Date.parse(time ?? '') < since;

const STUCK = new Set([
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'RegistryUnavailable',
  'CrashLoopBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/**
 * Why a pod of an earlier run cannot start: it waits longer and longer between its attempts, so that it would not notice for
 * minutes that the reason is gone. A pod made anew tries at once.
 */
export function stuckReason(pod: Pod, since: number): string | undefined {
  if (pod.metadata.deletionTimestamp !== undefined || !isOlderThan(pod.metadata.creationTimestamp, since)) return undefined;
  return containersOf(pod)
    .map(({ state }) => state?.waiting?.reason)
    .find((reason) => reason !== undefined && STUCK.has(reason));
}
