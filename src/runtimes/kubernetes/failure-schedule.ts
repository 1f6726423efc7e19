import type { Failure } from './failure.js';
import type { KubeEvent } from './pod-types.js';

/** A node that is just starting, a volume that is just being made, a pod that is just ending or that others are to stand beside: these pass. */
const PASSING =
  /node\.kubernetes\.io\/(not-ready|unreachable|network-unavailable)|cloudprovider\.kubernetes\.io\/uninitialized|unbound immediate PersistentVolumeClaims|no nodes available|0\/0 nodes|being deleted|persistentvolumeclaim ".*" not found|didn't match pod affinity rules/;
/** How long it has to last: the scheduler tries again at once when something changes. */
const GRACE_MS = 2_500;

const CAUSES: readonly { pattern: RegExp; code: string; hint: string; needsRoom?: boolean }[] = [
  {
    pattern: /didn't have free ports/,
    code: 'HOST_PORT_TAKEN',
    hint: 'Another pod holds the port of the node: delete that pod, then run the same command again',
    needsRoom: true,
  },
  {
    pattern: /Insufficient memory/,
    code: 'TOO_LITTLE_MEMORY',
    hint: 'The pod asks for more memory than the node has free: give Docker or the node more, stop what else runs there, or lower the memory of the component in forge.yaml',
    needsRoom: true,
  },
  {
    pattern: /Insufficient cpu/,
    code: 'TOO_LITTLE_CPU',
    hint: 'The pod asks for more processor time than the node has free: give Docker or the node more, or stop what else runs there',
    needsRoom: true,
  },
  {
    pattern: /Insufficient ephemeral-storage/,
    code: 'DISK_FULL',
    hint: 'The disk of the node has too little room: free some space, then run the same command again',
    needsRoom: true,
  },
  {
    pattern: /Too many pods/,
    code: 'TOO_MANY_PODS',
    hint: 'The node takes no more pods: delete some, or add a node',
    needsRoom: true,
  },
  {
    pattern: /node\.kubernetes\.io\/disk-pressure/,
    code: 'DISK_FULL',
    hint: 'The disk of the node is nearly full: free some space (`docker system df` shows what Docker holds), then run the same command again',
  },
  {
    pattern: /node\.kubernetes\.io\/memory-pressure/,
    code: 'OUT_OF_MEMORY',
    hint: 'The node runs out of memory: give Docker or the node more, or stop what else runs there',
  },
  {
    pattern: /volume node affinity conflict|didn't find available persistent volumes/,
    code: 'VOLUME_UNAVAILABLE',
    hint: 'The volume of the pod lies on another node, or there is none that fits: see `kubectl get pv,pvc -A`',
  },
];

/** Why no node takes a pod; undefined where that passes by itself. */
export function scheduleFailure(message: string, events: readonly KubeEvent[]): Failure | undefined {
  // Something adds a node for it.
  if (events.some(({ reason }) => reason === 'TriggeredScaleUp' || reason === 'Nominated')) return undefined;
  const cause = CAUSES.find(({ pattern }) => pattern.test(message));
  if (cause === undefined && PASSING.test(message)) return undefined;
  const { code, hint, needsRoom } = cause ?? {
    code: 'UNSCHEDULABLE',
    hint: 'No node takes the pod: see the reason above and `kubectl describe nodes`',
  };
  return { code, what: `Unschedulable: ${message}`, hint, graceMs: GRACE_MS, ...(needsRoom ? { needsRoom } : {}) };
}

/** A claim that nobody will ever fill: its pod waits for it without end. */
export function claimFailure(events: readonly KubeEvent[]): Failure | undefined {
  const event = events.find(
    ({ involvedObject, reason = '', message = '' }) =>
      involvedObject?.kind === 'PersistentVolumeClaim' &&
      ((reason === 'FailedBinding' && /no storage class is set/.test(message)) ||
        (reason === 'ProvisioningFailed' && /storageclass.* not found/.test(message))),
  );
  if (event === undefined) return undefined;
  return {
    code: 'VOLUME_UNAVAILABLE',
    what: `PersistentVolumeClaim ${event.involvedObject?.name ?? ''}: ${event.message ?? ''}`,
    hint: 'The cluster has no storage class that makes volumes by default: mark one as the default (`kubectl get storageclass`)',
    graceMs: GRACE_MS,
  };
}
