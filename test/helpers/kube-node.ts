import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { packageRoot } from '../../src/cli/paths.js';
import { command } from './k3d-world-docker.js';
import { freeRow } from './kwok.js';

/** A cluster with a real node, made by k3d; no network is needed in it. */
export interface NodeCluster {
  kubeconfig: string;
  context: string;
  /** Gives the node an image of Docker's under another name. */
  give(reference: string): Promise<void>;
  stop(): Promise<void>;
}

/** Small, and with a shell in it. */
export const BUSYBOX = 'busybox:1.36';

export async function startNodeCluster(folder: string, label: string): Promise<NodeCluster> {
  const name = `forge-${label}-${process.pid}`;
  const { k3s } = parse(readFileSync(path.join(packageRoot(), 'images.yaml'), 'utf8')) as { k3s: string };
  const port = await freeRow(1);
  const kubeconfig = path.join(folder, 'kubeconfig');
  const given: string[] = [];
  const stop = async (): Promise<void> => {
    await command('k3d', 'cluster', 'delete', name);
    for (const reference of given.splice(0)) await command('docker', 'rmi', reference);
  };
  try {
    const quiet = ['--kubeconfig-update-default=false', '--kubeconfig-switch-context=false'];
    const image = process.env['FORGE_TESTBED_K3S_IMAGE'] || k3s;
    const lean = ['--k3s-arg', '--disable=traefik,metrics-server@server:0'];
    await command(
      'k3d',
      'cluster',
      'create',
      name,
      '--no-lb',
      '--api-port',
      `127.0.0.1:${port}`,
      '--image',
      image,
      '--timeout',
      '180s',
      ...quiet,
      ...lean,
    );
    await writeFile(kubeconfig, (await command('k3d', 'kubeconfig', 'get', name)).join('\n'), { mode: 0o600 });
    await command('docker', 'image', 'inspect', BUSYBOX).catch(() => command('docker', 'pull', BUSYBOX));
    await command('k3d', 'image', 'import', '-c', name, BUSYBOX);
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return {
    kubeconfig,
    context: `k3d-${name}`,
    stop,
    async give(reference) {
      await command('docker', 'tag', BUSYBOX, reference);
      given.push(reference);
      await command('k3d', 'image', 'import', '-c', name, reference);
    },
  };
}
