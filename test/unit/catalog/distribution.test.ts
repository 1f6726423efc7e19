import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findPolaris, requirePolaris } from '../../../src/components/polaris/distribution.js';
import { downloadPolaris } from '../../../src/components/polaris/download.js';
import { configSchema, type ConfigInput } from '../../../src/config/schema.js';
import { makeFakeDistribution } from '../../helpers/fake-polaris/distribution.js';
import { listen } from '../../helpers/fake-polaris/server.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forge-dist-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});
const search = (polaris: NonNullable<ConfigInput['components']>['polaris'] = {}) => ({
  config: configSchema.parse({ components: { polaris: { download: false, ...polaris } } }),
  cacheDir: join(folder, 'cache'),
});

describe('where Polaris is found', () => {
  it('in the folder that the configuration names, with the version of its jars', async () => {
    const home = join(folder, 'mine');
    await makeFakeDistribution(home);
    expect(await findPolaris(search({ home }))).toEqual({ home, version: '1.4.1' });
    vi.stubEnv('FORGE_POLARIS_HOME', home);
    expect(await findPolaris(search())).toEqual({ home, version: '1.4.1' });
  });

  it('in the cache', async () => {
    const home = join(folder, 'cache', 'packages', 'polaris-1.7.0');
    await makeFakeDistribution(home);
    expect(await findPolaris(search())).toEqual({ home, version: '1.7.0' });
  });

  it('nowhere: one line, and what to do when it was asked for (exit 3)', async () => {
    const found = await findPolaris(search());
    expect(found).toEqual({ unavailable: expect.not.stringContaining('\n') as string });
    await expect(requirePolaris(search())).rejects.toMatchObject({
      code: 'POLARIS_UNAVAILABLE',
      exitCode: 3,
      hint: expect.stringMatching(/polaris-bin-1\.7\.0\.tgz.*components\.polaris\.home.*--catalog iceberg-rest/s) as string,
    });
  });

  it('a folder that was named and holds none is the mistake of the one who named it (exit 2)', async () => {
    await expect(findPolaris(search({ home: folder }))).rejects.toMatchObject({ code: 'POLARIS_HOME_INVALID', exitCode: 2 });
  });
});

describe('the download', () => {
  let server: Server;
  let site: string;
  let archive: Buffer;
  let checksum: string;
  let ranges: (string | undefined)[];
  let cut: number | undefined;
  const target = (): string => join(folder, 'cache', 'packages', 'polaris-1.7.0');
  const left = async (): Promise<string[]> => readdir(join(folder, 'cache', 'packages'));

  beforeEach(async () => {
    const home = join(folder, 'polaris-bin-1.7.0');
    await makeFakeDistribution(home);
    await writeFile(join(home, 'filling'), Buffer.alloc(300_000, 'x'));
    archive = execFileSync('tar', ['-cf', '-', '-C', folder, 'polaris-bin-1.7.0'], { maxBuffer: 1 << 26 });
    archive = execFileSync('gzip', ['-1c'], { input: archive, maxBuffer: 1 << 26 });
    checksum = createHash('sha512').update(archive).digest('hex');
    ranges = [];
    cut = undefined;
    server = createServer((request, response) => {
      if (request.url?.endsWith('.sha512')) return void response.end(`${checksum}  polaris-bin-1.7.0.tgz\n`);
      if (!request.url?.endsWith('.tgz')) return void response.writeHead(404).end();
      ranges.push(request.headers.range);
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': archive.length - from });
      if (cut === undefined) return void response.end(archive.subarray(from));
      response.write(archive.subarray(from, cut), () => response.destroy());
    });
    site = `http://127.0.0.1:${await listen(server)}`;
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  it('is checked, unpacked and whole', async () => {
    const texts: string[] = [];
    await downloadPolaris('1.7.0', target(), { sites: [site], progress: (text) => texts.push(text) });
    expect(await left()).toEqual(['polaris-1.7.0']);
    expect((await readFile(join(target(), 'filling'))).length).toBe(300_000);
    expect(texts.join()).toMatch(/MB/);
  });

  it('cut off, leaves what it has, and goes on from there', async () => {
    cut = 500;
    await expect(downloadPolaris('1.7.0', target(), { sites: [site] })).rejects.toThrow(/127\.0\.0\.1/);
    cut = undefined;
    await mkdir(join(folder, 'cache', 'packages'), { recursive: true });
    await writeFile(join(folder, 'cache', 'packages', '.polaris-bin-1.7.0.tgz.part'), archive.subarray(0, 400));
    await downloadPolaris('1.7.0', target(), { sites: [site] });
    expect(ranges.at(-1)).toBe('bytes=400-');
    expect(await left()).toEqual(['polaris-1.7.0']);
  });

  it('is made once for all who want it at the same time, without what a killed forge left', async () => {
    await mkdir(join(folder, 'cache', 'packages', '.polaris-1.7.0.999999', 'bin'), { recursive: true });
    const texts: string[] = [];
    const progress = (text: string): number => texts.push(text);
    await Promise.all([1, 2, 3].map(() => downloadPolaris('1.7.0', target(), { sites: [site], progress })));
    expect(ranges).toHaveLength(1);
    expect(await left()).toEqual(['polaris-1.7.0']);
    expect(texts).toContain(`Polaris: waiting for process ${process.pid}, which downloads it`);
  });

  it("takes nobody else's folder", async () => {
    await mkdir(join(target(), 'mine'), { recursive: true });
    await expect(downloadPolaris('1.7.0', target(), { sites: [site] })).rejects.toMatchObject({ code: 'NOT_WRITABLE', exitCode: 3 });
    expect(await readdir(target())).toEqual(['mine']);
  });

  it('with another checksum is thrown away', async () => {
    checksum = 'a'.repeat(128);
    await expect(downloadPolaris('1.7.0', target(), { sites: [site] })).rejects.toMatchObject({ code: 'DOWNLOAD_CORRUPT', exitCode: 3 });
    expect(await left()).toEqual([]);
  });

  it('takes the second site when the first does not have it, and says why when none has', async () => {
    await mkdir(folder, { recursive: true });
    await downloadPolaris('1.7.0', target(), { sites: ['http://127.0.0.1:9', site] });
    expect(await left()).toEqual(['polaris-1.7.0']);
    server.close();
    server.closeAllConnections();
    await expect(downloadPolaris('1.8.0', join(folder, 'cache', 'packages', 'polaris-1.8.0'), { sites: [site] })).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('connection refused') as string,
    });
  });
});
