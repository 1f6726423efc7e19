import { afterEach, describe, expect, it, vi } from 'vitest';
import type { KubeClient, KubeQuery } from '../../../src/clients/kubernetes.js';
import { ForgeError } from '../../../src/errors.js';
import { podFailure } from '../../../src/runtimes/kubernetes/failure.js';
import type { KubeEvent, Pod } from '../../../src/runtimes/kubernetes/pod-types.js';
import { awaitReady } from '../../../src/runtimes/kubernetes/wait.js';

const SANDBOX =
  'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "rancher/mirrored-pause:3.6": failed to pull image "rancher/mirrored-pause:3.6": dial tcp: lookup registry-1.docker.io: no such host';
const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
const podOf = (name: string, namespace: string, more: { status?: Pod['status']; owner?: string; age?: number } = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace,
    uid: `uid-${name}`,
    creationTimestamp: ago(more.age ?? 0),
    ...(more.owner === undefined ? {} : { ownerReferences: [{ uid: more.owner }] as never }),
  },
  status: { phase: 'Pending', ...more.status },
});
const creating = { containerStatuses: [{ name: 'main', restartCount: 0, state: { waiting: { reason: 'ContainerCreating' } } }] };
const eventOf = (pod: Pod, reason: string, message: string, age = 0): KubeEvent => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: `${pod.metadata.name}.1`, namespace: pod.metadata.namespace! },
  reason,
  message,
  lastTimestamp: ago(age),
  involvedObject: { kind: 'Pod', uid: pod.metadata.uid! },
});

describe('a pod whose node lacks the image that every pod begins with', () => {
  const pod = podOf('kafka-0', 'kafka', { status: creating });
  const event = eventOf(pod, 'FailedCreatePodSandBox', SANDBOX);

  it('is told with what to do', () => {
    const failure = podFailure({ pod, events: [event] });
    expect(failure).toMatchObject({ code: 'SANDBOX_IMAGE_MISSING', graceMs: 1_500 });
    expect(failure!.what).toMatch(/^FailedCreatePodSandBox: rpc error: .*failed to get sandbox image "rancher\/mirrored-pause:3\.6"/);
    expect(failure!.hint).toMatch(/forge images pull.*images\.mirror.*forge images load FILE.*forge up/);
  });

  it.each<[string, Pod, KubeEvent[], number]>([
    [
      'it has got it since',
      { ...pod, status: { ...pod.status, conditions: [{ type: 'PodReadyToStartContainers', status: 'True' }] } },
      [event],
      0,
    ],
    ['it runs', podOf('kafka-0', 'kafka', { status: { phase: 'Running' } }), [event], 0],
    ['that was before this run', pod, [eventOf(pod, 'FailedCreatePodSandBox', SANDBOX, 60)], Date.now() - 30_000],
    ['it was something else that passes', pod, [eventOf(pod, 'FailedCreatePodSandBox', 'plugin type="flannel" failed: no subnet.env')], 0],
  ])('not when %s', (_what, value, events, since) => {
    expect(podFailure({ pod: value, events, since })).toBeUndefined();
  });

  it('of before this run gets the time for one more attempt', () => {
    const since = Date.now();
    expect(podFailure({ pod: podOf('kafka-0', 'kafka', { status: creating, age: 60 }), events: [event], since })?.graceMs).toBe(20_000);
  });
});

describe('a wait', () => {
  afterEach(() => void vi.restoreAllMocks());

  /** A StatefulSet that is not ready, with its pod, and the pods of the cluster's DNS. */
  const asked: string[] = [];
  function cluster(pod: Pod, dns: { pods: Pod[]; events?: KubeEvent[] } | 'forbidden', events: KubeEvent[] = []): KubeClient {
    const workload = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'kafka', namespace: 'kafka', uid: 'uid-kafka', generation: 1 },
      spec: { replicas: 1, selector: { matchLabels: { app: 'kafka' } } },
      status: { observedGeneration: 1, updateRevision: 'one' },
    };
    pod.metadata.labels = { 'controller-revision-hash': 'one' };
    const list = ({ kind, namespace }: KubeQuery) => {
      asked.push(`${kind} ${namespace ?? ''}`);
      if (namespace !== 'kube-system')
        return { items: { StatefulSet: [workload], Pod: [pod], Event: events }[kind] ?? [], resourceVersion: '' };
      if (dns === 'forbidden') throw new Error('403');
      return { items: kind === 'Pod' ? dns.pods : (dns.events ?? []), resourceVersion: '' };
    };
    return {
      get: () => Promise.resolve(workload),
      list: (query: KubeQuery) => Promise.resolve().then(() => list(query)),
      async *watch(_query: KubeQuery, { signal }: { signal: AbortSignal }) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield* [];
      },
      logs: () => Promise.resolve('no route to postgresql.postgresql'),
    } as unknown as KubeClient;
  }
  const kafka = (status: Pod['status']): Pod => podOf('kafka-0', 'kafka', { owner: 'uid-kafka', status });
  const running = { phase: 'Running', containerStatuses: [{ name: 'main', restartCount: 0, state: { running: {} } }] };
  const errorOf = async (client: KubeClient, readySeconds = 60): Promise<ForgeError> => {
    const { signal } = new AbortController();
    const ended = awaitReady(client, { kind: 'StatefulSet', name: 'kafka', namespace: 'kafka', readySeconds, pullSeconds: 60, signal });
    const error = await ended.catch((thrown: unknown) => thrown);
    if (error instanceof ForgeError) return error;
    throw new Error(String(error));
  };
  /** Time goes by at once. */
  const later = (ms: number): void => {
    const now = performance.now.bind(performance);
    const start = now();
    vi.spyOn(performance, 'now').mockImplementation(() => (now() - start > 200 ? now() + ms : now()));
  };
  const back = { waiting: { reason: 'ImagePullBackOff', message: 'dial tcp: lookup registry-1.docker.io: no such host' } };
  const coredns = podOf('coredns-1', 'kube-system', { status: { containerStatuses: [{ name: 'coredns', restartCount: 0, state: back }] } });

  it('ends soon with that image as the reason', async () => {
    const pod = kafka(creating);
    const error = await errorOf(cluster(pod, { pods: [] }, [eventOf(pod, 'FailedCreatePodSandBox', SANDBOX)]));
    expect(error).toMatchObject({ code: 'SANDBOX_IMAGE_MISSING', exitCode: 4 });
    expect(error.message).toMatch(/^StatefulSet kafka\/kafka: pod kafka-0: FailedCreatePodSandBox: .*mirrored-pause/);
  });

  it('names CoreDNS when it is that which does not come up', async () => {
    later(20_000);
    const error = await errorOf(cluster(kafka(running), { pods: [coredns] }));
    expect(error).toMatchObject({ code: 'CLUSTER_DNS_DOWN', exitCode: 4, hint: expect.stringContaining('forge images pull') as string });
    expect(error.message).toMatch(/^StatefulSet kafka\/kafka waits in vain: CoreDNS.*pod kube-system\/coredns-1: ImagePullBackOff/);
  });

  it('names it at once where a server has ended because it found no other', async () => {
    const last = { terminated: { exitCode: 1, finishedAt: ago(0) } };
    const waiting = { waiting: { reason: 'CrashLoopBackOff' } };
    const crashed = kafka({ phase: 'Running', containerStatuses: [{ name: 'main', restartCount: 3, state: waiting, lastState: last }] });
    expect((await errorOf(cluster(crashed, { pods: [coredns] }))).code).toBe('CLUSTER_DNS_DOWN');
    expect((await errorOf(cluster(crashed, { pods: [] }))).code).toBe('CONTAINER_CRASHED');
  });

  const restarted: Pod['status'] = {
    phase: 'Running',
    containerStatuses: [
      { name: 'coredns', restartCount: 4, state: { running: {} }, lastState: { terminated: { exitCode: 255, finishedAt: ago(0) } } },
    ],
  };
  const ready = { ...coredns, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  it.each<[string, Parameters<typeof cluster>[1]]>([
    ['one of its pods serves', { pods: [coredns, ready] }],
    ['it is just starting', { pods: [podOf('coredns-1', 'kube-system', { status: creating })] }],
    ['it starts again after its node has', { pods: [podOf('coredns-1', 'kube-system', { age: 3600, status: restarted })] }],
    ['nobody may look', 'forbidden'],
  ])('goes on where %s', async (_what, dns) => {
    later(20_000);
    asked.splice(0);
    expect((await errorOf(cluster(kafka(running), dns), 15)).code).toBe('SERVER_NOT_READY');
    expect(asked).toContain('Pod kube-system');
  });
});
