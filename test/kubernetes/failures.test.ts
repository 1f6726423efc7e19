import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectKubernetes, type KubeClient, type KubeQuery } from '../../src/clients/kubernetes.js';
import { waitUntil } from '../../src/clients/wait.js';
import { ForgeError } from '../../src/errors.js';
import { containersOf, type KubeEvent, type Pod, type Workload } from '../../src/runtimes/kubernetes/pod-types.js';
import { inspect } from '../../src/runtimes/kubernetes/inspect.js';
import { renderManifest } from '../../src/runtimes/kubernetes/render.js';
import { awaitReady } from '../../src/runtimes/kubernetes/wait.js';
import { BUSYBOX, startNodeCluster, type NodeCluster } from '../helpers/kube-node.js';
import { deploymentOf, jobOf, kubeStack, namespaceOf, statefulSetOf, type KubeStack } from '../helpers/kube-stack.js';

const folder = mkdtempSync(path.join(tmpdir(), 'forge-failures-'));
let cluster: NodeCluster;
let kube: KubeStack;
let client: KubeClient;
beforeAll(async () => {
  cluster = await startNodeCluster(folder, 'failures');
  kube = await kubeStack({ ...cluster, config: { images: { kafka: 'registry.invalid/kafka:4' } } });
  client = await connectKubernetes(cluster);
});
afterAll(async () => {
  await Promise.all(leaving);
  await kube.close();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

let ns: string;
let count = 0;
beforeEach(() => {
  ns = `failure-${++count}`;
  kube.progress.length = 0;
});
// A namespace takes its time to go, for which the next test need not wait.
const leaving: Promise<void>[] = [];
afterEach(() => void leaving.push(kube.remove(`${ns}/all.yaml`)));

const write = (...objects: object[]): void => kube.manifest(`${ns}/all.yaml`, [namespaceOf(ns), ...objects]);
const apply = (...objects: object[]): Promise<string> => {
  write(...objects);
  return kube.apply(`${ns}/all.yaml`);
};
const shell = (script: string, more = {}) => ({ image: BUSYBOX, command: ['sh', '-c', script], ...more });
/** Never ready: what ends at once could be taken for ready before it does. */
const crash = (script: string) => shell(script, { readinessProbe: { exec: { command: ['false'] } } });
const web = (container: object, pod = {}, name = 'web') => deploymentOf(ns, name, container as Record<string, unknown>, pod);
const WEB = () => ({ kind: 'Deployment', name: 'web', namespace: ns });
const list = async <T>(query: KubeQuery): Promise<T[]> => (await client.list(query)).items as T[];
const pods = (): Promise<Pod[]> => list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace: ns });
const events = (): Promise<KubeEvent[]> => list<KubeEvent>({ apiVersion: 'v1', kind: 'Event', namespace: ns });
const anyPod = async (holds: (pod: Pod) => boolean): Promise<boolean> => (await pods()).some(holds);
const isWaiting = (pattern: RegExp) => (pod: Pod) => containersOf(pod).some(({ state }) => pattern.test(state?.waiting?.reason ?? ''));
const isUnschedulable = (pod: Pod): boolean => (pod.status?.conditions ?? []).some(({ reason }) => reason === 'Unschedulable');

/** The error that ends the wait, at most five seconds after Kubernetes itself could tell the reason. */
async function failure(known: () => Promise<boolean>, args: object = WEB()): Promise<ForgeError> {
  const ended = kube.ready(args).then(
    () => undefined,
    (error: unknown) => ({ error, at: performance.now() }),
  );
  // A wait that ends before this look has surely ended in time.
  const seen = waitUntil(async () => ((await known()) ? performance.now() : undefined), {
    what: 'Kubernetes to know it',
    timeoutMs: 120_000,
  });
  const outcome = await Promise.race([ended, seen.then(() => ended)]);
  if (!(outcome?.error instanceof ForgeError)) throw new Error(`no ForgeError: ${String(outcome?.error)}`);
  expect(outcome.error.exitCode).toBe(4);
  expect(outcome.at - (await seen)).toBeLessThan(5_000);
  return outcome.error;
}

describe('a pod', () => {
  test('whose image cannot be had', async () => {
    await apply(web({ image: 'registry.invalid/kafka:4' }));
    const error = await failure(() => anyPod(isWaiting(/ErrImagePull|ImagePullBackOff/)));
    expect(error.code).toBe('IMAGE_NOT_PULLED');
    expect(error.message).toMatch(
      new RegExp(`^Deployment ${ns}/web: pod web-\\S+, container main: (ErrImagePull|ImagePullBackOff): registry.invalid/kafka:4`),
    );
    expect(error.message).toContain('Pulling: Pulling image "registry.invalid/kafka:4"');
    expect(error.hint).toMatch(/does not reach the registry.*forge images load FILE.*images\.mirror/);
  });

  test('whose container ends again and again', async () => {
    await apply(web(crash('echo cannot open the ledger >&2; exit 3')));
    const error = await failure(() => anyPod(isWaiting(/CrashLoopBackOff/)));
    expect(error.code).toBe('CONTAINER_CRASHED');
    expect(error.message).toMatch(/container main: .*ended 2 times: exit code 3/);
    expect(error.message).toContain('From its log:\n  cannot open the ledger');
    expect(error.message).toContain('Events:');
    expect(error.hint).toContain('See above for the reason');
  });

  test('that asks for more memory than there is', async () => {
    await apply(web(shell('sleep 3600', { resources: { requests: { memory: '900Gi' } } })));
    const error = await failure(() => anyPod(isUnschedulable));
    expect(error.code).toBe('TOO_LITTLE_MEMORY');
    expect(error.message).toMatch(/pod web-\S+: Unschedulable: .*Insufficient memory/);
    expect(error.hint).toContain('asks for more memory than the node has free');
  });

  test('that takes more memory than it may', async () => {
    const script = 'echo filling up; awk \'BEGIN { s = "x"; while (1) s = s s }\'';
    await apply(web(shell(script, { resources: { limits: { memory: '16Mi' } } })));
    const isKilled = (pod: Pod): boolean =>
      containersOf(pod).some(({ state, lastState }) => [state, lastState].some((one) => one?.terminated?.reason === 'OOMKilled'));
    const error = await failure(() => anyPod(isKilled));
    expect(error.code).toBe('OUT_OF_MEMORY');
    expect(error.message).toContain('container main: OOMKilled');
    expect(error.message).toContain('filling up');
    expect(error.hint).toContain('needs more memory than it may have');
  });

  test('that fills its disk', async () => {
    const script = 'dd if=/dev/zero of=/data/file bs=1M count=30; sleep 3600';
    const main = shell(script, { volumeMounts: [{ name: 'data', mountPath: '/data' }], readinessProbe: { exec: { command: ['false'] } } });
    await apply(web(main, { volumes: [{ name: 'data', emptyDir: { sizeLimit: '1Mi' } }] }));
    const error = await failure(() => anyPod(({ status }) => status?.reason === 'Evicted'));
    expect(error.code).toBe('DISK_FULL');
    expect(error.message).toMatch(/Evicted: .*EmptyDir volume "data"/);
    expect(error.hint).toContain('The volume data of the pod is full');
  });

  test('whose port of the node another pod has', async () => {
    const ports = { ports: [{ containerPort: 80, hostPort: 31777 }] };
    await apply(web(shell('sleep 3600', ports), {}, 'first'));
    await kube.ready({ ...WEB(), name: 'first' });
    await apply(web(shell('sleep 3600', ports), {}, 'first'), web(shell('sleep 3600', ports)));
    const error = await failure(() => anyPod(isUnschedulable));
    expect(error.code).toBe('HOST_PORT_TAKEN');
    expect(error.message).toMatch(new RegExp(`didn't have free ports.*pod ${ns}/first-\\S+ holds port 31777`));
    expect(error.hint).toMatch(new RegExp(`Delete pod ${ns}/first-`));
  });

  test('whose settings are not there', async () => {
    const env = [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'nowhere', key: 'password' } } }];
    await apply(web(shell('sleep 3600', { env })));
    const error = await failure(() => anyPod(isWaiting(/CreateContainerConfigError/)));
    expect(error.code).toBe('CONTAINER_CONFIG');
    expect(error.message).toContain('secret "nowhere" not found');
    expect(error.hint).toContain('Run `forge up` again');
  });

  test('whose volume cannot be mounted', async () => {
    const main = shell('sleep 3600', { volumeMounts: [{ name: 'data', mountPath: '/data' }] });
    await apply(web(main, { volumes: [{ name: 'data', secret: { secretName: 'nowhere' } }] }));
    const error = await failure(async () => (await events()).some(({ reason }) => reason === 'FailedMount'));
    expect(error.code).toBe('MOUNT_FAILED');
    expect(error.message).toContain('FailedMount: MountVolume.SetUp failed for volume "data"');
  });

  test('whose image lacks the program', async () => {
    await apply(web({ image: BUSYBOX, command: ['/no/such/program'] }));
    const error = await failure(() =>
      anyPod(
        (pod) =>
          containersOf(pod).some(({ state, lastState }) => [state, lastState].some((one) => one?.terminated?.reason === 'StartError')) ||
          isWaiting(/RunContainerError/)(pod),
      ),
    );
    expect(error.code).toBe('CONTAINER_NOT_STARTED');
    expect(error.message).toContain('/no/such/program');
    expect(error.hint).toContain('is it the right image?');
  });
});

describe('an image that takes its time', () => {
  /** Takes every connection and never says a word, as a registry behind a bad line. */
  let silent: Server;
  const sockets = new Set<Socket>();
  beforeAll(async () => {
    silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
    silent.listen(0, '0.0.0.0');
    await once(silent, 'listening');
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test('has a budget of its own, and it is said what is pulled', async () => {
    const image = `host.k3d.internal:${(silent.address() as AddressInfo).port}/slow:1`;
    await apply(web({ image }));
    const error = await kube.ready({ ...WEB(), seconds: 2, pullSeconds: 5 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'IMAGE_PULL_SLOW', exitCode: 4 });
    expect((error as ForgeError).message).toMatch(new RegExp(`images were not there after 5 s: Pulling ${image} \\(\\d+ s\\)`));
    expect((error as ForgeError).hint).toContain('forge images pull');
    expect(kube.progress.filter((text) => text.startsWith(`Pulling ${image}`)).length).toBeGreaterThan(2);
  });
});

describe('a container', () => {
  test('runs commands, takes what they read, and tells what it wrote', async () => {
    await apply(web(shell('for i in 1 2 3; do echo line $i; done; trap "exit 0" TERM; while :; do sleep 1; done')));
    await kube.ready(WEB());
    const [pod] = await pods();
    const ref = { namespace: ns, pod: pod!.metadata.name, container: 'main' };
    const ran = await client.exec(ref, ['sh', '-c', 'read -r word; echo "got $word"; echo trouble >&2; exit 7'], { stdin: 'a word\n' });
    expect(ran).toEqual({ exitCode: 7, stdout: 'got a word\n', stderr: 'trouble\n' });
    expect(await client.exec(ref, ['true'])).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    await expect(client.exec({ ...ref, pod: 'nowhere' }, ['true'])).rejects.toMatchObject({ code: expect.stringMatching(/^KUBERNETES_/) });
    expect(await client.logs(ref, { tailLines: 2 })).toBe('line 2\nline 3\n');
    expect(await client.logs(ref, { previous: true })).toBeUndefined();
    expect(await client.logs({ ...ref, pod: 'nowhere' })).toBeUndefined();
    const lines: string[] = [];
    for await (const line of client.followLogs(ref)) if (lines.push(line) === 3) break;
    expect(lines).toEqual(['line 1', 'line 2', 'line 3']);
  });

  test('that is asked to do something without end can be left', async () => {
    await apply(web(shell('sleep 3600')));
    await kube.ready(WEB());
    const [pod] = await pods();
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 1_000);
    const endless = client.exec({ namespace: ns, pod: pod!.metadata.name }, ['sleep', '60'], { signal: controller.signal });
    await expect(endless).rejects.toThrow('enough');
  });
});

describe('a Job', () => {
  const SETUP = () => ({ kind: 'Job', name: 'setup', namespace: ns });
  const job = async (): Promise<Workload | undefined> => client.get<Workload>({ apiVersion: 'batch/v1', ...SETUP() });

  test('that fails for good, and is made anew by the next run', async () => {
    await apply(jobOf(ns, 'setup', shell('echo no such realm; exit 4')));
    const isFailed = async (): Promise<boolean> =>
      ((await job())?.status?.conditions ?? []).some(({ type, status }) => /^Fail/.test(type) && status === 'True');
    const error = await failure(isFailed, SETUP());
    expect(error.code).toBe('JOB_FAILED');
    expect(error.message).toMatch(/pod setup-\S+, container main: the Job failed \(BackoffLimitExceeded: .*\); exit code 4/);
    expect(error.message).toContain('From its log:\n  no such realm');
    expect(error.hint).toContain('`forge up` runs the Job anew');
    expect(await kube.observeReady(SETUP())).toMatchObject({
      state: 'drifted',
      message: expect.stringContaining('failed (BackoffLimitExceeded)'),
    });
    // For this run it has been told; the next one takes it for what it is.
    expect(await kube.observe(`${ns}/all.yaml`)).toEqual({ state: 'in-sync' });
    const object = (await renderManifest(kube.stack, `${ns}/all.yaml`, {})).objects.find(({ kind }) => kind === 'Job')!;
    const owner = { workspace: kube.stack.workspace.id, stack: kube.stack.stack, manifest: `${ns}/all.yaml` };
    const next = await inspect(client, object, owner, { since: Date.now() });
    expect(next).toMatchObject({ plan: 'recreate', why: 'it failed (BackoffLimitExceeded)' });
  });

  test('that is complete is not run again', async () => {
    const setup = jobOf(ns, 'setup', shell('echo done'));
    await apply(setup);
    await kube.ready(SETUP());
    expect(await kube.observe(`${ns}/all.yaml`)).toEqual({ state: 'in-sync' });
    expect(await kube.observeReady(SETUP())).toEqual({ state: 'in-sync' });
    expect(await pods()).toHaveLength(1);
  });
});

describe('what failed before', () => {
  const again = (kind: 'Deployment' | 'StatefulSet', name: string): Promise<void> =>
    awaitReady(client, {
      kind,
      name,
      namespace: ns,
      readySeconds: 60,
      pullSeconds: 60,
      workspace: kube.stack.workspace.id,
      signal: new AbortController().signal,
      since: Date.now(),
    });

  test('is tried at once: an image that has come since', async () => {
    const image = `forge-test/late:${process.pid}`;
    await apply(web({ ...shell('sleep 3600'), image }));
    await failure(() => anyPod(isWaiting(/ErrImagePull|ImagePullBackOff/)));
    await waitUntil(() => anyPod(isWaiting(/ImagePullBackOff/)), { what: 'the back-off', timeoutMs: 30_000 });
    await cluster.give(image);
    const start = performance.now();
    await again('Deployment', 'web');
    expect(performance.now() - start).toBeLessThan(15_000);
  });

  test('does not hold up a StatefulSet that was mended', async () => {
    await apply(statefulSetOf(ns, 'db', crash('exit 3')));
    await failure(() => anyPod(isWaiting(/CrashLoopBackOff/)), { kind: 'StatefulSet', name: 'db', namespace: ns });
    await apply(statefulSetOf(ns, 'db', shell('sleep 3600')));
    await again('StatefulSet', 'db');
    const [pod] = await pods();
    expect(pod?.spec?.containers[0]).toMatchObject({ command: ['sh', '-c', 'sleep 3600'] });
  });

  test('does not end the wait for a Deployment that was mended', async () => {
    await apply(web(crash('exit 3')));
    await failure(() => anyPod(isWaiting(/CrashLoopBackOff/)));
    await apply(web(shell('sleep 3600')));
    await kube.ready(WEB());
  });
});
