import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { request } from '../../src/clients/http.js';
import { waitUntil } from '../../src/clients/wait.js';
import { packageRoot } from '../../src/cli/paths.js';
import { loadPackages, pickSets } from '../../src/runtimes/process/install/definition.js';
import { installSets, type InstalledSet, type SetProgress } from '../../src/runtimes/process/install/install.js';
import { toolchainFor } from '../../src/runtimes/process/install/require.js';

let root: string;
let cacheDir: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'forge-install-'));
  cacheDir = path.join(root, 'cache');
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function install(
  names: string[],
  onProgress: (sets: readonly SetProgress[]) => void = () => undefined,
): Promise<Record<string, InstalledSet>> {
  const packages = await loadPackages(packageRoot());
  const sets = pickSets(packages, names);
  const toolchain = await toolchainFor(packages, sets, [], cacheDir);
  return installSets(packages, sets, { cacheDir, toolchain, signal: new AbortController().signal, onProgress });
}

const connects = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const done = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket
      .on('connect', () => done(true))
      .on('error', () => done(false))
      .on('timeout', () => done(false));
  });

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Command lines of this machine that name the cache of this test. */
const usersOfCache = (): string[] =>
  execFileSync('ps', ['-axww', '-o', 'args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(cacheDir));

describe('installing with the real Maven, pip and npm', () => {
  test('gives servers that run from where they were moved to, and does nothing the second time', { timeout: 600_000 }, async () => {
    const names = ['postgresql', 'iceberg-rest'];
    const done = await install(names);
    const dir = (name: string): string => done[name]!.dir;
    expect(execFileSync(path.join(dir('postgresql'), 'bin/postgres'), ['--version'], { encoding: 'utf8' })).toMatch(
      /^postgres \(PostgreSQL\) 18\.4/,
    );
    expect(readdirSync(path.join(cacheDir, 'packages')).sort()).toEqual(names.map((name) => path.basename(dir(name))).sort());

    const again = await install(names, () => expect.unreachable('nothing is to be installed'));
    expect(Object.values(again).every((set) => !set.installed)).toBe(true);

    // The Iceberg REST catalog has no access control, so nobody but this machine may reach it.
    const port = await freePort();
    const folder = dir('iceberg-rest');
    const env = {
      CATALOG_REST_PORT: String(port),
      CATALOG_CATALOG__IMPL: 'org.apache.iceberg.inmemory.InMemoryCatalog',
      CATALOG_WAREHOUSE: root,
    };
    const { javas } = await toolchainFor(await loadPackages(packageRoot()), [], ['iceberg-rest'], cacheDir);
    const server = spawn(
      javas[0]!.program,
      ['-Xmx64m', '-cp', [path.join(folder, 'classes'), path.join(folder, '*')].join(':'), 'ForgeIcebergRest'],
      { env, stdio: 'ignore' },
    );
    try {
      await waitUntil(() => connects('127.0.0.1', port), { what: 'the Iceberg REST catalog', timeoutMs: 60_000 });
      expect(await connects('127.0.0.2', port)).toBe(false);
      const made = await request(`http://127.0.0.1:${port}/v1/namespaces`, { method: 'POST', json: { namespace: ['a'] } });
      expect(made.status).toBe(200);
    } finally {
      server.kill('SIGKILL');
    }
  });

  test('killed, leaves no process, and goes on with what it had', { timeout: 600_000 }, async () => {
    const script = path.join(root, 'forge.mts');
    const at = (file: string): string => JSON.stringify(path.join(packageRoot(), 'src/runtimes/process/install', file));
    writeFileSync(
      script,
      `import { loadPackages, pickSets } from ${at('definition.ts')};
       import { installSets } from ${at('install.ts')};
       import { toolchainFor } from ${at('require.ts')};
       const packages = await loadPackages(${JSON.stringify(packageRoot())});
       const sets = pickSets(packages, ['localstack']);
       const cacheDir = ${JSON.stringify(cacheDir)};
       const toolchain = await toolchainFor(packages, sets, [], cacheDir);
       toolchain.uv = undefined;
       await installSets(packages, sets, { cacheDir, toolchain, signal: new AbortController().signal, onProgress: () => undefined });`,
    );
    const forge = spawn(process.execPath, ['--import', 'tsx', script], { cwd: packageRoot(), stdio: 'ignore' });
    const downloads = path.join(cacheDir, 'downloads');
    const wheels = (): string[] =>
      existsSync(downloads) ? (readdirSync(downloads, { recursive: true }) as string[]).filter((name) => name.endsWith('.whl')) : [];
    await waitUntil(async () => wheels().length > 0, { what: 'the first packages', timeoutMs: 300_000 });
    forge.kill('SIGKILL');
    await waitUntil(async () => usersOfCache().length === 0, { what: 'its children to end', timeoutMs: 10_000 });
    const fingerprint = (name: string): string => {
      const { ino, mtimeMs, size } = statSync(path.join(downloads, name));
      return `${name} ${ino} ${mtimeMs} ${size}`;
    };
    const kept = wheels().map(fingerprint);
    expect(readdirSync(path.join(cacheDir, 'packages'))).toEqual([expect.stringMatching(/^localstack-.*\.partial\.\w+$/)]);

    let before: string[] = [];
    const done = await install(['localstack'], (sets) => {
      if (sets[0]!.doing === 'installing') before = wheels().map(fingerprint);
    });
    expect(before).toEqual(expect.arrayContaining(kept));
    expect(done['localstack']).toMatchObject({ installed: true });
    expect(readdirSync(path.join(cacheDir, 'packages'))).toEqual([path.basename(done['localstack']!.dir)]);
    expect(readdirSync(downloads)).toEqual([]);
    const { dir } = done['localstack']!;
    expect(readFileSync(path.join(dir, 'requirements.txt'), 'utf8')).toContain('localstack-core==');
    const imported = execFileSync(
      path.join(dir, 'bin/python'),
      ['-c', 'import localstack.services.s3.provider as it; print(it.__file__, it.__cached__)'],
      {
        encoding: 'utf8',
        env: { HOME: root, PATH: process.env['PATH'] },
      },
    ).split(' ');
    expect(imported[0]).toContain(dir);
    expect(existsSync(imported[1]!.trim())).toBe(true);
  });
});
