import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { isInstalled, setFolder } from '../../../src/runtimes/process/install/installed.js';
import { requirePackages, requireToolchain, toolchainFor } from '../../../src/runtimes/process/install/require.js';
import { packages as module, progressText } from '../../../src/modules/packages.js';
import { processRuntime } from '../../../src/lifecycle/runtimes/process.js';
import type { TaskContext } from '../../../src/modules/contract.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { GOOD_MAVEN, makeWorld, packagesYaml, setOf, toolsThatHang, type World } from './fixture.js';
import { gone, killForge, source } from './killed.js';

const left = (world: World): string[] => readdirSync(path.join(world.cacheDir, 'packages')).filter((name) => name.includes('.partial'));

describe('installSets', () => {
  test('installs what is missing, and the second time nothing', async () => {
    const world = await makeWorld({ alpha: {}, beta: {} });
    const first = await world.install(['alpha', 'beta']);
    expect(readFileSync(path.join(first['alpha']!.dir, 'alpha.jar'), 'utf8')).toBe('jar\n');
    expect(first).toMatchObject({ alpha: { installed: true, version: '1.0' }, beta: { installed: true } });
    const again = await world.install(['alpha', 'beta']);
    expect(again).toMatchObject({ alpha: { installed: false, dir: first['alpha']!.dir }, beta: { installed: false } });
    expect(world.runs().sort()).toEqual(['alpha', 'beta']);
    expect(left(world)).toEqual([]);
  });

  test('another version is another folder; another title is not', async () => {
    const world = await makeWorld();
    const { alpha } = await world.install(['alpha']);
    writeFileSync(path.join(world.root, 'packages.yaml'), packagesYaml({ alpha: { title: 'Renamed', diskMB: 2 } }));
    expect(setFolder(world.cacheDir, await setOf(world, 'alpha'))).toBe(alpha!.dir);
    writeFileSync(path.join(world.root, 'packages.yaml'), packagesYaml({ alpha: { version: '2.0' } }));
    const set = await setOf(world, 'alpha');
    expect(path.basename(setFolder(world.cacheDir, set))).toMatch(/^alpha-2\.0-[0-9a-f]{8}$/);
    expect(isInstalled(world.cacheDir, set)).toBe(false);
  });

  test('what an interrupted installation left is made again', async () => {
    const world = await makeWorld();
    const folder = setFolder(world.cacheDir, await setOf(world, 'alpha'));
    for (const debris of [folder, `${folder}.partial`, `${folder}.partial.0a1b2c3d`]) {
      mkdirSync(debris, { recursive: true });
      writeFileSync(path.join(debris, 'half.jar'), '');
    }
    const { alpha } = await world.install(['alpha']);
    expect(alpha).toMatchObject({ installed: true });
    expect(existsSync(path.join(folder, 'half.jar'))).toBe(false);
    expect(left(world)).toEqual([]);
  });

  test.each([
    ['venv', 'flink'],
    ['unpack', 'flink'],
    ['warmUp', 'stack'],
    ['javac', 'catalog'],
  ])('a forge that is killed takes %s with it', async (step, set) => {
    const world = await makeWorld();
    const { python, javac, pid } = toolsThatHang(world.root, step);
    const script = `
      import { loadPackages, pickSets } from ${source('runtimes/process/install/definition.ts')};
      import { installSets } from ${source('runtimes/process/install/install.ts')};
      const toolchain = ${JSON.stringify({ ...world.toolchain, python: { program: python, version: '3.11', venv: true } })};
      toolchain.javas[0].home = ${JSON.stringify(path.dirname(path.dirname(javac)))};
      const packages = await loadPackages(${JSON.stringify(world.root)});
      const sets = pickSets(packages, [${JSON.stringify(set)}]);
      const { signal } = new AbortController();
      await installSets(packages, sets, { cacheDir: ${JSON.stringify(world.cacheDir)}, toolchain, signal, onProgress: () => undefined });`;
    expect(await gone(await killForge(world.root, script, pid))).toBe(true);
  });

  test('several at once install a set once, and start Maven one at a time', async () => {
    const world = await makeWorld({ alpha: {}, beta: {}, gamma: {} });
    world.setMaven(`mkdir ${world.root}/busy || exit 1\nsleep 0.2\n${GOOD_MAVEN}\nrmdir ${world.root}/busy`);
    const all = await Promise.all([world.install(['alpha', 'beta']), world.install(['beta', 'alpha', 'gamma']), world.install(['gamma'])]);
    expect(world.runs().sort()).toEqual(['alpha', 'beta', 'gamma']);
    expect(all.flatMap((result) => Object.values(result)).filter((set) => set.installed)).toHaveLength(3);
  });

  test('a failing Maven is exit 3 with its own words, what to look at, and nothing left behind', async () => {
    const world = await makeWorld({ alpha: {}, beta: {} });
    world.setMaven(
      `echo '[INFO] Scanning'; echo '[ERROR] Could not transfer artifact org.example:x: Connect timed out'; echo '[ERROR] [Help 1] read'; exit 1`,
    );
    const failure = world.install(['alpha', 'beta']);
    await expect(failure).rejects.toMatchObject({
      code: 'PACKAGES_UNAVAILABLE',
      exitCode: 3,
      hint: expect.stringMatching(/settings\.xml/) as string,
    });
    await expect(failure).rejects.toThrow(
      /^(ALPHA|BETA) could not be installed: mvn ended with exit code 1:\n\[ERROR\] Could not transfer artifact org.example:x: Connect timed out$/,
    );
    expect(left(world)).toEqual([]);
    world.setMaven(GOOD_MAVEN);
    expect(await world.install(['alpha'])).toMatchObject({ alpha: { installed: true } });
  });

  test('a full disk is told from a lost network, before anything is downloaded where it can be', async () => {
    const world = await makeWorld({ alpha: {}, huge: { diskMB: 1e12 } });
    await expect(world.install(['huge'])).rejects.toThrow(/need 1000000000010 MB of disk space in .*, which has \d+ MB left/);
    await expect(world.install(['huge'])).rejects.toMatchObject({ code: 'DISK_FULL', exitCode: 3 });
    expect(world.runs()).toEqual([]);
    world.setMaven(`echo '[ERROR] write failed: No space left on device'; exit 1`);
    await expect(world.install(['alpha'])).rejects.toMatchObject({ code: 'DISK_FULL', exitCode: 3 });
  });

  test('a cache that cannot be written is exit 3', async () => {
    const world = await makeWorld();
    writeFileSync(world.cacheDir, 'a file');
    await expect(world.install(['alpha'])).rejects.toMatchObject({ code: 'NOT_WRITABLE', exitCode: 3 });
  });

  test('an abort ends Maven and gives the reason of the abort', async () => {
    const world = await makeWorld();
    world.setMaven(`echo "[INFO] Downloaded from central: x (1.0 MB at 1 MB/s)"; sleep 300`);
    const abort = new AbortController();
    const onProgress = (sets: readonly { doneBytes: number }[]): void => {
      if (sets[0]!.doneBytes > 0) abort.abort(new Error('stopped by the user'));
    };
    await expect(world.install(['alpha'], { signal: abort.signal, onProgress })).rejects.toThrow('stopped by the user');
    expect(left(world)).toEqual([]);
  });

  test('shows megabytes with a total, and what goes on instead', async () => {
    const world = await makeWorld({ alpha: {}, beta: {} });
    const lines: string[] = [];
    await world.install(['alpha', 'beta'], { onProgress: (sets) => lines.push(progressText(sets)) });
    expect(lines).toContainEqual(expect.stringMatching(/^\d+ of 20 MB \(.*(ALPHA|BETA) 5 of 10/));
    expect(lines).toContainEqual(expect.stringContaining('waiting for Maven'));
    expect(lines.at(-1)).toBe('20 of 20 MB');
  });
});

describe('what has to be on the machine', () => {
  const stack = async (world: World) => ({ cacheDir: world.cacheDir, packageRoot: path.resolve('.'), catalog: 'iceberg-rest' as const });
  const bare = (world: World) => ({ env: { PATH: '' }, home: world.root, root: world.root, platform: 'linux' as const });

  test('before the first installation it is everything', async () => {
    const world = await makeWorld();
    const failure = requireToolchain(await stack(world), bare(world));
    await expect(failure).rejects.toThrow(
      /Java 17 or newer with its compiler.*Apache Kafka, Apache Flink, Iceberg REST catalog\n.*Maven.*\n.*Python/,
    );
    await expect(requireToolchain({ ...(await stack(world)), catalog: 'polaris' }, bare(world))).rejects.toThrow(
      /Java 21 or newer, for .*Apache Polaris/,
    );
  });

  test('once all is installed it is Java alone', async () => {
    const world = await makeWorld();
    await world.install(['alpha']);
    const packages = await world.load();
    const sets = [...packages.sets.values()];
    await expect(toolchainFor(packages, sets, ['alpha'], world.cacheDir, bare(world))).rejects.toThrow(
      /^This machine lacks what forge needs:\n {2}- Java 17 or newer, for ALPHA$/,
    );
    expect(await toolchainFor(packages, sets, [], world.cacheDir, bare(world))).toMatchObject({ javas: [] });
  });
});

describe('what is refused before anything is started', () => {
  const names = ['kafka', 'localstack', 'postgresql', 'flink', 'flink-connectors', 'iceberg-rest'];
  const require = (world: World) => processRuntime.require(stackOf(world), new AbortController().signal);
  const stackOf = (world: World) =>
    ({ cacheDir: world.cacheDir, packageRoot: world.root, catalog: 'iceberg-rest', engine: 'flink' }) as StackContext;

  test('packages that have room each, but not all of them', async () => {
    const { bavail, bsize } = await statfs(tmpdir());
    const third = Math.floor((bavail * bsize) / 3e6);
    const world = await makeWorld(Object.fromEntries(names.map((name) => [name, { diskMB: third }])));
    await expect(require(world)).rejects.toMatchObject({
      code: 'DISK_FULL',
      exitCode: 3,
      hint: expect.stringMatching(/CACHE_DIR/) as string,
    });
    await expect(require(world)).rejects.toThrow(`need ${6 * (third + 10)} MB of disk space`);
    expect(existsSync(world.cacheDir)).toBe(false);
  });

  test('a system that PostgreSQL is not published for', async () => {
    const world = await makeWorld(Object.fromEntries(names.map((name) => [name, {}])));
    const npm = "  postgresql: {kind: npm, title: PG, version: '18', downloadMB: 1, diskMB: 1, folder: x, packages: {plan9-mips: pg}}\n";
    const yaml = readFileSync(path.join(world.root, 'packages.yaml'), 'utf8').replace(/^ {2}postgresql: .*\n/m, npm);
    writeFileSync(path.join(world.root, 'packages.yaml'), yaml);
    await expect(require(world)).rejects.toMatchObject({ code: 'PLATFORM_UNSUPPORTED', exitCode: 3 });
    const folder = setFolder(world.cacheDir, await setOf(world, 'postgresql'));
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, '.forge-complete'), '');
    await requirePackages(stackOf(world));
  });
});

describe('module packages', () => {
  test('says what is not installed, and is in sync with exactly this definition only', async () => {
    const world = await makeWorld();
    const context = { stack: { cacheDir: world.cacheDir, packageRoot: world.root } } as TaskContext;
    expect(await module.observe({ sets: ['alpha'] }, context)).toEqual({ state: 'missing', message: 'ALPHA 1.0 not installed' });
    const { alpha } = await world.install(['alpha']);
    expect(await module.observe({ sets: ['alpha'] }, context)).toEqual({ state: 'in-sync' });
    rmSync(path.join(alpha!.dir, '.forge-complete'));
    expect(await module.observe({ sets: ['alpha'] }, context)).toMatchObject({ state: 'missing' });
    await expect(module.observe({ sets: ['alhpa'] }, context)).rejects.toThrow('packages.yaml has no set alhpa (it has alpha)');
  });
});
