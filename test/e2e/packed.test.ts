import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const project = path.resolve(import.meta.dirname, '../..');

interface Failed {
  code: number;
  stdout: string;
  stderr: string;
}

describe('the packed tarball, installed elsewhere', () => {
  let home: string;
  let files: string[];
  let forge: string;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'forge-packed-'));
    expect(existsSync(path.join(project, 'dist')), 'run `npm run build` first').toBe(true);
    // Without scripts: packing would rebuild dist/ under the feet of a forge that runs from it.
    const pack = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', home], { cwd: project });
    const [tarball] = JSON.parse(pack.stdout) as { filename: string; files: { path: string }[] }[];
    files = (tarball?.files ?? []).map((file) => file.path);
    await writeFile(path.join(home, 'package.json'), '{"private": true}');
    const name = path.join(home, tarball?.filename ?? '');
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', name], { cwd: home });
    forge = path.join(home, 'node_modules', '.bin', 'forge');
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  it('holds what forge needs at run time, and nothing of its workshop', () => {
    const own = ['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json', 'packages.yaml', 'oclif.manifest.json', 'bin/run.js'];
    for (const needed of [...own, 'docs/troubleshooting.md', 'dist/parsed.json', 'dist/LICENSES.txt']) expect(files).toContain(needed);
    for (const folder of ['dist/src/', 'dist/commands/', 'playbooks/', 'templates/', 'schemas/'])
      expect(
        files.filter((file) => file.startsWith(folder)),
        folder,
      ).not.toEqual([]);
    expect(files.filter((file) => /^(test|src|commands|bench|scripts|\.ci|\.forge)\/|\.tgz$/.test(file))).toEqual([]);
  });

  it('answers --version and the help of up', async () => {
    const { version } = JSON.parse(await readFile(path.join(project, 'package.json'), 'utf8')) as { version: string };
    expect((await run(forge, ['--version'], { cwd: home })).stdout).toMatch(new RegExp(`^forge-lakehouse/${version} `));
    const help = await run(forge, ['up', '--help'], { cwd: home });
    expect(help.stdout).toContain('$ forge up');
    expect(help.stdout).toContain('EXAMPLES');
  });

  it('loads every command with the dependencies of a user', async () => {
    const manifest = JSON.parse(await readFile(path.join(project, 'oclif.manifest.json'), 'utf8')) as { commands: Record<string, unknown> };
    for (const id of Object.keys(manifest.commands)) {
      // A flag that does not exist is seen only after the command was loaded, and before it does anything.
      const failed = (await run(forge, [...id.split(':'), '--no-such-flag', '--json'], { cwd: home }).catch(
        (error: unknown) => error,
      )) as Failed;
      expect(failed.code, `${id}: ${failed.stderr}`).toBe(2);
      expect(JSON.parse(failed.stdout), id).toMatchObject({ error: { code: 'USAGE' } });
    }
  });
});
