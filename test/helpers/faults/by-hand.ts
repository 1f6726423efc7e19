import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Sandbox } from '../forge.js';
import { waitFor } from '../lake.js';
import { killServer, pidOf } from './kill.js';

const parts = (pid: number, file: string): string[] =>
  readFileSync(`/proc/${pid}/${file}`, 'utf8')
    .split('\0')
    .filter((part) => part !== '');

/** Kills a server, changes its generated configuration, and starts it again exactly as it was, as a person in a hurry would. */
export async function restartByHand(box: Sandbox, name: string, file: string, change: (text: string) => string): Promise<undefined> {
  const pid = pidOf(box, name);
  const [command = '', ...args] = parts(pid, 'cmdline');
  const env = Object.fromEntries(
    parts(pid, 'environ').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const cwd = readlinkSync(`/proc/${pid}/cwd`);
  await killServer(box, name);
  const path = join(box.root, '.forge', 'generated', file);
  writeFileSync(path, change(readFileSync(path, 'utf8')));
  spawn(command, args, { cwd, env, detached: true, stdio: 'ignore' }).unref();
  return undefined;
}

/** Waits until somebody listens there. */
export const listens = (port: number): Promise<void> =>
  waitFor(
    () =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port }, () => {
          socket.destroy();
          resolve();
        }).once('error', reject);
      }),
  );
