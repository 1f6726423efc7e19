import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Config } from '@oclif/core';
import type { TestProject } from 'vitest/node';
import { packageRoot } from '../../src/cli/paths.js';
import type {} from './world.js';

/**
 * The servers of the integration tests: those of the workspace that FORGE_TEST_WORKSPACE names, or else those that
 * forge itself brings up in a folder of their own, and takes down in the end.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.FORGE_TEST_WORKSPACE;
  project.provide('cacheDir', await cacheDir());
  if (given !== undefined && given !== '') {
    const root = resolve(given);
    if (!existsSync(join(root, '.forge', 'stack.json')))
      throw new Error(`FORGE_TEST_WORKSPACE is ${root}, where no stack was brought up; run \`forge up\` there first`);
    project.provide('workspaceRoot', root);
    return undefined;
  }
  const root = await mkdtemp(join(tmpdir(), 'forge-integration-'));
  const down = async (): Promise<void> => {
    const { code, text } = await forge(['down', '--yes', '--json'], root);
    if (code !== 0) throw new Error(`the servers of the integration tests in ${root} did not go down: ${text}`);
    await rm(root, { recursive: true, force: true });
  };
  const up = await forge(['up', '--runtime', 'process', '--json'], root);
  if (up.code !== 0) {
    const left = existsSync(join(root, '.forge')) ? await down().catch(String) : await rm(root, { recursive: true });
    const after = left === undefined ? '' : `; and then ${left}`;
    throw new Error(`the servers of the integration tests cannot be had (forge up exits ${up.code}): ${up.text}${after}`);
  }
  project.provide('workspaceRoot', root);
  return down;
}

/** Where forge itself keeps server packages. */
async function cacheDir(): Promise<string> {
  return process.env.FORGE_CACHE_DIR || (await Config.load(packageRoot())).cacheDir;
}

function forge(args: string[], cwd: string): Promise<{ code: number; text: string }> {
  const script = join(packageRoot(), 'bin', 'run.js');
  return new Promise((done) => {
    const env = { ...process.env, FORGE_WORKSPACE: cwd };
    execFile(process.execPath, [script, ...args], { cwd, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      done({ code, text: describe(stdout) ?? (stdout + stderr || error?.message || 'it said nothing') });
    });
  });
}

function describe(stdout: string): string | undefined {
  try {
    const { error } = JSON.parse(stdout) as { error?: { code: string; message: string; hint?: string } };
    return error && `${error.code}: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`;
  } catch {
    return undefined;
  }
}
