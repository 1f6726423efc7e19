import { afterAll, beforeAll, expect, test } from 'vitest';
import { kubernetesStates } from '../../src/components/kubernetes-status.js';
import type { ComponentState } from '../../src/components/status.js';
import { waitUntil } from '../../src/clients/wait.js';
import { kubernetesRuntime } from '../../src/lifecycle/runtimes/kubernetes.js';
import { existingCluster, SMALL_IMAGE, type ExistingCluster } from '../helpers/existing-cluster.js';
import { existingStack, filesServer, type ExistingStack } from '../helpers/existing-cluster-objects.js';
import { deploymentOf, serviceOf, statefulSetOf } from '../helpers/kube-stack.js';

let cluster: ExistingCluster;
let kube: ExistingStack;
const { signal } = new AbortController();
/** What was opened, the last first. */
const opened: (() => unknown)[] = [];
beforeAll(async () => {
  cluster = await existingCluster();
  opened.unshift(() => cluster.close());
  kube = await existingStack(cluster);
  opened.unshift(() => kube.close());
  opened.unshift(() => kubernetesRuntime.down(kube.stack.workspace, { keepData: false, signal, note: () => undefined }));
});
afterAll(async () => {
  for (const close of opened) await close();
});

const look = (): Promise<ComponentState[]> =>
  kubernetesRuntime.withAccess(kube.stack, signal, () => kubernetesStates(kube.stack, signal, { memory: true }));
const stateOf = async (name: string): Promise<ComponentState> => (await look()).find((state) => state.name === name)!;
/** The state of a server as soon as it holds. */
const becomes = (name: string, holds: (state: ComponentState) => boolean): Promise<ComponentState> => {
  let last: ComponentState | undefined;
  const check = async () => {
    last = await stateOf(name);
    return holds(last) && last;
  };
  return waitUntil(check, { what: `${name} to be otherwise`, timeoutMs: 120_000 }).catch(() => {
    throw new Error(`${name} stays ${JSON.stringify(last)}`);
  });
};
const box = (...command: string[]) => ({ image: SMALL_IMAGE, command });
const restarting = { terminationGracePeriodSeconds: 1 };

test('before anything is there, every server is stopped, and which workload lacks is said', async () => {
  const states = await look();
  expect(states.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'kafka stopped',
    'localstack stopped',
    'postgresql stopped',
    'iceberg-rest stopped',
    'flink stopped',
  ]);
  expect(states[0]).toMatchObject({ pods: [], residentBytes: 0, reason: 'StatefulSet kafka/kafka is not there' });
});

test('a server whose pods are ready and which answers runs; its pods and the memory of its node are told', async () => {
  const health = { '/_localstack/health': '{"services": {"s3": "available"}}' };
  await kube.put(
    'localstack',
    deploymentOf('localstack', 'localstack', filesServer(health, 4566)),
    serviceOf('localstack', 'localstack', { ports: [{ name: 'edge', port: 4566 }] }),
  );
  const state = await becomes('localstack', ({ state, residentBytes }) => state === 'running' && residentBytes > 0);
  expect(state).toEqual({
    name: 'localstack',
    state: 'running',
    endpoint: `127.0.0.1:${kube.stack.ports['localstack']}`,
    pods: [expect.stringMatching(/^localstack-/)],
    residentBytes: expect.any(Number) as number,
  });
  expect(state.residentBytes).toBeLessThan(256 * 1024 * 1024);
});

test('a server whose pods are ready and which does not answer is failing, with what was asked', async () => {
  await kube.put(
    'kafka',
    statefulSetOf('kafka', 'kafka', box('sleep', '3600'), restarting),
    serviceOf('kafka', 'kafka', { ports: [{ name: 'outside', port: 9094 }] }),
  );
  const state = await becomes('kafka', ({ pods }) => pods?.length === 1);
  const failing = await becomes('kafka', ({ reason }) => reason?.startsWith('not true') === true);
  expect(failing).toMatchObject({ state: 'failing', pods: ['kafka-0'] });
  expect(failing.reason).toContain(`not true: Kafka answers on 127.0.0.1:${kube.stack.ports['kafka']}`);
  expect(state.pods).toEqual(['kafka-0']);
});

test('a server that ends again and again is dead, with how it ended and how often', async () => {
  await kube.put('postgresql', statefulSetOf('postgresql', 'postgresql', box('sh', '-c', 'exit 3'), restarting));
  const state = await becomes('postgresql', ({ reason }) => reason?.includes('CrashLoopBackOff') === true);
  expect(state).toMatchObject({ state: 'dead', pods: ['postgresql-0'] });
  expect(state.reason).toMatch(/^postgresql-0 \(main\) waits: CrashLoopBackOff .*ended with exit code 3, restarts: [1-9]/);
});

test('an image that cannot be had is failing, with the image', async () => {
  await kube.put('iceberg-rest', deploymentOf('iceberg-rest', 'iceberg-rest', { image: 'registry.invalid/nothing:1' }));
  const state = await becomes('iceberg-rest', ({ reason }) => /ErrImagePull|ImagePullBackOff/.test(reason ?? ''));
  expect(state.state).toBe('failing');
  expect(state.reason).toContain('registry.invalid/nothing:1');
});

test('with some of its workloads a server is degraded; one of somebody else does not count', async () => {
  await kube.put(
    'flink',
    deploymentOf('flink', 'flink-jobmanager', box('sleep', '3600'), restarting),
    deploymentOf('flink', 'flink-sql-gateway', box('sleep', '3600'), restarting, { replicas: 0 }),
  );
  await cluster.apply(deploymentOf('flink', 'flink-taskmanager', box('sleep', '3600'), restarting));
  const state = await becomes('flink', ({ state }) => state === 'degraded');
  expect(state.reason).toBe(
    "Deployment flink/flink-taskmanager is there and is not forge's; Deployment flink/flink-sql-gateway is scaled to 0",
  );
  expect(state.pods).toEqual([expect.stringMatching(/^flink-jobmanager-/)]);
});

test('where the kubelet may not be asked there is no memory, and all else is told', async () => {
  const name = 'no-kubelet';
  const subject = { kind: 'ServiceAccount', name, namespace: 'default' };
  const rbac = 'rbac.authorization.k8s.io';
  const rules = [{ apiGroups: ['', 'apps', 'discovery.k8s.io'], resources: ['*'], verbs: ['get', 'list', 'watch'] }];
  // `*` takes in nodes/proxy, so the resources are named.
  rules[0]!.resources = ['pods', 'services', 'deployments', 'statefulsets', 'endpointslices'];
  await cluster.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name }, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      subjects: [subject],
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
    },
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name, namespace: 'localstack' }, rules: [forwarding] },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { name, namespace: 'localstack' },
      subjects: [subject],
      roleRef: { apiGroup: rbac, kind: 'Role', name },
    },
  );
  const kubeconfig = await cluster.asServiceAccount('default', name);
  const before = process.env['KUBECONFIG'];
  process.env['KUBECONFIG'] = kubeconfig;
  try {
    expect(await stateOf('localstack')).toMatchObject({ state: 'running', residentBytes: 0, pods: [expect.any(String)] });
  } finally {
    process.env['KUBECONFIG'] = before;
  }
});
const forwarding = { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] };
