import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectRoot, runNode } from './run.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'forge-check-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const check = (...argv: string[]) =>
  runNode(
    path.join(projectRoot, 'bin', 'dev.js'),
    ['up', '--check', '--runtime', 'process', '--catalog', 'iceberg-rest', '-w', folder, ...argv],
    {
      env: { FORGE_CACHE_DIR: path.join(folder, 'cache') },
    },
  );

describe('up --check', { timeout: 60_000 }, () => {
  it('says that nothing was changed, and sends nobody to servers that do not run', async () => {
    const { code, stdout } = await check();
    expect(code).toBe(5);
    expect(stdout).toMatch(/\nNothing was changed; `forge up` would change [1-9]\d*\.\n$/);
    expect(stdout).not.toContain('Next:');
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses a port that was ordered and is taken, as up does', async () => {
    const stranger = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => stranger.once('listening', resolve));
    const { port } = stranger.address() as AddressInfo;
    await writeFile(path.join(folder, 'forge.yaml'), `ports:\n  kafka: ${port}\n`);
    const { code, stdout } = await check('--json');
    stranger.close();
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'PORT_TAKEN', message: expect.stringContaining(String(port)) as string } });
  });
});
