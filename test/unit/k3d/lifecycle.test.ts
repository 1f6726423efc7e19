import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { clusterSpec, writeConfig } from '../../../src/runtimes/k3d/config.js';
import { clusterName } from '../../../src/runtimes/k3d/name.js';
import { k3dRuntime } from '../../../src/lifecycle/runtimes/k3d.js';
import { refuseDownloads } from '../../../src/lifecycle/offline.js';
import { openSession, type SessionOptions } from '../../../src/lifecycle/session.js';
import { prepareWorkspace, type Workspace } from '../../../src/workspace/workspace.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { writeKept } from '../../../src/workspace/kept.js';
import { scratch } from '../../helpers/folders.js';
import { clusters, codeOf, containers, fakePrograms, networks, stackAt, volumes, type FakeContainer } from './fakes.js';

const fakes = fakePrograms();
const signal = new AbortController().signal;
const GONE = { err: 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n', code: 1 };
let stack: StackContext;
let workspace: Workspace;
let name: string;
let own: Record<string, string>;
let notes: string[];
beforeEach(async () => {
  stack = (await stackAt(scratch())).stack;
  ({ workspace } = stack);
  name = clusterName(stack);
  own = { 'forge.workspace': workspace.id };
  notes = [];
});

const server = (more: Partial<FakeContainer> = {}): FakeContainer => ({
  name: `k3d-${name}-server-0`,
  labels: { app: 'k3d', 'k3d.cluster': name, 'k3d.role': 'server', ...own },
  ...more,
});
const down = (keepData = false): Promise<string[]> => k3dRuntime.down(workspace, { keepData, signal, note: (text) => notes.push(text) });
const made = async (): Promise<void> => {
  await prepareWorkspace(workspace);
  await writeConfig(stack, clusterSpec(stack));
};
/** What was changed in Docker, in order. */
const changes = (): string[] =>
  fakes
    .calls()
    .filter((call) => /^docker (rm|volume (rm|create)|network (rm|create)|stop|start)|^k3d cluster (create|start|stop|delete)/.test(call));

describe('down on k3d', () => {
  it('where nothing is known and there is no Docker, nothing is asked and nothing fails', async () => {
    fakes.docker(undefined);
    fakes.k3d(undefined);
    expect(await down()).toEqual([]);
    expect(fakes.calls()).toEqual([]);
  });

  it('where nothing is known and Docker does not answer, it is fine, too', async () => {
    fakes.docker({ version: GONE, ps: GONE, 'network ls': GONE, 'volume ls': GONE });
    expect(await down()).toEqual([]);
  });

  it('where a cluster was made, a Docker that does not answer is an error', async () => {
    await made();
    fakes.docker({ version: GONE, ps: GONE, 'network ls': GONE, 'volume ls': GONE });
    expect(await codeOf(down())).toBe('DOCKER_UNREACHABLE');
    // Whoever goes on with processes has nothing to stop then.
    expect(await down(true)).toEqual([]);
    expect(notes.join()).toContain('Docker does not answer');
  });

  it('an answer that is not understood is never taken for nothing', async () => {
    await made();
    fakes.docker({ version: 'hm\n' });
    expect(await codeOf(down())).toBe('DOCKER_ANSWER_UNKNOWN');
  });

  it('removes exactly its own: by name, by label, never all', async () => {
    const data = `forge-${workspace.id}-data`;
    fakes.docker({
      ...containers(server()),
      ...networks({ name: `k3d-${name}`, labels: own }),
      ...volumes({ name: data, labels: own }, { name: `k3d-${name}-images`, labels: own }),
      rm: '',
      'network rm': '',
      'volume rm': '',
    });
    // Once deleted, the node is gone.
    fakes.k3d({
      'cluster list': clusters(name, `${name}-2`),
      'cluster delete': { does: 'echo "[]" >"$home/answers/docker container inspect.out"; : >"$home/answers/docker ps.out"' },
    });
    expect(await down()).toEqual([name]);
    expect(changes()[0]).toBe(`k3d cluster delete ${name}`);
    expect(changes().slice(1).sort()).toEqual(
      [
        `docker network rm k3d-${name}`,
        `docker network rm k3d-${name}`,
        `docker volume rm ${data}`,
        `docker volume rm k3d-${name}-images`,
        `docker volume rm k3d-${name}-images`,
      ].sort(),
    );
    expect(fakes.calls().some((call) => call.includes('--all') && call.startsWith('k3d'))).toBe(false);
    for (const call of fakes.calls().filter((one) => one.startsWith('docker ps'))) expect(call).toMatch(/label=forge\.workspace=/);
  });

  it('without k3d the labels are enough', async () => {
    fakes.docker({ ...containers(server()), rm: '' });
    fakes.k3d(undefined);
    await down();
    expect(changes()).toEqual([`docker rm --force --volumes id-of-k3d-${name}-server-0`]);
  });

  it('with --keep-data stops it and removes nothing', async () => {
    fakes.docker({ ...containers(server()), ...networks({ name: `k3d-${name}`, labels: own }) });
    fakes.k3d({ 'cluster stop': '' });
    expect(await down(true)).toEqual([name]);
    expect(changes()).toEqual([`k3d cluster stop ${name}`]);
  });

  it('with --keep-data and a node that is stopped already there is nothing to do', async () => {
    fakes.docker(containers(server({ status: 'exited' })));
    expect(await down(true)).toEqual([]);
    expect(changes()).toEqual([]);
  });

  it('a stack.json that is damaged may have been of a cluster', async () => {
    mkdirSync(workspace.forgeDir);
    writeFileSync(path.join(workspace.forgeDir, 'stack.json'), '{');
    fakes.docker({ version: GONE, ps: GONE, 'network ls': GONE, 'volume ls': GONE });
    expect(await codeOf(down())).toBe('DOCKER_UNREACHABLE');
    // Servers that ran as processes have logs, and a cluster has its description.
    mkdirSync(workspace.logs);
    writeFileSync(path.join(workspace.logs, 'kafka.log'), '');
    expect(await down()).toEqual([]);
    await made();
    writeFileSync(path.join(workspace.forgeDir, 'stack.json'), '{');
    mkdirSync(workspace.generated, { recursive: true });
    writeFileSync(path.join(workspace.generated, 'k3d.yaml'), '');
    expect(await codeOf(down())).toBe('DOCKER_UNREACHABLE');
  });
});

describe('ports of the own node', () => {
  it('are ours whether it runs or not; others are not', async () => {
    const ports = { 30094: [{ HostIp: '127.0.0.1', HostPort: '19094' }] };
    fakes.docker(containers(server({ status: 'exited', ports })));
    const isOurs = await k3dRuntime.ownPorts(workspace, stack);
    expect([19094, 19095].map(isOurs)).toEqual([true, false]);
  });

  it('are none where there is no Docker', async () => {
    fakes.docker(undefined);
    expect((await k3dRuntime.ownPorts(workspace, stack))(19094)).toBe(false);
  });
});

describe('states without a cluster', () => {
  it('every component is stopped, and why', async () => {
    const states = await k3dRuntime.states(stack, signal);
    expect(states.map((one) => one.name).sort()).toEqual(['flink', 'iceberg-rest', 'kafka', 'localstack', 'postgresql']);
    for (const { state, reason } of states) expect({ state, reason }).toEqual({ state: 'stopped', reason: `there is no cluster ${name}` });
  });
});

describe('runtime: auto', () => {
  const open = (more: Partial<SessionOptions> = {}) =>
    openSession({
      folder: workspace.root,
      cacheDir: scratch(),
      packageRoot: path.resolve('.'),
      note: (text) => notes.push(text),
      download: true,
      ...more,
    });

  it('takes k3d where Docker answers and k3d is there', async () => {
    expect((await open()).stack).toMatchObject({ runtime: 'k3d', engine: 'risingwave', catalog: 'polaris' });
    expect(notes).toEqual([]);
  });

  it('else takes processes, with one line why', async () => {
    fakes.k3d(undefined);
    expect((await open({ flags: { catalog: 'iceberg-rest' } })).stack).toMatchObject({ runtime: 'process', engine: 'flink' });
    expect(notes).toEqual(['Runtime: plain processes, since there is no k3d (--runtime k3d tells more)']);
  });

  it('what was kept wins, and nobody is asked', async () => {
    await prepareWorkspace(workspace);
    await writeKept(workspace, { stack: 'balloon-popper', runtime: 'process', engine: 'flink', catalog: 'iceberg-rest', ports: {} });
    expect((await open()).stack.runtime).toBe('process');
    expect(fakes.calls()).toEqual([]);
  });

  it('so does what was told', async () => {
    expect((await open({ flags: { runtime: 'process', catalog: 'iceberg-rest' } })).stack.runtime).toBe('process');
    expect(fakes.calls()).toEqual([]);
  });
});

describe('what up --offline refuses before it starts', () => {
  /** With these images in this machine's Docker. */
  const offline = async (here: string[], more: Record<string, string> = {}): Promise<void> => {
    const known = ["''", ...here.map((image) => `"${image}"`)].join('|');
    const does = `case "$3" in ${known}) ;; *) echo "Error: No such image: $3" >&2; exit 1;; esac`;
    fakes.docker({ ...more, 'image inspect': { out: '[{"Id":"sha256:1","Size":5}]', does } });
    await k3dRuntime.require({ ...stack, orders: { offline: true } }, signal);
  };
  const all = (): string[] => ['k3s', 'kafka', 'localstack', 'postgresql', 'iceberg-rest', 'flink'].map((one) => stack.images[one]!);

  it('every image that is missing is named, and none is pulled', async () => {
    const error = await offline([stack.images['kafka']!]).catch((thrown: unknown) => thrown as Error & { code: string; exitCode: number });
    expect(error).toMatchObject({ code: 'IMAGES_MISSING', exitCode: 3 });
    const message = (error as Error).message;
    for (const image of [...all(), 'ghcr.io/k3d-io/k3d-tools:5.9.0'])
      expect(message.includes(`- ${image}\n`) || message.endsWith(`- ${image}`)).toBe(image !== stack.images['kafka']);
    expect(fakes.calls().filter((call) => call.startsWith('docker pull'))).toEqual([]);
  });

  it('what the cluster holds already is not missing', async () => {
    const inNode = all().map((image) => (image.includes('/') ? `docker.io/${image}` : `docker.io/library/${image}`));
    fakes.k3d({ 'cluster list': clusters(name) });
    await offline([], { ...containers(server()), ...networks({ name: `k3d-${name}`, labels: own }), exec: inNode.join('\n') });
  });

  it('packages that pods take from the cache are named, too', async () => {
    expect(await codeOf(refuseDownloads({ ...stack, cacheDir: scratch() }))).toBe('PACKAGES_MISSING');
    expect(await codeOf(refuseDownloads({ ...stack, cacheDir: scratch(), engine: 'risingwave' }))).toBe('none');
    expect(await codeOf(refuseDownloads({ ...stack, runtime: 'kubernetes' }))).toBe('OFFLINE_NOT_HERE');
  });
});
