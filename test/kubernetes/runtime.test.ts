import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ErrorResult } from '../../src/cli/schemas.js';
import type { KubeObject, KubeRef } from '../../src/clients/kubernetes.js';
import { waitUntil } from '../../src/clients/wait.js';
import { kubernetesRuntime } from '../../src/lifecycle/runtimes/kubernetes.js';
import { removeWorkspace } from '../../src/runtimes/kubernetes/teardown.js';
import type { StackContext } from '../../src/workspace/context.js';
import { keptFile, writeKept } from '../../src/workspace/kept.js';
import { contentOf, existingCluster, SMALL_IMAGE, type ExistingCluster } from '../helpers/existing-cluster.js';
import { existingStack, filesServer, type ExistingStack } from '../helpers/existing-cluster-objects.js';
import { runForge } from '../helpers/forge.js';
import { configMapOf, deploymentOf, jobOf, serviceOf, statefulSetOf } from '../helpers/kube-stack.js';

let cluster: ExistingCluster;
let kube: ExistingStack;
let stack: StackContext;
const { signal } = new AbortController();
const notes: string[] = [];
const opened: (() => unknown)[] = [];
beforeAll(async () => {
  cluster = await existingCluster();
  opened.unshift(() => cluster.close());
  kube = await existingStack(cluster);
  opened.unshift(() => kube.close());
  stack = kube.stack;
  opened.unshift(() => down());
});
afterAll(async () => {
  for (const close of opened) await close();
});
beforeEach(() => void notes.splice(0));

const down = (keepData = false): Promise<string[]> =>
  kubernetesRuntime.down(stack.workspace, { keepData, signal, note: (text) => void notes.push(text) });
const withAccess = <T>(use: () => Promise<T>, to = stack): Promise<T> => kubernetesRuntime.withAccess(to, signal, use);
const refOf = (kind: string, name: string, namespace?: string): KubeRef => {
  const apiVersion = ['Deployment', 'StatefulSet'].includes(kind) ? 'apps/v1' : kind === 'Job' ? 'batch/v1' : 'v1';
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
};
const isThere = async (kind: string, name: string, namespace?: string): Promise<boolean> =>
  (await cluster.client.get(refOf(kind, name, namespace))) !== undefined;
const podsIn = async (namespace: string): Promise<string[]> =>
  (await cluster.client.list({ apiVersion: 'v1', kind: 'Pod', namespace })).items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.name);
const url = (name: string, path: string): string => `http://127.0.0.1:${stack.ports[name]}${path}`;
/** Connections of their own: each finds its pod. */
const read = async (address: string): Promise<string> =>
  (await (await fetch(address, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) })).text()).trim();
const eventually = <T>(check: () => Promise<T | false>, what: string): Promise<T> =>
  waitUntil<T>(() => check().catch(() => false as const), { what, timeoutMs: 60_000 });
const listens = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), done(true))).once('error', () => done(false));
  });

describe('the ports of this machine', () => {
  const web = (replicas: number) => [
    deploymentOf('iceberg-rest', 'iceberg-rest', filesServer({}, 8080), {}, { replicas }),
    serviceOf('iceberg-rest', 'iceberg-rest', { ports: [{ name: 'http', port: 8181, targetPort: 'web' }] }),
  ];

  test('lead to a ready pod while they are used, and to nobody afterwards', async () => {
    await kube.put('iceberg-rest', ...web(2));
    const ready = () => withAccess(() => read(url('catalog', '/pod')));
    const pod = await eventually(ready, 'a pod that answers');
    expect(await podsIn('iceberg-rest')).toContain(pod);
    expect(await listens(stack.ports['catalog']!)).toBe(false);
  });

  test('a pod that is deleted in the middle is followed by the other one, and that by its successor, on the same port', async () => {
    await withAccess(async () => {
      const before = await podsIn('iceberg-rest');
      const answering = await eventually(() => read(url('catalog', '/pod')), 'a pod');
      await cluster.client.delete(refOf('Pod', answering, 'iceberg-rest'));
      const other = await eventually(async () => {
        const pod = await read(url('catalog', '/pod'));
        return pod !== answering && pod;
      }, 'the other pod');
      for (const pod of before) await cluster.client.delete(refOf('Pod', pod, 'iceberg-rest'));
      const successor = await eventually(async () => {
        const pod = await read(url('catalog', '/pod'));
        return !before.includes(pod) && pod;
      }, 'the successor');
      expect(new Set([answering, other, successor]).size).toBeGreaterThanOrEqual(2);
    });
  });

  test('with no ready pod, and with no such service, a connection ends at once', async () => {
    await withAccess(async () => {
      for (const name of ['kafka', 'localstack']) {
        const started = performance.now();
        await expect(read(url(name, '/'))).rejects.toThrow('fetch failed');
        expect(performance.now() - started).toBeLessThan(2_000);
      }
    });
  });

  test('8 MiB go both ways unchanged, though the other side reads late', async () => {
    const echo = { image: SMALL_IMAGE, command: ['nc', '-ll', '-p', '7000', '-e', 'cat'], readinessProbe: { tcpSocket: { port: 7000 } } };
    await kube.put(
      'localstack',
      deploymentOf('localstack', 'localstack', echo),
      serviceOf('localstack', 'localstack', { ports: [{ port: 4566, targetPort: 7000 }] }),
    );
    const sent = randomBytes(8 * 1024 * 1024);
    const heard = await withAccess(() => eventually(() => echoOf(stack.ports['localstack']!, sent), 'the echo'));
    expect(createHash('sha256').update(heard).digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  });

  test('a port that a stranger has is refused with its process, and none is left open', async () => {
    const stranger = createServer().listen(stack.ports['kafka'], '127.0.0.1');
    await new Promise((done) => stranger.once('listening', done));
    try {
      const refused = withAccess(() => Promise.resolve());
      await expect(refused).rejects.toMatchObject({ code: 'PORT_TAKEN', exitCode: 3 });
      await expect(refused).rejects.toThrow(
        `Port ${stack.ports['kafka']} on this machine, which leads to kafka in the cluster, is taken by process ${process.pid}`,
      );
      expect(await listens(stack.ports['catalog']!)).toBe(false);
    } finally {
      await new Promise((done) => stranger.close(done));
    }
  });

  test('when they are led there by other means, none is opened', async () => {
    const config = { ...stack.config, kubernetes: { ...stack.config.kubernetes, access: 'direct' as const } };
    expect(await withAccess(() => listens(stack.ports['catalog']!), { ...stack, config })).toBe(false);
  });
});

/** Sends all of it before it reads any, and gives what comes back. */
function echoOf(port: number, sent: Buffer): Promise<Buffer> {
  return new Promise((done, fail) => {
    const parts: Buffer[] = [];
    let size = 0;
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.pause();
      socket.write(sent);
      setTimeout(() => socket.resume(), 500);
    });
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size >= sent.length) socket.destroy();
    });
    socket.on('error', fail).on('close', () => (size >= sent.length ? done(Buffer.concat(parts)) : fail(new Error(`${size} bytes`))));
  });
}

describe('a cluster that was there before', () => {
  const asked = (context: string | undefined, config = stack.config): StackContext => {
    const { context: _, ...kubernetes } = config.kubernetes;
    return { ...stack, config: { ...config, kubernetes: { ...kubernetes, ...(context === undefined ? {} : { context }) } } };
  };

  test('is not taken because it is current: the context has to be named', async () => {
    await expect(kubernetesRuntime.require(asked(undefined), signal)).rejects.toMatchObject({ code: 'CONTEXT_MISSING', exitCode: 2 });
  });

  test('a context that there is not lists those that there are', async () => {
    const refused = kubernetesRuntime.require(asked('kind-nowhere'), signal);
    await expect(refused).rejects.toMatchObject({ code: 'CONTEXT_UNKNOWN', exitCode: 2 });
    await expect(refused).rejects.toThrow(`has no context kind-nowhere; it has ${cluster.context}, elsewhere`);
  });

  test('one that does not answer is an error of its own', async () => {
    await expect(kubernetesRuntime.require(asked('elsewhere'), signal)).rejects.toMatchObject({
      code: 'KUBERNETES_UNREACHABLE',
      exitCode: 4,
    });
  });

  test.each<[string[], string, string]>([
    [[], 'CONTEXT_MISSING', 'The runtime kubernetes needs to be told which cluster to use'],
    [['--context', 'nowhere'], 'CONTEXT_UNKNOWN', 'it has '],
    [['--context', 'nowhere', '--runtime', 'process'], 'CONTEXT_NEEDLESS', '--context is for the runtime kubernetes, not for process'],
  ])('up %j is refused before anything is written', async (flags, code, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'forge-refused-'));
    opened.push(() => rmSync(folder, { recursive: true, force: true }));
    const args = flags.includes('--runtime') ? flags : ['--runtime', 'kubernetes', ...flags];
    const env = { FORGE_RUNTIME: '', KUBECONFIG: cluster.kubeconfig };
    const ran = await runForge<ErrorResult>(['up', '--json', ...args], folder, { env });
    expect(ran.code).toBe(2);
    expect(ran.json.error.code).toBe(code);
    expect(ran.json.error.message).toContain(message);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('with all rights nothing is lacking, and the kubeconfig stays as it was', async () => {
    const before = contentOf(cluster.kubeconfig);
    await kubernetesRuntime.require(stack, signal);
    expect(contentOf(cluster.kubeconfig)).toBe(before);
  });

  test('every right that a user lacks is told at once, with where', async () => {
    const metadata = { name: 'few-rights', namespace: 'default' };
    await cluster.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    const rbac = 'rbac.authorization.k8s.io';
    const all = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
    const look = { apiGroups: ['', 'apps', 'batch', 'discovery.k8s.io'], resources: ['*'], verbs: ['get', 'list', 'watch'] };
    const subjects = [{ kind: 'ServiceAccount', ...metadata }];
    await cluster.apply(
      { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: 'forge-test-look' }, rules: [look] },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'forge-test-look' },
        subjects,
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'forge-test-look' },
      },
      // In one of the namespaces it may do everything.
      { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name: 'all', namespace: 'localstack' }, rules: [all] },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name: 'all', namespace: 'localstack' },
        subjects,
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'all' },
      },
    );
    const kubeconfig = await cluster.asServiceAccount('default', 'few-rights');
    process.env['KUBECONFIG'] = kubeconfig;
    try {
      const refused = kubernetesRuntime.require(stack, signal);
      await expect(refused).rejects.toMatchObject({ code: 'CLUSTER_LACKING', exitCode: 3 });
      const where = 'kafka, postgresql, iceberg-rest, flink';
      for (const text of [
        `this user may not create, patch, delete deployments in ${where}\n`,
        `this user may not create, patch, delete secrets in ${where}\n`,
        `this user may not create pods/portforward in ${where}\n`,
        `this user may not create namespaces, and these are not there: kafka, postgresql, flink`,
      ])
        await expect(refused).rejects.toThrow(text);
      await expect(refused).rejects.not.toThrow(/list|get/);
    } finally {
      process.env['KUBECONFIG'] = cluster.kubeconfig;
    }
  });
});

describe('what an earlier choice brought up', () => {
  test('goes with its services when the stack has it no more; its data stays, and so does what the stack has', async () => {
    await kube.put('polaris', deploymentOf('polaris', 'polaris', filesServer({}, 8181)), serviceOf('polaris', 'polaris'));
    await kube.put('polaris', claimOf('polaris', 'data'), jobOf('polaris', 'bootstrap', { image: SMALL_IMAGE, command: ['true'] }));
    await eventually(async () => {
      const job = await cluster.client.get<KubeObject & { status?: { succeeded?: number } }>(refOf('Job', 'bootstrap', 'polaris'));
      return job?.status?.succeeded === 1;
    }, 'the Job');
    await kubernetesRuntime.withdraw(stack, signal);
    expect(await isThere('Deployment', 'polaris', 'polaris')).toBe(false);
    expect(await isThere('Service', 'polaris', 'polaris')).toBe(false);
    expect(await podsIn('polaris')).toEqual([expect.stringMatching(/^bootstrap-/)]);
    expect(await isThere('PersistentVolumeClaim', 'data', 'polaris')).toBe(true);
    expect(await isThere('Job', 'bootstrap', 'polaris')).toBe(true);
    expect(await isThere('Deployment', 'iceberg-rest', 'iceberg-rest')).toBe(true);
  });
});

const claimOf = (namespace: string, name: string): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
});
const secretOf = (namespace: string, name: string): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  data: { password: 'c2VjcmV0' },
});

describe('down', () => {
  const neighbour = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'neighbour' } };
  const labels = { 'app.kubernetes.io/managed-by': 'forge', 'forge.dev/workspace': '00000000', 'forge.dev/stack': 'balloon-popper' };
  const other = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other-workspace', labels } };
  const box = { image: SMALL_IMAGE, command: ['sleep', '3600'] };

  test('--keep-data ends what runs, and keeps volumes, credentials and services', async () => {
    await kube.put(
      'kafka',
      statefulSetOf('kafka', 'kafka', box),
      serviceOf('kafka', 'kafka'),
      claimOf('kafka', 'kafka-data'),
      secretOf('kafka', 'kafka'),
    );
    await eventually(async () => (await podsIn('kafka')).length === 1, 'a pod');
    expect(await down(true)).toEqual(['iceberg-rest', 'kafka', 'localstack']);
    expect(await podsIn('kafka')).toEqual([]);
    for (const [kind, name] of [
      ['Service', 'kafka'],
      ['PersistentVolumeClaim', 'kafka-data'],
      ['Secret', 'kafka'],
    ] as const)
      expect(await isThere(kind, name, 'kafka'), kind).toBe(true);
  });

  test('goes to every context that the stack was brought up in, or nowhere: one that is gone is said first', async () => {
    const kept = contentOf(keptFile(stack.workspace));
    await writeKept(stack.workspace, { ...stack, context: 'vanished' });
    await writeKept(stack.workspace, stack);
    try {
      await expect(down()).rejects.toMatchObject({
        code: 'CONTEXT_UNKNOWN',
        exitCode: 2,
        hint: expect.stringContaining(`if that cluster is gone for good, remove ${keptFile(stack.workspace)}`) as string,
      });
      expect(await isThere('Secret', 'kafka', 'kafka')).toBe(true);
    } finally {
      writeFileSync(keptFile(stack.workspace), kept);
    }
  });

  test('in another cluster than before touches nothing', async () => {
    const file = join(stack.workspace.run, 'cluster.json');
    const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
    writeFileSync(file, JSON.stringify({ [cluster.context]: 'another-cluster' }));
    try {
      await expect(down()).rejects.toMatchObject({ code: 'CLUSTER_CHANGED', exitCode: 3 });
      expect(await isThere('Secret', 'kafka', 'kafka')).toBe(true);
    } finally {
      writeFileSync(file, before);
    }
  });

  test('removes exactly what carries the labels of the workspace', async () => {
    await kube.put('kafka', statefulSetOf('kafka', 'kafka', box));
    await cluster.apply(neighbour, other);
    await cluster.apply(deploymentOf('neighbour', 'kafka', box), secretOf('neighbour', 'kafka'), claimOf('neighbour', 'kafka-data'));
    const foreign = { ...(deploymentOf('other-workspace', 'kafka', box) as unknown as KubeObject) };
    await cluster.apply({ ...foreign, metadata: { ...foreign.metadata, labels } });
    await cluster.apply(configMapOf('localstack', 'of-the-user', { mine: 'yes' }));

    const stopped = await down();
    expect(stopped).toEqual(['bootstrap', 'kafka']);
    for (const namespace of ['kafka', 'polaris', 'iceberg-rest']) expect(await isThere('Namespace', namespace), namespace).toBe(false);
    expect(await isThere('Namespace', 'localstack')).toBe(true);
    expect(await isThere('ConfigMap', 'of-the-user', 'localstack')).toBe(true);
    expect(await isThere('Deployment', 'localstack', 'localstack')).toBe(false);
    const stays = notes.filter((note) => note.startsWith('Namespace'));
    expect(stays).toEqual([expect.stringMatching(/^Namespace localstack stays: it holds .*, which forge did not make$/)]);
    expect(stays[0]).toContain('ConfigMap localstack/of-the-user');
    for (const [kind, name, namespace] of [
      ['Deployment', 'kafka', 'neighbour'],
      ['Secret', 'kafka', 'neighbour'],
      ['PersistentVolumeClaim', 'kafka-data', 'neighbour'],
      ['Deployment', 'kafka', 'other-workspace'],
    ] as const)
      expect(await isThere(kind, name, namespace), `${kind} ${namespace}/${name}`).toBe(true);
    expect(await down()).toEqual([]);
    await Promise.all(['neighbour', 'other-workspace', 'localstack'].map((name) => cluster.client.delete(refOf('Namespace', name))));
  });

  const teardown = (): Promise<string[]> =>
    removeWorkspace(cluster.client, { workspace: stack.workspace.id, namespaces: ['flink'], signal, patienceMs: 3_000 });

  test('says what keeps an object from going, and what holds a namespace', async () => {
    const held = configMapOf('flink', 'held', { a: 'b' }) as unknown as KubeObject;
    await kube.put('flink', { ...held, metadata: { ...held.metadata, finalizers: ['example.org/wait'] } });
    await expect(teardown()).rejects.toMatchObject({ code: 'NOT_REMOVED', exitCode: 4 });
    await expect(teardown()).rejects.toThrow('After 3 s these are still there: ConfigMap flink/held (held by example.org/wait)');
    await cluster.client.patch(refOf('ConfigMap', 'held', 'flink'), { metadata: { finalizers: null } });

    await kube.put('flink', configMapOf('flink', 'owner', {}));
    const owner = (await cluster.client.get(refOf('ConfigMap', 'owner', 'flink')))!;
    const owned = configMapOf('flink', 'owned', {}) as unknown as KubeObject;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
    await cluster.apply({ ...owned, metadata: { ...owned.metadata, finalizers: ['example.org/wait'], ownerReferences } });
    await expect(teardown()).rejects.toMatchObject({ code: 'NAMESPACE_STUCK', exitCode: 4 });
    await expect(teardown()).rejects.toThrow(/^Namespace flink does not go within 3 s: .*example\.org\/wait in 1 resource/);
    await cluster.client.patch(refOf('ConfigMap', 'owned', 'flink'), { metadata: { finalizers: null } });
    await eventually(async () => (await teardown(), !(await isThere('Namespace', 'flink'))), 'the namespace to go');
  });
});
