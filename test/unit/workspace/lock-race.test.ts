import type * as Fs from 'node:fs';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { expect, it, vi } from 'vitest';
import { bootId, processStartTime } from '../../../src/workspace/identity.js';
import { acquireLock } from '../../../src/workspace/lock.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

const hook = vi.hoisted(() => ({ beforeLink: (_: string): void => undefined }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof Fs>();
  return {
    ...fs,
    linkSync: (from: string, to: string): void => {
      hook.beforeLink(to);
      fs.linkSync(from, to);
    },
  };
});

it('leaves a lock alone that somebody took after the stale one was looked at', async () => {
  const workspace = workspaceAt(scratch());
  mkdirSync(workspace.forgeDir);
  const file = path.join(workspace.forgeDir, 'lock');
  const holder = {
    pid: process.pid,
    startTime: processStartTime(process.pid),
    bootId: bootId(),
    host: hostname(),
    command: 'up',
    since: 'now',
  };
  writeFileSync(file, JSON.stringify({ ...holder, startTime: 'before', token: 'dead' }));
  hook.beforeLink = (to) => {
    if (to === file) return;
    // The right to remove the dead one's lock is about to be taken: here somebody else is through with all that already.
    hook.beforeLink = () => undefined;
    writeFileSync(`${file}.new`, JSON.stringify({ ...holder, token: 'faster' }));
    renameSync(`${file}.new`, file);
  };
  await expect(acquireLock(workspace, 'down')).rejects.toMatchObject({ code: 'WORKSPACE_LOCKED' });
  expect(readFileSync(file, 'utf8')).toContain('faster');
  expect(readdirSync(workspace.forgeDir)).toEqual(['lock']);
});
