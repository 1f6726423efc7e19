import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedPort } from '../../helpers/world.js';
import { listProcesses } from '../../../src/runtimes/process/state.js';
import { stopProcess } from '../../../src/runtimes/process/stop.js';
import type { Probe, ProcessSpec } from '../../../src/runtimes/types.js';
import { prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';

export interface Place {
  workspace: Workspace;
  port: number;
  signal: AbortSignal;
  /** Stops what runs and deletes the folder. */
  leave: () => Promise<void>;
}

/** A workspace of its own with a free port. */
export async function newPlace(): Promise<Place> {
  const workspace = workspaceAt(mkdtempSync(join(tmpdir(), 'forge-runtime-')));
  await prepareWorkspace(workspace);
  const leave = async () => {
    for (const { name } of await listProcesses(workspace)) await stopProcess(workspace, name);
    rmSync(workspace.root, { recursive: true, force: true });
  };
  return { workspace, port: await closedPort(), signal: new AbortController().signal, leave };
}

export const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

export const portProbe = (port: number): Probe => ({ description: `something answers on 127.0.0.1:${port}`, check: () => answers(port) });

/** A server in Node: listens, and does what `script` says besides. */
export function serverSpec({ workspace, port }: Place, script = '', more: Partial<ProcessSpec> = {}): ProcessSpec {
  const listen = `require('net').createServer().listen(${port}, '127.0.0.1');`;
  return {
    component: 'fake',
    name: 'fake-server',
    command: process.execPath,
    args: ['-e', `${listen} ${script}`],
    env: {},
    cwd: workspace.root,
    ports: ['fake'],
    ready: portProbe(port),
    readySeconds: 10,
    stop: { signal: 'SIGTERM', seconds: 5 },
    fingerprint: 'program=1 settings=2 credentials=3',
    ...more,
  };
}
