import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { prepareWorkspace, workspaceAt } from '../../../src/workspace/workspace.js';
import { projectRoot, runNode } from './run.js';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'forge-down-')));
  await prepareWorkspace(workspaceAt(folder));
  await mkdir(path.join(folder, 'deep', 'down'), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const down = (...argv: string[]) =>
  runNode(path.join(projectRoot, 'bin', 'dev.js'), ['down', ...argv], {
    cwd: path.join(folder, 'deep', 'down'),
    env: { FORGE_WORKSPACE: '' },
  });

it('down names the workspace above that it takes away, in the question and at the end', { timeout: 60_000 }, async () => {
  const asked = await down();
  expect(asked.code).toBe(2);
  expect(asked.stderr).toContain(`Remove the stack in ${folder} with all its data?`);
  expect((await down('--yes')).stdout).toBe(`No server ran; the data of the stack in ${folder} is removed.\n`);
});
