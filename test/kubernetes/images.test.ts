import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { ErrorResult, ImagesListResult, ImagesLoadResult, ImagesPullResult, ImagesSaveResult } from '../../src/cli/schemas.js';
import { waitUntil } from '../../src/clients/wait.js';
import { IMAGE_NAMES } from '../../src/config/schema.js';
import { imageOf } from '../../src/runtimes/k3d/config.js';
import { nodeImages } from '../../src/runtimes/k3d/images.js';
import { qualified } from '../../src/runtimes/k3d/reference.js';
import { systemImages } from '../../src/runtimes/k3d/system-images.js';
import { sandbox, type Sandbox } from '../helpers/forge.js';
import { command } from '../helpers/k3d-world-docker.js';
import { ownClusterAt, type OwnCluster } from '../helpers/own-cluster.js';

const ONCE = { retry: 0 };
/** A registry of the tests' own, with an image of a few bytes for every name that forge knows. */
const registry = `forge-test-registry-${process.pid}`;
let at: string;
let box: Sandbox;
const tiny = (name: string, tag = '1'): string => `${at}/forge-test/${name}:${tag}`;
const names = ['k3s', 'kafka', 'localstack', 'postgresql', 'iceberg-rest', 'flink'];
const FLINK = ['--engine', 'flink', '--catalog', 'iceberg-rest'];
const configure = (images: Record<string, string> = {}): Promise<void> =>
  writeFile(
    join(box.root, 'forge.yaml'),
    stringify({ runtime: 'k3d', images: { ...Object.fromEntries(IMAGE_NAMES.map((name) => [name, tiny(name)])), ...images } }),
  );
const forget = (...references: string[]): Promise<string[]> => command('docker', 'rmi', '--force', ...references);
const containers = (): Promise<string[]> => command('docker', 'ps', '--all', '--format', '{{.Names}}');

beforeAll(async () => {
  box = await sandbox();
  await command('docker', 'run', '--detach', '--name', registry, '--publish', '127.0.0.1::5000', 'registry:2');
  const [address] = await command('docker', 'port', registry, '5000/tcp');
  at = address!.replace('0.0.0.0', '127.0.0.1');
  await waitUntil(async () => (await fetch(`http://${at}/v2/`).catch(() => undefined))?.ok, { what: 'the registry', timeoutMs: 30_000 });
  for (const name of names) {
    const folder = join(box.root, 'image', name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'what'), `the image of ${name}`);
    execFileSync('tar', ['-cf', join(box.root, `${name}.tar`), '-C', folder, '.']);
    await command('docker', 'import', '--change', 'CMD ["/none"]', join(box.root, `${name}.tar`), tiny(name));
    await command('docker', 'push', '--quiet', tiny(name));
  }
  await configure();
});
afterAll(async () => {
  await command('docker', 'rm', '--force', '--volumes', registry);
  await forget(...names.map((name) => tiny(name))).catch(() => undefined);
  await box.remove();
});

describe('forge images', () => {
  test('list: what the stack needs, and what of it is here', ONCE, async () => {
    await forget(tiny('kafka'));
    const { images, complete } = await box.ok<ImagesListResult>(['images', 'list', ...FLINK]);
    expect(complete).toBe(false);
    expect(images.map(({ name }) => name).sort()).toEqual([...names, 'k3d-tools'].sort());
    expect(images.find(({ name }) => name === 'kafka')).toEqual({
      name: 'kafka',
      image: tiny('kafka'),
      here: false,
      bytes: null,
      inCluster: null,
    });
    const flink = images.find(({ name }) => name === 'flink')!;
    expect(flink.here).toBe(true);
    expect(flink.bytes).toBeGreaterThan(0);
    const other = await box.ok<ImagesListResult>(['images', 'list', '--engine', 'risingwave', '--catalog', 'polaris']);
    expect(other.images.map(({ name }) => name)).toEqual(expect.arrayContaining(['risingwave', 'polaris', 'polaris-admin']));
  });

  test('pull: what is not here, and only that', ONCE, async () => {
    await forget(tiny('kafka'), tiny('flink'));
    const { pulled, complete } = await box.ok<ImagesPullResult>(['images', 'pull', ...FLINK]);
    expect(complete).toBe(true);
    expect([...pulled].sort()).toEqual([tiny('flink'), tiny('kafka')]);
    expect((await box.ok<ImagesPullResult>(['images', 'pull', ...FLINK])).pulled).toEqual([]);
  });

  test('pull: one that nobody has is named, and the others are pulled all the same', ONCE, async () => {
    await forget(tiny('kafka'));
    await configure({ flink: tiny('flink', 'never'), localstack: tiny('nobody') });
    try {
      const { error } = await box.ok<ErrorResult>(['images', 'pull', ...FLINK], 3);
      expect(error.code).toBe('IMAGE_PULL_FAILED');
      expect(error.message).toContain(tiny('flink', 'never'));
      expect(error.message).toContain(tiny('nobody'));
      const { images } = await box.ok<ImagesListResult>(['images', 'list', ...FLINK]);
      expect(
        images
          .filter(({ here }) => !here)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(['flink', 'localstack']);
    } finally {
      await configure();
    }
  });

  test('save and load: one file, and the machine that has lost all has them again', ONCE, async () => {
    await box.ok(['images', 'pull', ...FLINK]);
    const file = join(box.root, 'images.tar');
    const saved = await box.ok<ImagesSaveResult>(['images', 'save', file, ...FLINK]);
    expect(saved).toMatchObject({ file, bytes: (await stat(file)).size });
    expect(saved.images).toEqual(expect.arrayContaining(names.map((name) => tiny(name))));
    expect(readdirSync(box.root).filter((name) => name.endsWith('.tmp'))).toEqual([]);

    await forget(...names.map((name) => tiny(name)));
    const lost = await box.ok<ErrorResult>(['images', 'save', join(box.root, 'other.tar'), ...FLINK], 3);
    expect(lost.error.code).toBe('IMAGES_MISSING');
    const loaded = await box.ok<ImagesLoadResult>(['images', 'load', file, ...FLINK]);
    expect(loaded.complete).toBe(true);
    expect(loaded.loaded).toEqual(expect.arrayContaining(names.map((name) => tiny(name))));
  });

  test('load: what the stack needs beyond the file is said, with exit code 5', ONCE, async () => {
    await configure({ kafka: tiny('kafka', '2') });
    try {
      const { error, complete } = await box.ok<ImagesLoadResult>(['images', 'load', join(box.root, 'images.tar'), ...FLINK], 5);
      expect(complete).toBe(false);
      expect(error?.message).toContain(tiny('kafka', '2'));
    } finally {
      await configure();
    }
  });

  test.each<[string, string[], number, string]>([
    ['a file that is not there', ['load', 'none.tar'], 2, 'FILE_MISSING'],
    ['a file that is no archive', ['load', 'forge.yaml'], 4, 'DOCKER_FAILED'],
    ['a folder that is not there', ['save', 'none/x.tar'], 2, 'FOLDER_MISSING'],
  ])('%s', ONCE, async (_what, words, code, name) => {
    expect((await box.ok<ErrorResult>(['images', ...words, ...FLINK], code)).error.code).toBe(name);
  });

  test('up --offline names all that is missing first, and makes nothing', ONCE, async () => {
    await forget(tiny('kafka'), tiny('postgresql'));
    const before = await containers();
    const { error } = await box.ok<ErrorResult>(
      ['up', '--offline', '--runtime', 'k3d', '--engine', 'risingwave', '--catalog', 'iceberg-rest'],
      3,
    );
    expect(error.code).toBe('IMAGES_MISSING');
    for (const name of ['kafka', 'postgresql', 'risingwave']) expect(error.message).toContain(tiny(name));
    expect(error.message).not.toContain(tiny('localstack'));
    expect(await containers()).toEqual(before);
    expect(existsSync(join(box.root, '.forge'))).toBe(false);
  });
});

describe('images in the node', () => {
  let world: OwnCluster;
  beforeAll(async () => {
    // The node is a real one.
    world = await ownClusterAt('images', {
      images: Object.fromEntries(names.filter((name) => name !== 'k3s').map((name) => [name, tiny(name)])),
    });
    await world.up();
  });
  afterAll(() => world.remove());
  const bring = (image: string, orders = {}): Promise<string> => world.up({ module: 'k3d.image', args: { image }, orders });

  test('several at once are brought in, pulled where this machine has none; nothing is left beside them', ONCE, async () => {
    await forget(tiny('kafka'));
    const [before, images] = [await containers(), await command('docker', 'images', '--format', '{{.Repository}}:{{.Tag}}')];
    expect(await world.observe('k3d.image', { image: 'kafka' })).toMatchObject({ state: 'missing' });
    const done = await Promise.all(['kafka', 'flink', 'localstack'].map((image) => bring(image)));
    expect(done).toEqual([
      `${tiny('kafka')} pulled and brought into the cluster`,
      `${tiny('flink')} brought into the cluster`,
      `${tiny('localstack')} brought into the cluster`,
    ]);
    expect(await Promise.all(['kafka', 'flink', 'localstack'].map((image) => bring(image)))).toEqual(['in-sync', 'in-sync', 'in-sync']);
    expect(await containers()).toEqual(before);
    const after = await command('docker', 'images', '--format', '{{.Repository}}:{{.Tag}}');
    expect(after.filter((image) => image !== tiny('kafka')).sort()).toEqual(images.sort());
  });

  test('one that the node has lost is brought in again', ONCE, async () => {
    await command('docker', 'exec', world.node, 'ctr', '-n', 'k8s.io', 'images', 'rm', qualified(tiny('kafka')));
    expect(await bring('kafka')).toBe(`${tiny('kafka')} brought into the cluster`);
  });

  test('offline nothing is pulled', ONCE, async () => {
    await command('docker', 'exec', world.node, 'ctr', '-n', 'k8s.io', 'images', 'rm', qualified(tiny('kafka')));
    await forget(tiny('kafka'));
    await expect(bring('kafka', { offline: true })).rejects.toMatchObject({ code: 'IMAGES_MISSING', exitCode: 3 });
    await bring('kafka', { offline: false });
  });

  test('one that is named by digest is found by pods under that name', ONCE, async () => {
    const [digest] = await command('docker', 'inspect', '--format', '{{index .RepoDigests 0}}', tiny('postgresql')).catch(async () => {
      await command('docker', 'pull', '--quiet', tiny('postgresql'));
      return command('docker', 'inspect', '--format', '{{index .RepoDigests 0}}', tiny('postgresql'));
    });
    await world.reopen({ images: { postgresql: digest! } });
    expect(imageOf(world.stack, 'postgresql')).toContain('@sha256:');
    expect(await bring('postgresql')).toBe(`${digest!} brought into the cluster`);
    const held = [...(await nodeImages(world.name))].filter((name) => name.includes('forge-test/postgresql'));
    expect(held).toEqual([digest]);
    // A kubelet that may not pull finds it, and fails only at the program that the image does not have.
    const kubectl = (...words: string[]): Promise<string[]> => command('docker', 'exec', world.node, 'kubectl', ...words);
    await kubectl('run', 'digest', `--image=${digest!}`, '--image-pull-policy=Never', '--restart=Never');
    const reason = await waitUntil(
      async () =>
        (
          await kubectl(
            'get',
            'pod',
            'digest',
            '-o',
            'jsonpath={.status.containerStatuses[0].state.waiting.reason}{.status.containerStatuses[0].state.terminated.reason}',
          )
        )[0],
      { what: 'the kubelet to try', timeoutMs: 60_000 },
    );
    expect(reason).not.toMatch(/ErrImageNeverPull|ErrImagePull|ImagePullBackOff/);
  });

  test("one of k3s' own that the node has lost, and this machine has, is brought in again", ONCE, async () => {
    await world.reopen();
    const pause = systemImages(world.stack).find(({ name }) => name === 'k3s-pause')!.image;
    await command('docker', 'image', 'inspect', pause).catch(() => command('docker', 'pull', '--quiet', pause));
    expect(await world.observe()).toEqual({ state: 'in-sync' });
    await command('docker', 'exec', world.node, 'ctr', '-n', 'k8s.io', 'images', 'rm', qualified(pause));
    expect(await world.observe()).toMatchObject({ state: 'drifted', message: expect.stringContaining(pause) as string });
    expect(await world.up()).toMatch(/; mended$/);
    expect((await nodeImages(world.name)).has(qualified(pause))).toBe(true);
  });

  test('list knows what the cluster has', ONCE, async () => {
    await world.reopen();
    const { listImages } = await import('../../src/lifecycle/images.js');
    const { images } = await listImages({
      folder: world.root,
      cacheDir: world.stack.cacheDir,
      packageRoot: world.stack.packageRoot,
      flags: { runtime: 'k3d', engine: 'flink', catalog: 'iceberg-rest' },
      signal: AbortSignal.timeout(60_000),
    });
    const inCluster = (name: string): boolean | null | undefined => images.find((image) => image.name === name)?.inCluster;
    expect([inCluster('kafka'), inCluster('iceberg-rest')]).toEqual([true, false]);
  });
});
