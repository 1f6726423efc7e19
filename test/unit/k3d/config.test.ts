import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_PORTS } from '../../../src/config/schema.js';
import { clusterSpec, DOLLAR, writeConfig } from '../../../src/runtimes/k3d/config.js';
import { socketPath, toolsImage, withK3dEnvironment } from '../../../src/runtimes/k3d/environment.js';
import { clusterName } from '../../../src/runtimes/k3d/name.js';
import { qualified } from '../../../src/runtimes/k3d/reference.js';
import { configSchema } from '../../../src/config/schema.js';
import { prepareWorkspace } from '../../../src/workspace/workspace.js';
import { modeOf, scratch } from '../../helpers/folders.js';
import { codeOf, fakePrograms, stackAt } from './fakes.js';

const fakes = fakePrograms();

interface K3dConfig {
  image: string;
  servers: number;
  agents: number;
  kubeAPI: { hostIP: string; hostPort: string };
  ports: { port: string; nodeFilters: string[] }[];
  volumes: { volume: string }[];
  options: {
    k3d: { disableLoadbalancer: boolean };
    k3s: { extraArgs: { arg: string }[] };
    kubeconfig: object;
    runtime: { labels: { label: string }[] };
  };
}

/** What k3d reads: it puts its variables in place first. */
const asK3dReads = (text: string): K3dConfig =>
  parse(text.replace(/\$\{?([A-Z_0-9a-z]+)\}?/g, (_, name) => (name === DOLLAR ? '$' : ''))) as K3dConfig;

async function written(flags: Record<string, string> = {}, cacheDir?: string): Promise<{ file: string; read: K3dConfig }> {
  const { stack } = await stackAt(scratch(), flags, cacheDir);
  await prepareWorkspace(stack.workspace);
  const file = await writeConfig(stack, clusterSpec(stack));
  return { file, read: asK3dReads(readFileSync(file, 'utf8')) };
}

describe('the configuration of the cluster', () => {
  it('is one server with its ports on loopback only, the pinned image, no extras, our labels; the user’s kubeconfig is left alone', async () => {
    const { file, read } = await written();
    expect(modeOf(file)).toBe('0600');
    expect(read).toMatchObject({
      servers: 1,
      agents: 0,
      image: 'rancher/k3s:v1.33.13-k3s1',
      kubeAPI: { hostIP: '127.0.0.1', hostPort: String(DEFAULT_PORTS['k3d-api']) },
      options: { k3d: { disableLoadbalancer: true }, kubeconfig: { updateDefaultKubeconfig: false, switchCurrentContext: false } },
    });
    expect(read.ports.length).toBeGreaterThan(0);
    for (const { port, nodeFilters } of read.ports) {
      expect(port).toMatch(/^127\.0\.0\.1:\d+:30\d{3}$/);
      expect(nodeFilters).toEqual(['server:0:direct']);
    }
    expect(read.options.k3s.extraArgs.map(({ arg }) => arg)).toEqual([
      '--disable=traefik',
      '--disable=metrics-server',
      '--disable=servicelb',
    ]);
    const [, id] = /forge-([0-9a-f]{8})-data/.exec(read.volumes[0]!.volume)!;
    const packages = read.volumes[1]!.volume.split(':')[0]!;
    expect(read.options.runtime.labels.map(({ label }) => label)).toEqual([
      'forge.stack=balloon-popper',
      `forge.workspace=${id}`,
      `forge.data=forge-${id}-data`,
      `forge.packages=${packages}`,
    ]);
  });

  it('is the same for every engine and catalog, so that another choice needs no new cluster', async () => {
    const ports = async (engine: string, catalog: string): Promise<string[]> =>
      (await written({ engine, catalog })).read.ports.map(({ port }) => port);
    const all = await ports('flink', 'iceberg-rest');
    for (const port of [
      DEFAULT_PORTS.risingwave,
      DEFAULT_PORTS.flink,
      DEFAULT_PORTS['catalog-management'],
      DEFAULT_PORTS['flink-sql-gateway'],
    ])
      expect(all.some((line) => line.includes(`:${port}:`))).toBe(true);
    expect(await ports('risingwave', 'polaris')).toEqual(all);
  });

  it('a dollar in a path reaches k3d as a dollar, and its environment knows the variable for it', async () => {
    const folder = path.join(scratch(), 'a $HOME of $x and `y`');
    const { read, file } = await written({}, folder);
    expect(read.volumes[1]!.volume).toBe(`${folder}/packages:/forge-packages:ro`);
    expect(read.options.runtime.labels.map(({ label }) => label)).toContain(`forge.packages=${folder}/packages`);
    expect(readFileSync(file, 'utf8')).not.toContain('$HOME');
    const { workspace } = await stackAt(scratch());
    expect(await withK3dEnvironment(workspace, (env) => Promise.resolve(env[DOLLAR]))).toBe('$');
  });

  it('a colon in a path cannot be mounted and is refused', async () => {
    expect(await codeOf(written({}, path.join(scratch(), 'a:b')))).toBe('CACHE_NOT_MOUNTABLE');
  });
});

describe('the name of the cluster', () => {
  const nameOf = (stack: string, id: string, name?: string): string =>
    clusterName({ stack, workspace: { id } as never, config: configSchema.parse(name === undefined ? {} : { k3d: { name } }) });

  it('is one of the stack and the workspace, or the one that is set', () => {
    expect(nameOf('balloon-popper', '0123456789')).toBe('forge-balloon-popper-012345');
    expect(nameOf('balloon-popper', '0123456789', 'mine')).toBe('mine');
  });

  it('is never longer than k3d takes, and keeps what tells workspaces apart', () => {
    const name = nameOf('a-stack-with-quite-a-long-name-indeed', 'abcdef0123');
    expect(name.length).toBeLessThanOrEqual(32);
    expect(name).toBe('forge-a-stack-with-quite-abcdef');
    expect(nameOf('Data_Lake 2', 'abcdef0123')).toBe('forge-data-lake-2-abcdef');
  });
});

describe('image references in full', () => {
  it.each([
    ['postgres:17', 'docker.io/library/postgres:17'],
    ['apache/kafka:4.3.1', 'docker.io/apache/kafka:4.3.1'],
    ['docker.io/postgres', 'docker.io/library/postgres:latest'],
    ['localhost/x', 'localhost/x:latest'],
    ['registry.local:5000/mirror/apache/kafka:4.3.1', 'registry.local:5000/mirror/apache/kafka:4.3.1'],
    ['registry.local:5000/kafka', 'registry.local:5000/kafka:latest'],
    ['apache/kafka@sha256:abc', 'docker.io/apache/kafka@sha256:abc'],
    ['apache/kafka:4.3.1@sha256:abc', 'docker.io/apache/kafka@sha256:abc'],
  ])('%s is %s', (given, full) => {
    expect(qualified(given)).toBe(full);
  });
});

describe('the environment of k3d', () => {
  it.each<[string, NodeJS.ProcessEnv, NodeJS.Platform, string | undefined]>([
    ['a socket that is named', { DOCKER_SOCK: '/a.sock', DOCKER_HOST: 'unix:///b.sock' }, 'linux', '/a.sock'],
    [
      'DOCKER_HOST with a socket (Podman, rootless Docker)',
      { DOCKER_HOST: 'unix:///run/podman/podman.sock' },
      'linux',
      '/run/podman/podman.sock',
    ],
    ['the usual one', { DOCKER_HOST: 'unix:///var/run/docker.sock' }, 'linux', undefined],
    ['an engine on a port', { DOCKER_HOST: 'tcp://127.0.0.1:2375' }, 'linux', undefined],
    ['Docker Desktop', { DOCKER_HOST: 'unix:///home/me/.docker/desktop/docker.sock' }, 'linux', undefined],
    ['a virtual machine', { DOCKER_HOST: 'unix:///Users/me/.colima/default/docker.sock' }, 'darwin', undefined],
  ])('DOCKER_SOCK: %s', async (_what, env, platform, socket) => {
    expect(await socketPath(env, platform)).toBe(socket);
  });

  it('DOCKER_SOCK comes from the selected context where no variable says more', async () => {
    fakes.docker({ 'context inspect': 'unix:///run/user/1000/docker.sock\n' });
    expect(await socketPath({}, 'linux')).toBe('/run/user/1000/docker.sock');
  });

  it('the kubeconfig and the folders of the user are out of its reach, and its own folder is gone afterwards', async () => {
    process.env['KUBECONFIG'] = '/home/me/.kube/config';
    const { workspace } = await stackAt(scratch());
    mkdirSync(workspace.forgeDir);
    const folder = await withK3dEnvironment(workspace, (env) => {
      expect(path.dirname(env['KUBECONFIG']!)).toBe(env['TMPDIR']);
      expect(env['XDG_CONFIG_HOME']).toBe(env['TMPDIR']);
      expect(modeOf(env['TMPDIR']!)).toBe('0700');
      return Promise.resolve(env['TMPDIR']!);
    });
    expect(folder.startsWith(workspace.run)).toBe(true);
    expect(() => modeOf(folder)).toThrow('ENOENT');
  });

  it('the image of its helper is that of its version, behind the mirror, unless the user names one', () => {
    const stack = (images: object) => ({ config: configSchema.parse({ images }) });
    expect(toolsImage(stack({}), '5.9.0', {})).toBe('ghcr.io/k3d-io/k3d-tools:5.9.0');
    expect(toolsImage(stack({ mirror: 'registry.local:5000/m/' }), '5.9.0', {})).toBe(
      'registry.local:5000/m/ghcr.io/k3d-io/k3d-tools:5.9.0',
    );
    expect(toolsImage(stack({}), '5.9.0', { K3D_IMAGE_TOOLS: 'mine:1' })).toBe('mine:1');
    expect(toolsImage(stack({}), '5.9.0', { K3D_HELPER_IMAGE_TAG: '5.8.3' })).toBe('ghcr.io/k3d-io/k3d-tools:5.8.3');
  });
});
