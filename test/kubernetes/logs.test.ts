import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ErrorResult } from '../../src/cli/schemas.js';
import type { KubeObject } from '../../src/clients/kubernetes.js';
import { waitUntil } from '../../src/clients/wait.js';
import { kubernetesRuntime } from '../../src/lifecycle/runtimes/kubernetes.js';
import type { StackContext } from '../../src/workspace/context.js';
import { existingCluster, SMALL_IMAGE, type ExistingCluster } from '../helpers/existing-cluster.js';
import { existingStack, type ExistingStack } from '../helpers/existing-cluster-objects.js';
import { runForge, type Ran } from '../helpers/forge.js';
import { deploymentOf, jobOf, statefulSetOf } from '../helpers/kube-stack.js';

const PASSWORD = 'never-to-be-seen';

let cluster: ExistingCluster;
let kube: ExistingStack;
let stack: StackContext;
const { signal } = new AbortController();
const opened: (() => unknown)[] = [];
beforeAll(async () => {
  cluster = await existingCluster();
  opened.unshift(() => cluster.close());
  kube = await existingStack(cluster);
  opened.unshift(() => kube.close());
  stack = kube.stack;
  opened.unshift(() => kubernetesRuntime.down(stack.workspace, { keepData: false, signal, note: () => undefined }));
  await stack.credentials.write('postgresql', { username: 'forge', password: PASSWORD });
});
afterAll(async () => {
  for (const close of opened) await close();
});

interface Logs {
  component: string;
  lines: { process: string; line: string }[];
}
const run = <T = Logs>(...args: string[]): Promise<Ran<T>> =>
  runForge<T>(['logs', ...args], stack.workspace.root, { env: { FORGE_RUNTIME: 'kubernetes', KUBECONFIG: cluster.kubeconfig } });
const logs = async (...args: string[]): Promise<Logs['lines']> => {
  const ran = await run(...args, '--json');
  if (ran.code !== 0) throw new Error(ran.stdout + ran.stderr);
  return ran.json.lines;
};
const eventually = <T>(check: () => Promise<T | false> | T | false, what: string): Promise<T> =>
  waitUntil<T>(async () => Promise.resolve(check()).catch(() => false as const), { what, timeoutMs: 90_000 });
const pods = async (namespace: string): Promise<KubeObject[]> =>
  (await cluster.client.list({ apiVersion: 'v1', kind: 'Pod', namespace })).items.filter(({ metadata }) => !metadata.deletionTimestamp);
const shell = (script: string): Record<string, unknown> => ({ image: SMALL_IMAGE, command: ['sh', '-c', script] });

test('the lines of a pod, secrets masked; so many of the last ones, or since a moment', async () => {
  const script = `for i in 1 2 3; do echo "line $i"; done; sleep 4; echo "password is ${PASSWORD}"; sleep 3600`;
  await kube.put('postgresql', statefulSetOf('postgresql', 'postgresql', shell(script)));
  const all = await eventually(async () => {
    const lines = await logs('postgresql');
    return lines.length === 4 && lines;
  }, 'four lines');
  expect(all.map(({ process, line }) => `${process}: ${line}`)).toEqual([
    'postgresql-0: line 1',
    'postgresql-0: line 2',
    'postgresql-0: line 3',
    'postgresql-0: password is ***',
  ]);
  expect(await logs('postgresql', '--lines', '2')).toEqual(all.slice(-2));
  expect(await logs('postgresql', '--lines', '0')).toEqual([]);
  expect(await logs('postgresql-0')).toEqual(all);
  // The first three came four seconds before the last.
  const status = (await pods('postgresql'))[0]!['status'] as { containerStatuses: { state: { running: { startedAt: string } } }[] };
  const started = Date.parse(status.containerStatuses[0]!.state.running.startedAt);
  expect(await logs('postgresql', '--since', new Date(started + 3_000).toISOString())).toEqual(all.slice(-1));
  // One pod needs no name before its lines.
  expect((await run('postgresql', '-n', '1')).stdout).toBe('password is ***\n');
});

test('of a container that was just restarted, what the one before it said comes first', async () => {
  const script = 'test -e /kept/mark && echo again && exec sleep 3600; touch /kept/mark; echo first; echo cannot go on; exit 1';
  const container = { ...shell(script), volumeMounts: [{ name: 'kept', mountPath: '/kept' }] };
  await kube.put('kafka', statefulSetOf('kafka', 'kafka', container, { volumes: [{ name: 'kept', emptyDir: {} }] }));
  const lines = await eventually(async () => {
    const found = await logs('kafka');
    return found.some(({ line }) => line === 'again') && found;
  }, 'a restart');
  expect(lines.map(({ line }) => line)).toEqual(['first', 'cannot go on', 'again']);
  expect((await logs('kafka', '-n', '2')).map(({ line }) => line)).toEqual(['cannot go on', 'again']);
});

test('several pods and containers are told apart; a Job is found by its name', async () => {
  const beside = { name: 'beside', ...shell('echo beside; sleep 3600') };
  const web = deploymentOf('localstack', 'localstack', shell('echo hello; sleep 3600'), {}, { replicas: 2 }) as {
    spec: { template: { spec: { containers: object[] } } };
  };
  web.spec.template.spec.containers.push(beside);
  await kube.put('localstack', web, jobOf('localstack', 'prepare', shell('echo prepared')));
  const lines = await eventually(async () => {
    const found = await logs('localstack');
    return found.length === 4 && found;
  }, 'four lines');
  const names = (await pods('localstack')).map(({ metadata }) => metadata.name).filter((name) => name.startsWith('localstack'));
  expect(lines.map(({ process, line }) => `${process}: ${line}`).sort()).toEqual(
    names.flatMap((name) => [`${name}/beside: beside`, `${name}/main: hello`]).sort(),
  );
  const job = await eventually(async () => {
    const found = await logs('prepare');
    return found.length === 1 && found;
  }, 'the line of the Job');
  expect(job[0]!.line).toBe('prepared');
});

test('-f goes on over restarts and with new pods, and every line comes once', async () => {
  let stdout = '';
  let child: ChildProcess | undefined;
  const count = 'n=0; while true; do n=$((n+1)); echo "$(hostname) $n"; sleep 0.2; test $n = 15 && exit 0; done';
  await kube.put('iceberg-rest', deploymentOf('iceberg-rest', 'iceberg-rest', shell(count), {}, { replicas: 1 }));
  const [first] = await eventually(async () => {
    const found = await pods('iceberg-rest');
    return found.length === 1 && found;
  }, 'a pod');
  const ended = runForge(['logs', 'iceberg-rest', '-f'], stack.workspace.root, {
    env: { FORGE_RUNTIME: 'kubernetes', KUBECONFIG: cluster.kubeconfig },
    onStart: (started) => (child = started),
    onStdout: (text) => (stdout += text),
  });
  const said = (pod: string): number[] =>
    stdout
      .split('\n')
      .map((line) => /^(?:\S+ \| )?(\S+) (\d+)$/.exec(line))
      .filter((match) => match?.[1] === pod)
      .map((match) => Number(match![2]));
  const name = first!.metadata.name;
  // It counts to 15, ends, and is started again in the same pod.
  await eventually(() => said(name).filter((n) => n === 1).length >= 2 && said(name).at(-1)! >= 3, 'the container after a restart');
  const round = said(name).slice(0, 15);
  expect(round).toEqual(Array.from({ length: 15 }, (_, index) => index + 1));
  await cluster.client.patch(
    { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'iceberg-rest', name: 'iceberg-rest' },
    { spec: { replicas: 2 } },
  );
  const other = await eventually(
    async () => (await pods('iceberg-rest')).map(({ metadata }) => metadata.name).find((pod) => pod !== name) ?? false,
    'a second pod',
  );
  await eventually(() => said(other).length >= 3, 'lines of the second pod');
  expect(said(other).slice(0, 3)).toEqual([1, 2, 3]);
  child!.kill('SIGINT');
  expect((await ended).code).toBe(130);
});

test('what there is not is said, with what there is', async () => {
  const unknown = await run<ErrorResult>('nothing', '--json');
  expect(unknown.json.error).toMatchObject({ code: 'UNKNOWN_COMPONENT', message: 'This stack has no component nothing' });
  expect(unknown.json.error.hint).toContain('flink, flink-jobmanager, flink-taskmanager');
  const absent = await run<ErrorResult>('flink', '--json');
  expect(absent.code).toBe(3);
  expect(absent.json.error).toMatchObject({ code: 'NO_LOG', message: 'No pod of flink has written a log' });
});
