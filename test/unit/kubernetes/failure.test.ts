import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { podFailure, type Failure } from '../../../src/runtimes/kubernetes/failure.js';
import { pullsOf } from '../../../src/runtimes/kubernetes/failure-image.js';
import { claimFailure, scheduleFailure } from '../../../src/runtimes/kubernetes/failure-schedule.js';
import { jobFailure } from '../../../src/runtimes/kubernetes/failure-job.js';
import type { KubeEvent, Pod, Workload } from '../../../src/runtimes/kubernetes/pod-types.js';
import { stuckReason } from '../../../src/runtimes/kubernetes/stale.js';

/** Pods of a real node that cannot start, with their events, as Kubernetes 1.33 told of them. */
const recorded = JSON.parse(readFileSync(new URL('recorded.json', import.meta.url), 'utf8')) as Record<
  string,
  { pod: Pod; events: KubeEvent[] }
>;
const of = (name: string): { pod: Pod; events: KubeEvent[] } => structuredClone(recorded[name]!);
const images = { kafka: 'registry.invalid/kafka:4' };
const failure = (name: string, more = {}): Failure | undefined => podFailure({ ...of(name), images, ...more });

describe('the reason why a pod cannot start, from what Kubernetes tells', () => {
  it.each([
    ['image', 'IMAGE_NOT_PULLED', 'ImagePullBackOff: registry.invalid/kafka:4', 'forge images load FILE'],
    ['never', 'IMAGE_MISSING', 'ErrImageNeverPull: forge/never:1', 'forge images load FILE'],
    ['badname', 'IMAGE_INVALID', 'InvalidImageName: Not/AnImage:1', 'Correct the image'],
    ['crash', 'CONTAINER_CRASHED', 'CrashLoopBackOff, ended 3 times: exit code 3', 'See above for the reason'],
    ['liveness', 'CONTAINER_CRASHED', 'exit code 137', 'did not answer its probe in time'],
    ['oom', 'OUT_OF_MEMORY', 'OOMKilled (exit code 137)', 'raise its memory'],
    ['memory', 'TOO_LITTLE_MEMORY', '1 Insufficient memory', 'more memory than the node has free'],
    ['selector', 'UNSCHEDULABLE', "didn't match Pod's node affinity/selector", 'No node takes the pod'],
    ['evicted', 'DISK_FULL', 'Evicted: Usage of EmptyDir volume "data" exceeds the limit "1Mi".', 'The volume data of the pod is full'],
    ['config', 'CONTAINER_CONFIG', 'secret "nowhere" not found', 'Run `forge up` again'],
    ['root', 'CONTAINER_CONFIG', 'image will run as root', 'The image runs as root'],
    ['mount', 'MOUNT_FAILED', 'FailedMount: MountVolume.SetUp failed for volume "data"', 'Run `forge up` again'],
    ['hostpath', 'MOUNT_FAILED', 'hostPath type check failed', 'The node has no such folder'],
    ['program', 'CONTAINER_NOT_STARTED', 'exec: "/no/such/program"', 'is it the right image?'],
    ['porttwo', 'HOST_PORT_TAKEN', "didn't have free ports", 'Another pod holds the port'],
  ])('%s: %s', (name, code, what, hint) => {
    const found = failure(name);
    expect(found).toMatchObject({ code });
    expect(found!.what).toContain(what);
    expect(found!.hint).toContain(hint);
  });

  it('names the setting that names the image', () => {
    const { pod, events } = of('image');
    pod.status!.containerStatuses![0]!.state!.waiting!.message = 'manifest unknown: not found';
    expect(podFailure({ pod, events, images })!.hint).toContain('correct images.kafka in forge.yaml');
  });

  it('names the init container that ends, and shows the log of the run that ended', () => {
    expect(failure('initcrash')).toMatchObject({ code: 'CONTAINER_CRASHED', container: 'prepare' });
    expect(failure('crash')!.hasLog).toBe('before');
  });

  it('finds nothing wrong with one that runs', () => {
    expect(failure('portone')).toBeUndefined();
  });

  it("leaves a Job's attempts to the Job, but not what is no attempt", () => {
    expect(failure('crash', { ofJob: true })).toBeUndefined();
    expect(failure('oom', { ofJob: true })).toBeUndefined();
    expect(failure('image', { ofJob: true })).toMatchObject({ code: 'IMAGE_NOT_PULLED' });
    expect(failure('evicted', { ofJob: true })).toMatchObject({ code: 'DISK_FULL' });
  });

  it('does not tell of what ended before this run', () => {
    const { pod, events } = of('oom');
    pod.status!.containerStatuses![0]!.state = { running: {} };
    expect(podFailure({ pod, events })).toMatchObject({ code: 'OUT_OF_MEMORY' });
    expect(podFailure({ pod, events, since: Date.now() })).toBeUndefined();
  });

  it('waits for a node that is just starting, a volume that is just made, a node that is just added', () => {
    expect(failure('claim')).toBeUndefined();
    expect(claimFailure(of('claim').events)).toMatchObject({
      code: 'VOLUME_UNAVAILABLE',
      what: expect.stringContaining('PersistentVolumeClaim lost'),
    });
    const starting = '0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.';
    expect(scheduleFailure(starting, [])).toBeUndefined();
    const { pod, events } = of('memory');
    const grown = { ...events[0]!, reason: 'TriggeredScaleUp' };
    expect(podFailure({ pod, events: [...events, grown] })).toBeUndefined();
    expect(
      scheduleFailure('0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.', []),
    ).toMatchObject({ code: 'DISK_FULL' });
  });

  it('does not take a mount that passes by itself for a failure', () => {
    const { pod, events } = of('mount');
    const passing = events.map((event) => ({ ...event, message: 'failed to sync secret cache: timed out waiting for the condition' }));
    expect(podFailure({ pod, events: passing })).toBeUndefined();
  });
});

describe('a Job that failed', () => {
  const job = (conditions: object[]): Workload =>
    ({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'setup' }, status: { conditions } }) as Workload;

  it('is told with how its last pod ended, as soon as Kubernetes gives it up', () => {
    const { pod } = of('crash');
    const older = { ...of('oom').pod, metadata: { ...pod.metadata, creationTimestamp: '2020-01-01T00:00:00Z' } };
    const conditions = [{ type: 'FailureTarget', status: 'True', reason: 'BackoffLimitExceeded', message: 'Job has reached the limit' }];
    const found = jobFailure({ workload: job(conditions), pods: [pod, older] });
    expect(found).toMatchObject({ pod: { metadata: { name: 'crash' } }, failure: { code: 'JOB_FAILED', container: 'main' } });
    expect(found!.failure.what).toBe('the Job failed (BackoffLimitExceeded: Job has reached the limit); exit code 3');
    expect(jobFailure({ workload: job([]), pods: [pod] })).toBeUndefined();
  });
});

describe('a pull', () => {
  const pull = (reason: string, at: string): KubeEvent => ({
    ...of('image').events.find((event) => event.reason === 'Pulling')!,
    reason,
    lastTimestamp: at,
  });
  const waiting = (): Pod => {
    const { pod } = of('image');
    pod.status!.containerStatuses![0]!.state = { waiting: { reason: 'ContainerCreating' } };
    return pod;
  };
  const [t0, t1, t2] = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:05Z', '2026-01-01T00:00:09Z'];

  it('goes on from the event that it began to the one that it ended', () => {
    expect(pullsOf(waiting(), [pull('Pulling', t0)])).toEqual([{ image: 'registry.invalid/kafka:4', since: Date.parse(t0) }]);
    expect(pullsOf(waiting(), [pull('Pulling', t0), pull('Pulled', t1)])).toEqual([]);
    expect(pullsOf(waiting(), [pull('Pulling', t0), pull('Failed', t1)])).toEqual([]);
    expect(pullsOf(waiting(), [pull('Pulling', t2), pull('Failed', t1)])).toHaveLength(1);
  });

  it('is none of a container that runs', () => {
    const pod = waiting();
    pod.status!.containerStatuses![0]!.state = { running: {} };
    expect(pullsOf(pod, [pull('Pulling', t0)])).toEqual([]);
  });
});

describe('a pod that is stuck', () => {
  it.each([
    ['image', 'ImagePullBackOff'],
    ['crash', 'CrashLoopBackOff'],
    ['config', 'CreateContainerConfigError'],
    ['portone', undefined],
    ['memory', undefined],
  ])('%s, from before this run: %s', (name, reason) => {
    expect(stuckReason(of(name).pod, Date.now())).toBe(reason);
    expect(stuckReason(of(name).pod, 0)).toBeUndefined();
  });
});
