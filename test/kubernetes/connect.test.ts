import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ConnectResult, ErrorResult, StatusResult } from '../../src/cli/schemas.js';
import { waitUntil } from '../../src/clients/wait.js';
import { kubernetesRuntime } from '../../src/lifecycle/runtimes/kubernetes.js';
import type { StackContext } from '../../src/workspace/context.js';
import { holderOf } from '../../src/workspace/port-holder.js';
import { writeKept } from '../../src/workspace/kept.js';
import { existingCluster, type ExistingCluster } from '../helpers/existing-cluster.js';
import { existingStack, filesServer, type ExistingStack } from '../helpers/existing-cluster-objects.js';
import { runForge, type Ran } from '../helpers/forge.js';
import { deploymentOf, serviceOf } from '../helpers/kube-stack.js';
import { apiPort, kubeProxy, withApiPort, type KubeProxy } from '../helpers/kube-proxy.js';
import { expectShape } from '../helpers/schemas.js';
import { closedPort } from '../helpers/world.js';

let cluster: ExistingCluster;
let kube: ExistingStack;
let stack: StackContext;
let proxy: KubeProxy;
let kubeconfig: string;
const { signal } = new AbortController();
const opened: (() => unknown)[] = [];
beforeAll(async () => {
  cluster = await existingCluster();
  opened.unshift(() => cluster.close());
  kube = await existingStack(cluster);
  opened.unshift(() => kube.close());
  stack = kube.stack;
  opened.unshift(() => kubernetesRuntime.down(stack.workspace, { keepData: false, signal, note: () => undefined }));
  // The API server that forge knows can be cut off.
  proxy = await kubeProxy(apiPort(cluster.kubeconfig));
  opened.unshift(() => proxy.close());
  kubeconfig = withApiPort(cluster.kubeconfig, proxy.port, join(stack.workspace.root, 'kubeconfig'));
  const health = { '/_localstack/health': '{"services": {"s3": "available"}}' };
  await kube.put(
    'localstack',
    deploymentOf('localstack', 'localstack', filesServer(health, 8080)),
    serviceOf('localstack', 'localstack', { ports: [{ name: 'edge', port: 4566, targetPort: 'web' }] }),
  );
});
afterAll(async () => {
  for (const close of opened) await close();
});

const env = (): Record<string, string> => ({ FORGE_RUNTIME: 'kubernetes', KUBECONFIG: kubeconfig });
const forge = <T = unknown>(...args: string[]): Promise<Ran<T>> => runForge<T>(args, stack.workspace.root, { env: env() });
const eventually = <T>(check: () => Promise<T | false | undefined> | T | false | undefined, what: string): Promise<T> =>
  waitUntil<T>(async () => Promise.resolve(check()).catch(() => false as const), { what, timeoutMs: 60_000 });
const url = (path: string): string => `http://127.0.0.1:${stack.ports['localstack']}${path}`;
const read = async (path = '/pod'): Promise<string> =>
  (await (await fetch(url(path), { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) })).text()).trim();
const listens = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = dial({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), done(true))).once('error', () => done(false));
  });

interface Running {
  child: ChildProcess;
  lines(): string;
  ended: Promise<Ran<ConnectResult>>;
}
let running: Running | undefined;
afterEach(async () => {
  running?.child.kill('SIGKILL');
  await running?.ended;
  running = undefined;
});

/** Starts `forge connect`, and waits until its ports are open. */
async function start(...flags: string[]): Promise<Running> {
  let child: ChildProcess | undefined;
  let stdout = '';
  const ended = runForge<ConnectResult>(['connect', ...flags], stack.workspace.root, {
    env: env(),
    onStart: (started) => (child = started),
    onStdout: (text) => (stdout += text),
  });
  running = { child: child!, lines: () => stdout, ended };
  await eventually(() => listens(stack.ports['localstack']!), 'a port that is open');
  return running;
}
const stop = (signalName: NodeJS.Signals = 'SIGINT'): Promise<Ran<ConnectResult>> => {
  running!.child.kill(signalName);
  return running!.ended;
};

test('shows what leads where, keeps it open while the pod behind it is replaced, and ends well on Ctrl-C', async () => {
  const connect = await start();
  const pod = await eventually(() => read(), 'a pod that answers');
  await eventually(() => connect.lines().includes(`localstack: ready: ${pod}`), 'the line of the pod');
  expect(connect.lines()).toContain(`localstack         127.0.0.1:${stack.ports['localstack']}  localstack.localstack:4566`);
  expect(connect.lines()).toContain('kafka: no pod is ready');

  await cluster.client.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'localstack', name: pod });
  const next = await eventually(async () => {
    const answer = await read();
    return answer !== pod && answer;
  }, 'the next pod');
  await eventually(() => connect.lines().includes(`localstack: ready: ${next}`), 'the line of the next pod');

  const { code, stderr } = await stop();
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'Stopping … press Ctrl-C again to end at once.\n' });
  expect(await listens(stack.ports['localstack']!)).toBe(false);
  expect(existsSync(join(stack.workspace.run, 'connect.json'))).toBe(false);
});

test('--json says nothing until the end, and then one document', async () => {
  const connect = await start('--json');
  await eventually(() => read(), 'a pod that answers');
  expect(connect.lines()).toBe('');
  const { code, json } = await stop('SIGTERM');
  expect(code).toBe(0);
  expectShape('connect', json);
  expect(json.context).toBe(cluster.context);
  expect(json.ports).toContainEqual({
    name: 'localstack',
    host: '127.0.0.1',
    port: stack.ports['localstack'],
    namespace: 'localstack',
    service: 'localstack',
    servicePort: 4566,
  });
});

test('the other commands use its ports, and there is one of it only', async () => {
  const connect = await start();
  const record = JSON.parse(readFileSync(join(stack.workspace.run, 'connect.json'), 'utf8')) as { pid: number };
  expect(record.pid).toBe(connect.child.pid);
  const status = await forge<StatusResult>('status', '--json');
  expect(status.json.components.find(({ name }) => name === 'localstack')).toMatchObject({ state: 'running' });
  expectShape('status', status.json);
  const again = await forge<ErrorResult>('connect', '--json');
  expect(again.code).toBe(2);
  expect(again.json.error).toMatchObject({
    code: 'CONNECT_RUNS',
    message: `forge connect already runs for this workspace (process ${record.pid})`,
  });
  expect(holderOf(stack.ports['localstack']!)?.pid).toBe(record.pid);
  const isOurs = await kubernetesRuntime.ownPorts(stack.workspace);
  expect([isOurs(stack.ports['localstack']!), isOurs(await closedPort())]).toEqual([true, false]);
});

test('a command that used its ports goes on by itself when it is killed; what it noted is forgotten', async () => {
  const connect = await start();
  await kubernetesRuntime.withAccess(stack, signal, async () => {
    expect(holderOf(stack.ports['localstack']!)?.pid).toBe(connect.child.pid);
    await stop('SIGKILL');
    await eventually(() => read(), 'an answer through the port that was taken over');
    expect(holderOf(stack.ports['localstack']!)?.pid).toBe(process.pid);
  });
  expect(await listens(stack.ports['localstack']!)).toBe(false);
  expect((await kubernetesRuntime.ownPorts(stack.workspace))(stack.ports['localstack']!)).toBe(false);
  expect((await forge<StatusResult>('status', '--json')).json.components.find(({ name }) => name === 'localstack')?.state).toBe('running');
});

test('an API server that is away for a while ends nothing: the ports lead again once it is back', async () => {
  const connect = await start();
  await eventually(() => read(), 'a pod that answers');
  await proxy.shut();
  await expect(read()).rejects.toThrow('fetch failed');
  await proxy.open();
  await eventually(() => read(), 'an answer');
  expect(connect.child.exitCode).toBe(null);
});

test('it follows the stack: other ports are opened when they have changed, and it ends when the stack is taken down', async () => {
  const connect = await start();
  const port = await closedPort();
  const before = readFileSync(stack.workspace.configFile, 'utf8');
  const { writeFileSync, rmSync } = await import('node:fs');
  writeFileSync(stack.workspace.configFile, before.replace(String(stack.ports['localstack']), String(port)));
  await writeKept(stack.workspace, { ...stack, ports: { ...stack.ports, localstack: port } });
  await eventually(() => listens(port), 'the new port');
  expect(await listens(stack.ports['localstack']!)).toBe(false);
  writeFileSync(stack.workspace.configFile, before);
  rmSync(join(stack.workspace.forgeDir, 'stack.json'));
  const { code, stderr } = await connect.ended;
  expect(code).toBe(0);
  expect(stderr).toContain('The stack is not on this cluster any more: the ports are closed.');
  await writeKept(stack.workspace, stack);
});

test.each([
  ['on processes', { FORGE_RUNTIME: 'process' }, 'On the runtime process the addresses of the stack answer by themselves'],
  [
    'with ports that are led there by other means',
    { FORGE_KUBERNETES_ACCESS: 'direct' },
    'The ports are led into the cluster by other means',
  ],
])('%s it is not needed, and says so', async (_, more, message) => {
  const ran = await runForge<ErrorResult>(['connect', '--json'], stack.workspace.root, { env: { ...env(), ...more } });
  expect(ran.code).toBe(2);
  expect(ran.json.error.code).toBe('CONNECT_NOT_NEEDED');
  expect(ran.json.error.message).toContain(message);
});
