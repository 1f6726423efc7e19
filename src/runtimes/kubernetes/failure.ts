import { imageFailure } from './failure-image.js';
import { sandboxFailure } from './failure-sandbox.js';
import { scheduleFailure } from './failure-schedule.js';
import { containersOf, eventTime, imageOf, type ContainerStatus, type KubeEvent, type Pod, type Terminated } from './pod-types.js';
import { isOlderThan } from './stale.js';

/** Why a pod will not become ready, and what to do about it. */
export interface Failure {
  code: string;
  /** What Kubernetes says, with its own words for the reason. */
  what: string;
  hint: string;
  container?: string;
  /** Whether the container wrote something before it ended that should be shown. */
  hasLog?: 'now' | 'before';
  /** It may pass by itself: it counts after it has lasted so long. */
  graceMs?: number;
  /** Needs room on a node, which pods that are just ending may give. */
  needsRoom?: boolean;
}

export interface PodView {
  pod: Pod;
  /** The events of this pod. */
  events: readonly KubeEvent[];
  /** Pods of a Job may end badly: the Job decides how often they are tried. */
  ofJob?: boolean;
  /** Image references of the stack by name, to tell which setting names one. */
  images?: Readonly<Record<string, string>>;
  /** What happened before is not told any more. */
  since?: number;
}

/** The first thing found that keeps a pod from becoming ready and does not pass by itself. */
export function podFailure(view: PodView): Failure | undefined {
  const { pod } = view;
  if (pod.status?.phase === 'Succeeded') return undefined;
  if (pod.status?.phase === 'Failed') return endedPod(view);
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') return scheduleFailure(scheduled.message ?? '', view.events);
  for (const status of containersOf(pod)) {
    const failure = containerFailure(status, view);
    if (failure !== undefined) return { container: status.name, ...failure };
  }
  return mountFailure(view) ?? sandboxFailure(pod, view.events, view.since);
}

/** The pod as a whole was put out of its node, or never let in. */
function endedPod({ pod, ofJob = false }: PodView): Failure | undefined {
  const { reason = '', message = '' } = pod.status ?? {};
  const what = `${reason}: ${message.trim()}`;
  if (reason === 'Evicted') return evicted(what, message);
  if (/^OutOf|^NodePorts$|^NodeAffinity$|^UnexpectedAdmissionError$|^Preempting$/.test(reason))
    return {
      code: 'POD_REJECTED',
      what,
      hint: 'The node has no room for the pod: stop what else runs there, or ask for less in forge.yaml',
    };
  if (ofJob) return undefined;
  const ended = containersOf(pod).find(({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0);
  if (ended?.state?.terminated === undefined) return { code: 'POD_FAILED', what: what === ': ' ? 'it failed' : what, hint: HINT_LOGS };
  return { ...ending(ended.state.terminated, ''), container: ended.name, hasLog: 'now' };
}

function evicted(what: string, message: string): Failure {
  if (/memory/i.test(message) && !/emptydir|ephemeral/i.test(message))
    return { code: 'OUT_OF_MEMORY', what, hint: 'The node runs out of memory: give Docker or the node more, or stop what else runs there' };
  const volume = /EmptyDir volume "([^"]+)"/.exec(message)?.[1];
  const hint =
    volume === undefined
      ? 'The disk of the node is full: free some space (`docker system df` shows what Docker holds), then run the same command again'
      : `The volume ${volume} of the pod is full: it needs a larger sizeLimit, or less has to be written to it`;
  return { code: 'DISK_FULL', what, hint };
}

const HINT_LOGS = 'See above for the reason; run `forge up` again when it is mended';

function containerFailure(status: ContainerStatus, view: PodView): Failure | undefined {
  const { state, lastState, restartCount } = status;
  const { reason = '', message = '' } = state?.waiting ?? {};
  const image = imageOf(view.pod, status.name) ?? status.image ?? '';
  const last = state?.terminated ?? lastState?.terminated;
  const hasLog = state?.terminated === undefined ? 'before' : 'now';
  const pull = imageFailure(reason, message, image, view.images ?? {});
  if (pull !== undefined) return pull;
  if (reason === 'CreateContainerConfigError')
    return { code: 'CONTAINER_CONFIG', what: `${reason}: ${message}`, hint: configHint(message) };
  const isUnsettled = /context deadline exceeded|reserve container name|is reserved for/.test(message);
  if (/^(CreateContainerError|RunContainerError|PreCreateHookError|PreStartHookError|PostStartHookError)$/.test(reason) && !isUnsettled)
    return { code: 'CONTAINER_NOT_STARTED', what: `${reason}: ${message}`, hint: startHint(message) };
  if (last !== undefined && /^(StartError|ContainerCannotRun)$/.test(last.reason ?? ''))
    return { code: 'CONTAINER_NOT_STARTED', what: `${last.reason ?? ''}: ${last.message ?? ''}`, hint: startHint(last.message ?? '') };
  // A Job counts by itself; what ended before this run, or ended as it should, keeps nobody from becoming ready.
  if (view.ofJob === true || last === undefined || status.ready === true || isOlderThan(last.finishedAt, view.since ?? 0)) return undefined;
  if (last.reason === 'OOMKilled') return { ...ending(last, ''), hasLog };
  const times = state?.terminated === undefined ? restartCount : restartCount + 1;
  const isCrash = last.exitCode !== 0 && times >= 2 && !isOlderThan(view.pod.metadata.creationTimestamp, view.since ?? 0);
  if (reason === 'CrashLoopBackOff' || isCrash)
    return { ...ending(last, `${reason || 'it keeps ending'}, ended ${times} times: `), hasLog };
  return undefined;
}

/** How a container ended, and what that means. */
export function ending({ reason, exitCode, message }: Terminated, before: string): Failure {
  if (reason === 'OOMKilled')
    return {
      code: 'OUT_OF_MEMORY',
      what: `${before}OOMKilled (exit code ${exitCode})`,
      hint: 'The container needs more memory than it may have: raise its memory or lower its heap under `components` in forge.yaml',
    };
  const told = message === undefined || message === '' ? '' : `: ${message.trim().slice(0, 300)}`;
  return { code: 'CONTAINER_CRASHED', what: `${before}exit code ${exitCode}${told}`, hint: exitHint(exitCode) };
}

function exitHint(code: number): string {
  if (code === 126 || code === 127) return 'The image has no such program: is it the right image? See `images` in forge.yaml';
  if (code === 137 || code === 143)
    return 'It was killed, most often because it did not answer its probe in time: see the events above; a busy or small machine needs more time and memory';
  if (code === 139) return 'The program broke down (segmentation fault): is the image made for this machine? See `images` in forge.yaml';
  return HINT_LOGS;
}

function configHint(message: string): string {
  if (/runAsNonRoot|non-root|root/.test(message))
    return 'The image runs as root, which the manifest forbids: take another image (`images` in forge.yaml)';
  if (/secret|configmap/i.test(message)) return 'Run `forge up` again: it makes what is missing';
  return 'Correct the manifest, or the setting in forge.yaml that is filled in there';
}

const startHint = (message: string): string =>
  /not found|no such file|permission denied/.test(message)
    ? 'The image has no such program or file: is it the right image? See `images` in forge.yaml'
    : 'Run the same command again; if it stays so, see `kubectl describe pod` and the log of the node';

/** What passes by itself: the kubelet has not seen the object yet, or a volume needs its time. */
const PASSING_MOUNT = /timed out waiting for the condition|not registered|failed to sync|Multi-Attach|context deadline exceeded/;

function mountFailure({ events, since = 0 }: PodView): Failure | undefined {
  const failed = events.filter(
    (event) => /^(FailedMount|FailedAttachVolume|FailedMapVolume)$/.test(event.reason ?? '') && eventTime(event) >= since - 1_000,
  );
  const event = failed.find(({ message = '' }) => !PASSING_MOUNT.test(message));
  if (event === undefined) return undefined;
  const { reason = '', message = '' } = event;
  const hint = /(secret|configmap) .* not found/i.test(message)
    ? 'Run `forge up` again: it makes what is missing'
    : /hostPath type check failed|no such file/.test(message)
      ? 'The node has no such folder: on k3d, `forge down` and `forge up` make the node anew with its volumes'
      : /no space left/.test(message)
        ? 'The disk of the node is full: free some space, then run the same command again'
        : 'See the volume in the manifest and `kubectl describe pod`';
  return { code: 'MOUNT_FAILED', what: `${reason}: ${message}`, hint, graceMs: 1_500 };
}
