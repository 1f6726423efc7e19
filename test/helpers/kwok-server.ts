import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { waitUntil } from '../../src/clients/wait.js';
import { imagesOf } from '../../src/workspace/images.js';
import { packageRoot } from '../../src/cli/paths.js';
import { kubeApi, placeOf } from './kwok-api.js';
import { playNode } from './kwok-node.js';

/** An API server with its controllers and scheduler, and a node that is none. */
interface ApiServer {
  /** The kubeconfig that it wrote. */
  file: string;
  pause(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The testbed's where there is one; else that of a k3d cluster. */
export async function apiServer(folder: string): Promise<ApiServer> {
  const testbed = process.env['FORGE_TESTBED'] || resolve(packageRoot(), '..', 'shared', 'testbed');
  const script = join(testbed, 'api');
  const why = existsSync(script) ? await startTestbed(script, folder) : `${script} is not there`;
  if (typeof why !== 'string') return why;
  const missing = (error: unknown): never => {
    throw new Error(
      `This suite needs an API server: either the testbed (FORGE_TESTBED, else ../shared/testbed; ${why}), or Docker and k3d (${String(error)})`,
    );
  };
  await run('docker', ['version']).catch(missing);
  await run('k3d', ['version']).catch(missing);
  return startK3d(folder);
}

/** A text when it was not built. */
async function startTestbed(script: string, folder: string): Promise<ApiServer | string> {
  const port = await freeRow(4);
  let file = '';
  const stop = async (): Promise<void> => void (await run(script, ['stop', folder]));
  const start = async (): Promise<void> => {
    // Its controllers and its scheduler have ports that cannot be chosen.
    const alone = async (): Promise<boolean> => (await isFree(10_257)) && (await isFree(10_259));
    await waitUntil(alone, { what: 'another API server on this machine to end (ports 10257 and 10259)', timeoutMs: 120_000 });
    file = (await run(script, ['start', folder, String(port)])).trim().split('\n').at(-1)!;
  };
  try {
    await start();
    return { file, pause: stop, start, stop };
  } catch (error) {
    await stop();
    if (/up --api-only/.test(String(error))) return 'it is not built';
    throw error;
  }
}

/** A k3d cluster whose own node takes no pods: no image is needed but that of k3s. */
async function startK3d(folder: string): Promise<ApiServer> {
  const port = await freeRow(1);
  const name = `forge-api-${port}`;
  const file = join(folder, 'k3d.kubeconfig');
  const image = imagesOf(packageRoot(), { images: {} })['k3s']!;
  const lean = ['traefik', 'servicelb', 'metrics-server', 'local-storage'].map((part) => `--disable=${part}@server:0`);
  let endNode = (): Promise<void> => Promise.resolve();
  const play = async (): Promise<void> => void (endNode = await playNode(kubeApi(file)));
  const keepNodeFree = async (): Promise<void> => {
    const api = kubeApi(file);
    for (const { metadata } of await api.list(placeOf('Node')))
      await api.patch(placeOf('Node', undefined, metadata.name), { spec: { unschedulable: true } });
  };
  const stop = async (): Promise<void> => {
    await endNode();
    await run('k3d', ['cluster', 'delete', name]);
  };
  try {
    const quiet = ['--kubeconfig-update-default=false', '--kubeconfig-switch-context=false', '--timeout', '180s'];
    const address = ['--no-lb', '--api-port', `127.0.0.1:${port}`, '--image', image];
    await run('k3d', ['cluster', 'create', name, ...address, ...quiet, ...lean.flatMap((one) => ['--k3s-arg', one])]);
    await mkdir(folder, { recursive: true });
    await writeFile(file, await run('k3d', ['kubeconfig', 'get', name]), { mode: 0o600 });
    await keepNodeFree();
    await play();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    file,
    stop,
    async pause() {
      await endNode();
      await run('k3d', ['cluster', 'stop', name]);
    },
    async start() {
      await run('k3d', ['cluster', 'start', name]);
      await play();
    },
  };
}

function run(script: string, args: string[]): Promise<string> {
  return new Promise((done, fail) => {
    // The servers that it leaves running write into files: they hold no pipe.
    const child = spawn(script, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', fail).once('close', (code) => {
      if (code === 0) done(stdout);
      else fail(new Error(`${script} ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`));
    });
  });
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(false);
    }).once('error', () => done(true));
  });

/** The first of so many ports in a row on which nobody listens. */
export async function freeRow(length: number): Promise<number> {
  for (let first = 20_000 + Math.floor(Math.random() * 10_000); ; first += length) {
    const row = await Promise.all(Array.from({ length }, (_, at) => isFree(first + at)));
    if (row.every(Boolean)) return first;
  }
}
