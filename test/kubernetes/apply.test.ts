import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectKubernetes } from '../../src/clients/kubernetes.js';
import { openAccess } from '../../src/clients/kubernetes-access.js';
import { waitUntil } from '../../src/clients/wait.js';
import { ForgeError } from '../../src/errors.js';
import type { Observation } from '../../src/modules/contract.js';
import {
  configMapOf,
  deploymentOf,
  jobOf,
  kubeStack,
  namespaceOf,
  serviceOf,
  statefulSetOf,
  type KubeStack,
} from '../helpers/kube-stack.js';
import { withApiPort } from '../helpers/kube-proxy.js';
import { startFakeCluster, type FakeCluster } from '../helpers/kwok.js';
import type { KubeApi, KubeObject } from '../helpers/kwok-api.js';

const folder = mkdtempSync(path.join(tmpdir(), 'forge-apply-'));
let cluster: FakeCluster;
let api: KubeApi;
let kube: KubeStack;
beforeAll(async () => {
  cluster = await startFakeCluster(path.join(folder, 'a'), 'forge-apply');
  api = cluster.api;
  kube = await kubeStack({ kubeconfig: cluster.kubeconfig, context: 'forge-apply' });
});
afterAll(async () => {
  await kube.close();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Each test has a namespace of its own. */
let ns: string;
let count = 0;
beforeEach(() => void (ns = `apply-${++count}`));
const at = (kind: string, name: string, group = 'api/v1'): string => `/${group}/namespaces/${ns}/${kind}/${name}`;
const deployment = (name = 'web'): string => at('deployments', name, 'apis/apps/v1');
const web = (more: object = {}, spec: object = {}) =>
  deploymentOf(ns, 'web', { image: 'web:1', ports: [{ containerPort: 80 }], ...more }, {}, { ...spec });

const write = (...objects: object[]): void => kube.manifest(`${ns}/all.yaml`, [namespaceOf(ns), ...objects]);
const observe = (more = {}): Promise<Observation> => kube.observe(`${ns}/all.yaml`, more);
const apply = (more = {}): Promise<string> => kube.apply(`${ns}/all.yaml`, more);
const diffOf = async (): Promise<object[]> => {
  const seen = await observe();
  if (seen.state !== 'drifted') throw new Error(`not drifted: ${JSON.stringify(seen)}`);
  return seen.diff;
};
const refusal = async (work: Promise<unknown>): Promise<ForgeError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ForgeError) return error;
  throw new Error(`no ForgeError: ${String(error)}`);
};

describe('what is applied', () => {
  test('stands as the manifest says, with labels, is kept as text, and is not touched again', async () => {
    write(configMapOf(ns, 'settings', { level: 'info' }), web(), serviceOf(ns, 'web'));
    const seen = await observe();
    expect(seen).toMatchObject({ state: 'missing' });
    expect(seen).toHaveProperty('message', expect.stringContaining(`Deployment ${ns}/web`));
    expect(await api.get(`/api/v1/namespaces/${ns}`)).toBeUndefined();

    const done = await apply();
    for (const name of [`Namespace ${ns}`, `ConfigMap ${ns}/settings`, `Deployment ${ns}/web`]) expect(done).toContain(`${name} created`);
    const live = (await api.get(deployment()))!;
    expect(live.metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'forge',
      'forge.dev/workspace': kube.stack.workspace.id,
      'forge.dev/stack': 'balloon-popper',
      'forge.dev/manifest': `${ns}.all.yaml`,
    });
    expect(live.metadata.managedFields!.map(({ manager, operation }) => `${manager} ${operation}`)).toContain('forge Apply');

    const text = path.join(kube.stack.workspace.generated, 'manifests', ns, 'all.yaml');
    expect(statSync(text).mode & 0o777).toBe(0o600);
    expect(readFileSync(text, 'utf8')).toContain('forge.dev/stack: balloon-popper');

    expect(await kube.applyBlindly(`${ns}/all.yaml`)).toBe('nothing was left to do');
    const { generation } = (await api.get(deployment()))!.metadata as { generation?: number };
    expect(generation).toBe(1);
  });

  test('a field changed by kubectl is drift, told exactly, and is put back', async () => {
    write(web());
    await apply();
    await api.patch(deployment(), { spec: { replicas: 3 } });
    expect(await diffOf()).toEqual([{ field: `Deployment ${ns}/web spec.replicas`, is: '3', should: '1' }]);
    expect(await apply()).toBe(`Deployment ${ns}/web changed (taken back from kubectl-patch)`);
    expect((await api.get(deployment()))!.spec).toMatchObject({ replicas: 1 });
  });

  test('an image and a label are told by container and name', async () => {
    write(web());
    await apply();
    write(web({ image: 'web:2', env: [{ name: 'LEVEL', value: 'debug' }] }));
    expect(await diffOf()).toEqual([
      {
        field: `Deployment ${ns}/web spec.template.spec.containers[main].env`,
        is: 'absent',
        should: '[{"name":"LEVEL","value":"debug"}]',
      },
      { field: `Deployment ${ns}/web spec.template.spec.containers[main].image`, is: 'web:1', should: 'web:2' },
    ]);
    await apply();
    write(web());
    expect(await diffOf()).toEqual([
      {
        field: `Deployment ${ns}/web spec.template.spec.containers[main].env`,
        is: '[{"name":"LEVEL","value":"debug"}]',
        should: 'absent',
      },
      { field: `Deployment ${ns}/web spec.template.spec.containers[main].image`, is: 'web:2', should: 'web:1' },
    ]);
    await apply();
  });

  test('what others add, what the server fills in and the status are no drift', async () => {
    write(web({ resources: { limits: { cpu: '1000m', memory: '1024Mi' } } }), serviceOf(ns, 'web', { type: 'NodePort' }));
    await apply();
    const other = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: ns, annotations: { team: 'blue' } } };
    const container = { name: 'main', env: [{ name: 'TRACE', value: 'on' }] };
    await api.apply(deployment(), { ...other, spec: { template: { spec: { containers: [container] } } } }, { manager: 'injector' });
    await api.patch(deployment(), { metadata: { labels: { mine: 'yes' } } });
    expect(await observe()).toEqual({ state: 'in-sync' });
  });

  test('values of a Secret are never shown', async () => {
    const secret = (password: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login', namespace: ns },
      stringData: { user: 'forge', password },
    });
    write(secret('first-of-all'));
    await apply();
    await api.patch(at('secrets', 'login'), { data: { password: Buffer.from('by-somebody').toString('base64') } });
    write(secret('second-of-all'));
    const seen = await observe();
    expect(seen).toMatchObject({ diff: [{ field: `Secret ${ns}/login data.password`, is: '***', should: '***' }] });
    expect(JSON.stringify(seen)).not.toMatch(/first|second|somebody|c2Vjb25k|YnktC29t/i);
    await apply();
    const live = (await api.get(at('secrets', 'login')))!;
    expect(Buffer.from(live.data!['password']!, 'base64').toString()).toBe('second-of-all');
  });

  test('a Service that somebody deleted is made again', async () => {
    write(web(), serviceOf(ns, 'web'));
    await apply();
    await api.delete(at('services', 'web'));
    expect(await diffOf()).toEqual([{ field: `Service ${ns}/web`, is: 'absent', should: 'there' }]);
    expect(await apply()).toBe(`Service ${ns}/web created`);
  });

  test('pods notice settings of their manifest that changed', async () => {
    const given = { envFrom: [{ configMapRef: { name: 'settings' } }] };
    write(configMapOf(ns, 'settings', { level: 'info' }), web(given));
    await apply();
    write(configMapOf(ns, 'settings', { level: 'debug' }), web(given));
    const fields = (await diffOf()).map((one) => (one as { field: string }).field);
    expect(fields).toEqual([
      `ConfigMap ${ns}/settings data.level`,
      `Deployment ${ns}/web spec.template.metadata.annotations.forge.dev/config`,
    ]);
    await apply();
  });

  test('pods notice a Secret of another manifest that changed', async () => {
    const secret = (password: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login', namespace: ns },
      stringData: { password },
    });
    kube.manifest(`${ns}/login.yaml`, [namespaceOf(ns), secret('first-password')]);
    await kube.apply(`${ns}/login.yaml`);
    kube.manifest(`${ns}/all.yaml`, [web({ envFrom: [{ secretRef: { name: 'login' } }] })]);
    await apply();
    kube.manifest(`${ns}/login.yaml`, [namespaceOf(ns), secret('second-password')]);
    expect(await observe()).toEqual({ state: 'in-sync' });
    await kube.apply(`${ns}/login.yaml`);
    const field = `Deployment ${ns}/web spec.template.metadata.annotations.forge.dev/config-elsewhere`;
    expect(await diffOf()).toMatchObject([{ field }]);
    await apply();
  });

  test('a new kind and an object of it can come in one manifest', async () => {
    const names = { kind: 'Balloon', plural: `balloons${count}`, singular: `balloon${count}` };
    const version = {
      name: 'v1',
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { color: { type: 'string' } } } } } },
    };
    write(
      {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: `${names.plural}.test.forge.dev` },
        spec: { group: 'test.forge.dev', names, scope: 'Namespaced', versions: [version] },
      },
      { apiVersion: 'test.forge.dev/v1', kind: 'Balloon', metadata: { name: 'red', namespace: ns }, spec: { color: 'red' } },
    );
    expect(await apply()).toContain(`Balloon ${ns}/red created`);
    expect(await api.get(`/apis/test.forge.dev/v1/namespaces/${ns}/${names.plural}/red`)).toBeDefined();
  });
});

describe('another manager', () => {
  const theirs = (replicas: number) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: ns },
    spec: { replicas },
  });

  test('that declares a field keeps it: forge refuses, names manager and field, and changes nothing', async () => {
    write(configMapOf(ns, 'settings', { level: 'info' }), web());
    await apply();
    await api.apply(deployment(), theirs(4), { manager: 'gitops-tool', force: true });
    write(configMapOf(ns, 'settings', { level: 'debug' }), web());
    expect(await diffOf()).toContainEqual({ field: `Deployment ${ns}/web spec.replicas`, is: '4 (held by gitops-tool)', should: '1' });
    const error = await refusal(apply());
    expect(error).toMatchObject({ code: 'FIELD_CONFLICT', exitCode: 4 });
    expect(error.message).toContain('gitops-tool holds spec.replicas');
    expect(error.hint).toContain(`--force-conflicts --field-manager=forge -f .forge/generated/manifests/${ns}/all.yaml`);
    expect((await api.get(at('configmaps', 'settings')))!.data).toEqual({ level: 'info' });
    expect((await api.get(deployment()))!.spec).toMatchObject({ replicas: 4 });

    expect(await apply({ force: true })).toContain('taken back from gitops-tool');
    expect((await api.get(deployment()))!.spec).toMatchObject({ replicas: 1 });
  });

  test('that is a controller keeps a field too, although it only updates', async () => {
    write(web());
    await apply();
    await fetchAs(cluster, deployment(), { spec: { replicas: 5 } }, 'autoscaler');
    const error = await refusal(apply());
    expect(error.message).toContain('autoscaler holds spec.replicas');
  });
});

describe('what the manifest no longer has', () => {
  test('is deleted, except data; nothing of anybody else is', async () => {
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: ns },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    write(configMapOf(ns, 'old', { a: '1' }), configMapOf(ns, 'kept', { a: '1' }), web(), claim);
    await apply();
    kube.manifest(`${ns}/other.yaml`, [configMapOf(ns, 'of-another-manifest', { a: '1' })]);
    await kube.apply(`${ns}/other.yaml`);
    const labels = { 'app.kubernetes.io/managed-by': 'forge', 'forge.dev/manifest': `${ns}.all.yaml` };
    const stranger = configMapOf(ns, 'of-another-workspace', { a: '1' });
    await api.create(`/api/v1/namespaces/${ns}/configmaps`, {
      ...stranger,
      metadata: { name: 'of-another-workspace', labels: { ...labels, 'forge.dev/workspace': 'deadbeef' } },
    });

    write(configMapOf(ns, 'kept', { a: '1' }));
    expect(await diffOf()).toEqual(
      expect.arrayContaining([
        { field: `ConfigMap ${ns}/old`, is: 'there', should: 'absent' },
        { field: `Deployment ${ns}/web`, is: 'there', should: 'absent' },
      ]),
    );
    expect(await apply()).toContain(`ConfigMap ${ns}/old deleted, the manifest has it no more`);
    const left = (await api.list(`/api/v1/namespaces/${ns}/configmaps`)).map(({ metadata }) => metadata.name).sort();
    expect(left).toEqual(['kept', 'kube-root-ca.crt', 'of-another-manifest', 'of-another-workspace']);
    expect(await api.get(deployment())).toBeUndefined();
    expect(await api.get(at('persistentvolumeclaims', 'data'))).toBeDefined();
  });

  test('gives its node port to what comes in its place', async () => {
    const node = (name: string) => serviceOf(ns, name, { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 31901 }] });
    write(node('before'));
    await apply();
    write(node('after'));
    expect(await apply()).toContain(`Service ${ns}/after created`);
    expect(await api.get(at('services', 'before'))).toBeUndefined();
  });
});

describe('mistakes and refusals', () => {
  test('a field that Kubernetes does not know is found before anything is made', async () => {
    write(configMapOf(ns, 'settings', { level: 'info' }), web({ imagee: 'typo' }));
    // The namespace has to be there for the server to look at what is in it.
    await api.create('/api/v1/namespaces', namespaceOf(ns));
    const error = await refusal(observe());
    expect(error).toMatchObject({ code: 'OBJECT_INVALID', exitCode: 2 });
    expect(error.message).toContain(`Deployment ${ns}/web`);
    expect(error.message).toContain('.imagee: field not declared in schema');
    expect((await refusal(kube.applyBlindly(`${ns}/all.yaml`))).code).toBe('OBJECT_INVALID');
    expect(await api.get(at('configmaps', 'settings'))).toBeUndefined();
  });

  test('a name that the template misses is told with file and line', async () => {
    kube.manifest(`${ns}/all.yaml`, `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ nobody.knows }}\n`);
    const error = await refusal(observe());
    expect(error).toMatchObject({ code: 'TEMPLATE_VARIABLE_MISSING', exitCode: 2 });
    expect(error.message).toContain(`manifests/${ns}/all.yaml:4`);
  });

  test('what somebody else made is not touched', async () => {
    await api.create('/api/v1/namespaces', namespaceOf(ns));
    await api.create(`/api/v1/namespaces/${ns}/configmaps`, configMapOf(ns, 'settings', { level: 'theirs' }));
    write(configMapOf(ns, 'settings', { level: 'info' }));
    const error = await refusal(observe());
    expect(error.code).toBe('OBJECT_NOT_OURS');
    expect(error.message).toContain(`ConfigMap ${ns}/settings`);
    expect((await refusal(kube.applyBlindly(`${ns}/all.yaml`))).code).toBe('OBJECT_NOT_OURS');
    expect((await api.get(at('configmaps', 'settings')))!.data).toEqual({ level: 'theirs' });
  });

  test('a node port that another Service holds is told with its name', async () => {
    await api.create('/api/v1/namespaces', namespaceOf(`${ns}-other`));
    const spec = { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 31902 }] };
    await api.create(`/api/v1/namespaces/${ns}-other/services`, serviceOf(`${ns}-other`, 'taken', spec));
    write(serviceOf(ns, 'web', spec));
    await api.create('/api/v1/namespaces', namespaceOf(ns));
    const error = await refusal(observe());
    expect(error.code).toBe('NODE_PORT_TAKEN');
    expect(error.message).toContain(`needs node port 31902, which Service ${ns}-other/taken holds`);
    expect(error.hint).toContain(`Delete Service ${ns}-other/taken`);
  });
});

describe('what cannot be changed in place', () => {
  const claims = (storage: string) => ({
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } } }],
  });

  test('a StatefulSet is made anew, which is said; its claims stay', async () => {
    write(statefulSetOf(ns, 'db', { image: 'db:1' }, {}, claims('1Gi')));
    await apply();
    await waitUntilThere(() => api.get(at('persistentvolumeclaims', 'data-db-0')));
    const before = (await api.get(at('statefulsets', 'db', 'apis/apps/v1')))!.metadata.uid;
    write(statefulSetOf(ns, 'db', { image: 'db:1' }, {}, claims('2Gi')));
    const seen = await observe();
    expect(seen).toMatchObject({ state: 'drifted', message: expect.stringContaining('has to be made anew') });
    expect(await diffOf()).toEqual([
      { field: `StatefulSet ${ns}/db spec.volumeClaimTemplates[data].spec.resources.requests.storage`, is: '1Gi', should: '2Gi' },
    ]);
    const done = await apply();
    expect(done).toContain(
      `StatefulSet ${ns}/db deleted and made anew: spec.volumeClaimTemplates[data].spec.resources.requests.storage cannot be changed in place`,
    );
    expect(done).toContain('its volumes stay as they are');
    expect((await api.get(at('statefulsets', 'db', 'apis/apps/v1')))!.metadata.uid).not.toBe(before);
    expect(await api.get(at('persistentvolumeclaims', 'data-db-0'))).toBeDefined();
  });

  test('a claim is never deleted for it', async () => {
    const claim = (storage: string) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: ns },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
    write(claim('2Gi'));
    await apply();
    const { uid } = (await api.get(at('persistentvolumeclaims', 'data')))!.metadata;
    write(claim('1Gi'));
    const error = await refusal(kube.applyBlindly(`${ns}/all.yaml`));
    expect(error.message).toContain('PersistentVolumeClaim');
    expect((await api.get(at('persistentvolumeclaims', 'data')))!.metadata.uid).toBe(uid);
  });

  test('a Job runs once for its template, however it looks by now, and anew for another', async () => {
    write(jobOf(ns, 'setup', { image: 'tool:1' }));
    await apply();
    const path = at('jobs', 'setup', 'apis/batch/v1');
    const complete = (job: KubeObject | undefined): boolean => (job?.status as { succeeded?: number } | undefined)?.succeeded === 1;
    const done = await waitUntilThere(async () => api.get(path).then((job) => (complete(job) ? job : undefined)));
    await Promise.all((await api.list(`/api/v1/namespaces/${ns}/pods`)).map(({ metadata }) => api.delete(at('pods', metadata.name))));
    expect(await observe()).toEqual({ state: 'in-sync' });
    expect((await api.get(path))!.metadata.uid).toBe(done.metadata.uid);
    write(jobOf(ns, 'setup', { image: 'tool:2' }));
    expect(await apply()).toContain(`Job ${ns}/setup deleted and made anew`);
    expect((await api.get(path))!.metadata.uid).not.toBe(done.metadata.uid);
  });
});

describe('taking away', () => {
  test('removes what was applied, and waits until it is gone', async () => {
    write(web(), serviceOf(ns, 'web'), configMapOf(ns, 'settings', { a: '1' }));
    await apply();
    await kube.remove(`${ns}/all.yaml`);
    expect(await api.get(`/api/v1/namespaces/${ns}`)).toBeUndefined();
    await kube.remove(`${ns}/all.yaml`);
    expect(await observe()).toMatchObject({ state: 'missing' });
    await apply();
  });

  test('leaves a namespace with something of others in it, and what is theirs', async () => {
    write(web(), configMapOf(ns, 'settings', { a: '1' }));
    await apply();
    await api.create(`/api/v1/namespaces/${ns}/configmaps`, configMapOf(ns, 'theirs', { a: '1' }));
    await kube.remove(`${ns}/all.yaml`);
    expect((await api.get(`/api/v1/namespaces/${ns}`))!.metadata).not.toHaveProperty('deletionTimestamp');
    expect((await api.list(`/api/v1/namespaces/${ns}/configmaps`)).map(({ metadata }) => metadata.name)).toEqual([
      'kube-root-ca.crt',
      'theirs',
    ]);
    expect(await api.get(deployment())).toBeUndefined();
    expect(kube.progress.join('\n')).toContain(`Namespace ${ns} stays`);
  });

  test('a namespace that somebody else made is used and stays', async () => {
    await api.create('/api/v1/namespaces', namespaceOf(ns));
    write(web());
    await apply();
    await kube.remove(`${ns}/all.yaml`);
    expect(await api.get(deployment())).toBeUndefined();
    expect(await api.get(`/api/v1/namespaces/${ns}`)).toBeDefined();
  });

  test('what is just being deleted is waited for, then made again', async () => {
    write(web());
    await apply();
    const client = await connectKubernetes({ kubeconfig: cluster.kubeconfig, context: cluster.context });
    await client.delete({ apiVersion: 'v1', kind: 'Namespace', name: ns });
    await apply();
    expect(await api.get(deployment())).toBeDefined();
  });
});

describe('the cluster', () => {
  test('one that does not answer is an error, not an empty one', async () => {
    write(web());
    process.env['KUBECONFIG'] = withApiPort(cluster.kubeconfig, 1, path.join(folder, 'closed'));
    const error = await refusal(observe().finally(() => (process.env['KUBECONFIG'] = cluster.kubeconfig)));
    expect(error).toMatchObject({ code: 'KUBERNETES_UNREACHABLE', exitCode: 4 });
    expect(error.message).toContain('connection refused');
  });

  test('another one behind the same context is refused before anything is made', async () => {
    write(web());
    await apply();
    await cluster.stop();
    cluster = await startFakeCluster(path.join(folder, 'b'), 'forge-apply');
    process.env['KUBECONFIG'] = cluster.kubeconfig;
    const error = await refusal(kube.applyBlindly(`${ns}/all.yaml`));
    expect(error).toMatchObject({ code: 'CLUSTER_CHANGED', exitCode: 3 });
    expect(error.hint).toContain('cluster.json');
    expect((await refusal(observe())).code).toBe('CLUSTER_CHANGED');
    expect((await refusal(kube.remove(`${ns}/all.yaml`))).code).toBe('CLUSTER_CHANGED');
    expect(await cluster.api.get(`/api/v1/namespaces/${ns}`)).toBeUndefined();
  });
});

const waitUntilThere = <T>(look: () => Promise<T | undefined>): Promise<NonNullable<T>> =>
  waitUntil(look as () => Promise<NonNullable<T> | undefined>, { what: 'it to be there', timeoutMs: 30_000 });

/** A change by a program that is none of those that people use. */
async function fetchAs({ kubeconfig, context }: FakeCluster, target: string, change: object, manager: string): Promise<void> {
  const access = await openAccess({ kubeconfig, context });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const options = { ...(await access.options('request')), method: 'PATCH', headers };
  const status = await new Promise((resolve, reject) => {
    const sent = request(new URL(`${target}?fieldManager=${manager}`, access.server), options, (response) =>
      response.resume().on('end', () => resolve(response.statusCode)),
    );
    sent.on('error', reject).end(JSON.stringify(change));
  });
  expect(status).toBe(200);
}
