import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Config } from '@oclif/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot, runNode } from './run.js';

const HEAVY = ['listr2', 'kafkajs', 'pg', 'execa', 'zod', 'yaml', 'handlebars', '@inquirer/prompts'];

/** A copy of the project without dist/, next to which the libraries are linked. */
let clone: string;

beforeAll(async () => {
  clone = await mkdtemp(path.join(tmpdir(), 'forge-entry-'));
  for (const entry of ['bin', 'src', 'commands', 'package.json', 'tsconfig.json'])
    await cp(path.join(projectRoot, entry), path.join(clone, entry), { recursive: true });
  await symlink(path.join(projectRoot, 'node_modules'), path.join(clone, 'node_modules'));
});
afterAll(() => rm(clone, { recursive: true, force: true }));

describe('bin/run.js', () => {
  it.each(['--version', '-v'])('%s says exactly what the framework would', async (flag) => {
    const config = await Config.load({ root: projectRoot });
    const ran = await runNode(path.join(projectRoot, 'bin', 'run.js'), [flag]);
    expect(ran).toEqual({ code: 0, stdout: `${config.userAgent}\n`, stderr: '' });
  });

  it('--version loads no library at all', async () => {
    expect(await modulesOf(path.join(projectRoot, 'bin', 'run.js'), ['--version'])).toEqual([]);
  });

  it('says how to build when it is not built', async () => {
    const ran = await runNode(path.join(clone, 'bin', 'run.js'), ['version']);
    expect(ran).toMatchObject({ code: 3, stdout: '' });
    expect(ran.stderr).toContain('npm ci');
  });
});

describe('bin/dev.js', () => {
  it('runs the sources without dist/, from any folder', async () => {
    const ran = await runNode(path.join(clone, 'bin', 'dev.js'), ['version', '--json'], { cwd: tmpdir() });
    expect(ran.stderr).toBe('');
    expect(JSON.parse(ran.stdout)).toMatchObject({ name: 'forge-lakehouse' });
  });

  it('runs the sources and not an older dist/ or manifest', async () => {
    await mkdir(path.join(clone, 'dist', 'commands'), { recursive: true });
    await writeFile(path.join(clone, 'dist', 'commands', 'version.js'), "throw new Error('stale');");
    const { version } = JSON.parse(await readFile(path.join(clone, 'package.json'), 'utf8')) as { version: string };
    await writeFile(path.join(clone, 'oclif.manifest.json'), JSON.stringify({ version, commands: {} }));
    const ran = await runNode(path.join(clone, 'bin', 'dev.js'), ['version', '--json']);
    expect(ran.code, ran.stderr).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ name: 'forge-lakehouse' });
  });

  it.each([[['version']], [['--help']]])('loads no heavy library for %j', async (argv) => {
    const loaded = await modulesOf(path.join(clone, 'bin', 'dev.js'), argv);
    expect(loaded).toContain('@oclif/core');
    expect(loaded.filter((name) => HEAVY.includes(name))).toEqual([]);
  });
});

/** Names of the packages that a command line loads, by either module system. */
async function modulesOf(script: string, argv: string[]): Promise<string[]> {
  const list = path.join(clone, `loaded-${argv.join('')}.txt`);
  await writeFile(list, '');
  const recorder = path.join(clone, 'record.mjs');
  await writeFile(
    recorder,
    `import { appendFileSync } from 'node:fs';
     import module from 'node:module';
     const hooks = "import { appendFileSync } from 'node:fs'; export async function load(url, context, next) { appendFileSync(" +
       JSON.stringify(process.env.FORGE_TEST_LIST) + ", url + '\\\\n'); return next(url, context); }";
     module.register('data:text/javascript,' + encodeURIComponent(hooks));
     process.on('exit', () => appendFileSync(process.env.FORGE_TEST_LIST, Object.keys(module._cache).join('\\n')));`,
  );
  execFileSync(process.execPath, ['--import', recorder, script, ...argv], {
    env: { ...process.env, FORGE_TEST_LIST: list, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const paths = (await readFile(list, 'utf8')).split('\n').map((line) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(line)?.[1]);
  return [...new Set(paths.filter((name) => name !== undefined))];
}
