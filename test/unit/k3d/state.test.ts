import { beforeEach, describe, expect, it } from 'vitest';
import { clusterSpec } from '../../../src/runtimes/k3d/config.js';
import { driftOf } from '../../../src/runtimes/k3d/drift.js';
import { clusterName } from '../../../src/runtimes/k3d/name.js';
import { clusterState, ownCluster } from '../../../src/runtimes/k3d/state.js';
import { k3dCluster } from '../../../src/modules/k3d-cluster.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { scratch } from '../../helpers/folders.js';
import { clusters, codeOf, containers, fakePrograms, networks, stackAt, volumes, type FakeContainer } from './fakes.js';

const fakes = fakePrograms();
let stack: StackContext;
let name: string;
let own: Record<string, string>;
beforeEach(async () => {
  stack = (await stackAt(scratch())).stack;
  name = clusterName(stack);
  own = { 'forge.workspace': stack.workspace.id, 'forge.stack': 'balloon-popper' };
});

const server = (more: Partial<FakeContainer> = {}, labels: Record<string, string> = own): FakeContainer => ({
  name: `k3d-${name}-server-0`,
  labels: { app: 'k3d', 'k3d.cluster': name, 'k3d.role': 'server', ...labels },
  ...more,
});
const tools = (): FakeContainer => ({ name: `k3d-${name}-tools`, labels: { app: 'k3d', 'k3d.cluster': name } });
const ownNetwork = (): Record<string, string> => networks({ name: `k3d-${name}`, labels: own });
const foreignNetwork = (): Record<string, string> => networks({ name: `k3d-${name}`, labels: { app: 'k3d' } });
const look = () => clusterState(name, stack.workspace);
const asDesired = (): Partial<FakeContainer> => {
  const spec = clusterSpec(stack);
  const ports = Object.fromEntries(spec.ports.map(({ host, inside }) => [inside, [{ HostIp: '127.0.0.1', HostPort: String(host) }]]));
  return { image: spec.image, binds: spec.binds, command: ['server', ...spec.serverArguments, '--tls-san', '127.0.0.1'], ports };
};

describe('the state of the cluster', () => {
  it('nothing at all', async () => {
    expect(await look()).toMatchObject({ state: 'absent', remains: [], volumes: [] });
  });

  it.each(['running', 'restarting'])('%s: it runs', async (status) => {
    fakes.docker({ ...containers(server({ status })), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters('another', name) });
    expect(await look()).toMatchObject({ state: 'running', node: { name: `k3d-${name}-server-0` } });
  });

  it.each(['exited', 'paused'])('%s: it is stopped', async (status) => {
    fakes.docker({ ...containers(server({ status })), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters(name) });
    expect(await look()).toMatchObject({ state: 'stopped', node: { status } });
  });

  it.each(['created', 'dead', 'removing'])('%s: it was made by half, and goes with its helper', async (status) => {
    fakes.docker({ ...containers(server({ status }), tools()), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters(name) });
    const found = await look();
    expect(found.state).toBe('half');
    expect(found.remains.map((one) => one.name).sort()).toEqual([`k3d-${name}-server-0`, `k3d-${name}-tools`]);
  });

  it('only the helper was made: known by its exact name and by the network with our label', async () => {
    fakes.docker({ ...containers(tools()), ...ownNetwork() });
    const found = await look();
    expect(found).toMatchObject({ state: 'half', network: { name: `k3d-${name}` } });
    expect(found.remains.map((one) => one.id)).toEqual([`id-of-k3d-${name}-tools`]);
  });

  it('leftovers only: network and volumes with our label are ours, others are not', async () => {
    const data = `forge-${stack.workspace.id}-data`;
    fakes.docker({ ...ownNetwork(), ...volumes({ name: data, labels: own }, { name: `k3d-${name}-images`, labels: null }) });
    const found = await look();
    expect(found).toMatchObject({ state: 'absent', network: { name: `k3d-${name}` } });
    expect(found.volumes.map((one) => one.name)).toEqual([data]);
  });

  it('a helper beside a node that runs may be at work for somebody', async () => {
    fakes.docker({ ...containers(server(), tools()), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters(name) });
    expect(await look()).toMatchObject({ state: 'running', remains: [] });
  });

  const listedNode = (node: string, role: string): string =>
    JSON.stringify([{ name, nodes: [{ name: node, role }], serversRunning: 1, serversCount: 1 }]);
  it.each<[string, () => Record<string, string>, () => string]>([
    ['a cluster without our label', () => ({ ...containers(server({}, {})), ...foreignNetwork() }), () => clusters(name)],
    [
      "another workspace's cluster",
      () => ({ ...containers(server({}, { 'forge.workspace': 'deadbeef' })), ...foreignNetwork() }),
      () => clusters(name),
    ],
    ['a cluster with other names for its nodes', () => ({}), () => listedNode('theirs', 'server')],
    ['a container that only has the name of our node', () => containers({ name: `k3d-${name}-server-0`, labels: {} }), () => '[]'],
    ['a helper without a network of ours', () => ({ ...containers(tools()), ...foreignNetwork() }), () => '[]'],
    ['a helper without any network', () => containers(tools()), () => '[]'],
    ['a network without our label', foreignNetwork, () => '[]'],
    ['a registry of that cluster', () => ({}), () => listedNode(`k3d-${name}-registry`, 'registry')],
  ])("a stranger's: %s", async (_what, docker, listed) => {
    fakes.docker(docker());
    fakes.k3d({ 'cluster list': listed() });
    expect((await look()).state).toBe('stranger');
    expect(await codeOf(ownCluster(name, stack.workspace))).toBe('CLUSTER_FOREIGN');
    const touched = fakes
      .calls()
      .filter((call) => /docker (rm|network rm|volume rm|stop)|k3d cluster (create|start|stop|delete)/.test(call));
    expect(touched).toEqual([]);
  });

  it('a neighbour whose name begins like ours is not looked at', async () => {
    fakes.k3d({ 'cluster list': clusters(`${name}-2`) });
    expect(await look()).toMatchObject({ state: 'absent' });
  });

  it.each<[string, string[], boolean]>([
    ['k3d lists it and Docker has nothing', ['NAME'], false],
    ['Docker has it and k3d does not list it', [], true],
  ])('they do not agree: %s', async (_what, listed, isThere) => {
    if (isThere) fakes.docker({ ...containers(server()), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters(...listed.map(() => name)) });
    expect(await codeOf(look())).toBe('CLUSTER_UNCLEAR');
  });

  it.each<[string, Record<string, string>, string]>([
    ['no JSON', { 'container inspect': 'Killed\n' }, 'DOCKER_ANSWER_UNKNOWN'],
    ['an empty answer', { 'container inspect': '' }, 'DOCKER_ANSWER_UNKNOWN'],
    ['another shape', { 'container inspect': '[{"Id":"x"}]' }, 'DOCKER_ANSWER_UNKNOWN'],
    ['nothing of the network', { 'network inspect': '' }, 'DOCKER_ANSWER_UNKNOWN'],
  ])('an answer of Docker that cannot be understood is no absence: %s', async (_what, answers, code) => {
    fakes.docker({ ...containers(server()), ...answers });
    fakes.k3d({ 'cluster list': clusters(name) });
    expect(await codeOf(look())).toBe(code);
  });

  it('a failure that is none of absence is told', async () => {
    fakes.docker({ 'container inspect': { out: '[]\n', err: 'Error response from daemon: disk on fire\n', code: 1 } });
    expect(await codeOf(look())).toBe('DOCKER_FAILED');
  });

  it('Docker that stops in the middle is told as that', async () => {
    const gone = { err: 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n', code: 1 };
    fakes.docker({ 'network inspect': gone });
    expect(await codeOf(look())).toBe('DOCKER_UNREACHABLE');
  });
});

describe('what needs a new cluster', () => {
  const node = async (more: Partial<FakeContainer>) => {
    fakes.docker({ ...containers(server({ ...asDesired(), ...more })), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters(name) });
    const found = await look();
    return found.node!;
  };

  it('a node as it was made is as it should be', async () => {
    expect(driftOf(await node({}), clusterSpec(stack))).toEqual([]);
  });

  it('so is one of the same image under its full name', async () => {
    expect(driftOf(await node({ image: `docker.io/${clusterSpec(stack).image}` }), clusterSpec(stack))).toEqual([]);
  });

  it.each<[string, () => Partial<FakeContainer>, { field: string; is: string; should: string }]>([
    [
      'another image',
      () => ({ image: 'rancher/k3s:v1.30.0-k3s1' }),
      { field: 'image', is: 'rancher/k3s:v1.30.0-k3s1', should: 'rancher/k3s:v1.33.13-k3s1' },
    ],
    [
      'another port',
      () => ({ ports: { ...asDesired().ports, 30094: [{ HostIp: '127.0.0.1', HostPort: '29094' }] } }),
      { field: 'port kafka', is: '127.0.0.1:29094', should: '127.0.0.1:19094' },
    ],
    [
      'a port on every interface',
      () => ({ ports: { ...asDesired().ports, 6443: [{ HostIp: '', HostPort: '16550' }] } }),
      { field: 'port k3d-api', is: '0.0.0.0:16550', should: '127.0.0.1:16550' },
    ],
    [
      'no port at all',
      () => ({ ports: { ...asDesired().ports, 30567: [] } }),
      { field: 'port risingwave', is: 'none', should: '127.0.0.1:14567' },
    ],
    [
      'another volume',
      () => ({ binds: ['other:/var/lib/forge', ...(asDesired().binds ?? []).slice(1)] }),
      { field: 'volume /var/lib/forge', is: 'other', should: 'DATA' },
    ],
    [
      'k3s without what was switched off',
      () => ({ command: ['server'] }),
      { field: 'arguments', is: '', should: '--disable=traefik --disable=metrics-server --disable=servicelb' },
    ],
  ])('%s', async (_what, more, difference) => {
    const should = difference.should.replace('DATA', `forge-${stack.workspace.id}-data`);
    expect(driftOf(await node(more()), clusterSpec(stack))).toEqual([{ ...difference, should }]);
  });

  /** The node with its folder of packages as Docker names the source. */
  const withPackages = async (name: (folder: string) => string, labels?: Record<string, string>) => {
    const [data, packages] = asDesired().binds!;
    const [folder] = packages!.split(':');
    const binds = [data!, packages!.replace(folder!, name(folder!))];
    return driftOf(await node({ binds, labels: { ...server().labels, ...labels } }), clusterSpec(stack));
  };
  it.each<[string, (folder: string) => string]>([
    ['macOS', (folder) => `/host_mnt${folder}`],
    ['Windows', (folder) => `/run/desktop/mnt/host${folder}`],
    ['WSL', () => `/run/desktop/mnt/host/wsl/docker-desktop-bind-mounts/Ubuntu/4d9e39410bba78dc`],
  ])('Docker Desktop on %s tells a folder by its own path, which is no other folder', async (_what, name) => {
    expect(await withPackages(name)).toEqual([]);
  });

  it('where the node says what it was given, that alone counts', async () => {
    const wanted = asDesired().binds![1]!.split(':')[0]!;
    const wsl = () => '/run/desktop/mnt/host/wsl/docker-desktop-bind-mounts/Ubuntu/4d9e39410bba78dc';
    expect(await withPackages(wsl, { 'forge.packages': wanted })).toEqual([]);
    expect(await withPackages(wsl, { 'forge.packages': '/old' })).toEqual([
      { field: 'volume /forge-packages', is: '/old', should: wanted },
    ]);
    expect(await withPackages(() => '/host_mnt/elsewhere')).toEqual([
      { field: 'volume /forge-packages', is: '/elsewhere', should: wanted },
    ]);
  });

  it('is told by one of two tasks only: the second goes by what the first has found', async () => {
    fakes.docker({ ...containers(server({ ...asDesired(), image: 'rancher/k3s:v1.30.0-k3s1' })), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters(name) });
    const context = { stack, signal: new AbortController().signal, progress: () => undefined, waitingFor: () => undefined };
    expect(await k3dCluster.observe({ part: 'node' }, context)).toMatchObject({ state: 'drifted' });
    const asked = fakes.calls().length;
    expect((await k3dCluster.observe({ part: 'rest' }, context)).state).toBe('unknown');
    expect(fakes.calls()).toHaveLength(asked);
  });

  it('is shown, and refused unless the run was told so', async () => {
    fakes.docker({ ...containers(server({ ...asDesired(), image: 'rancher/k3s:v1.30.0-k3s1' })), ...ownNetwork() });
    fakes.k3d({ 'cluster list': clusters(name) });
    const context = { stack, signal: new AbortController().signal, progress: () => undefined, waitingFor: () => undefined };
    const seen = await k3dCluster.observe({}, context);
    expect(seen).toMatchObject({ state: 'drifted', message: expect.stringContaining('made anew') as string, diff: [{ field: 'image' }] });
    expect(await codeOf(k3dCluster.apply({}, seen as never, context))).toBe('CLUSTER_NEEDS_RECREATE');
    expect(fakes.calls().filter((call) => /k3d cluster (create|delete|start|stop)/.test(call))).toEqual([]);
  });
});
