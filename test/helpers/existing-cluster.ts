import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { connectKubernetes, type KubeClient, type KubeObject } from '../../src/clients/kubernetes.js';
import { waitUntil } from '../../src/clients/wait.js';
import { imagesOf } from '../../src/workspace/images.js';
import { packageRoot } from '../../src/cli/paths.js';
import { command } from './k3d-world-docker.js';
import { closedPort } from './world.js';

/** A cluster that somebody else made: a k3d cluster whose context stands in a kubeconfig of the user's, beside another one. */
export interface ExistingCluster {
  context: string;
  /** Its current-context is `elsewhere`, a cluster that does not answer. */
  kubeconfig: string;
  client: KubeClient;
  apply(...objects: object[]): Promise<void>;
  /** A kubeconfig with the same context, for a user with no rights but those of a service account. */
  asServiceAccount(namespace: string, name: string): Promise<string>;
  close(): Promise<void>;
}

/** A small server of every day: busybox serves files over HTTP. */
export const SMALL_IMAGE = 'busybox:1.36';

/** Makes the cluster; with FORGE_TEST_CLUSTER it is one of that name, which is used as it is and stays. */
export async function existingCluster(images: readonly string[] = [SMALL_IMAGE]): Promise<ExistingCluster> {
  const given = process.env['FORGE_TEST_CLUSTER'];
  const name = given || `forge-existing-${process.pid}`;
  if (!given) await create(name, images);
  const folder = mkdtempSync(join(tmpdir(), 'forge-existing-'));
  const kubeconfig = join(folder, 'config');
  const context = `k3d-${name}`;
  await writeConfig(name, kubeconfig);
  const client = await connectKubernetes({ kubeconfig, context });
  return {
    context,
    kubeconfig,
    client,
    async apply(...objects) {
      for (const object of objects) await client.serverSideApply(object as KubeObject, { force: true, fieldManager: 'test' });
    },
    async asServiceAccount(namespace, name) {
      const config = parse(contentOf(kubeconfig)) as Config;
      config.users.push({ name, user: { token: await tokenOf(client, namespace, name) } });
      for (const entry of config.contexts) if (entry.name === context) entry.context.user = name;
      const file = join(folder, `${name}.config`);
      writeFileSync(file, stringify(config), { mode: 0o600 });
      return file;
    },
    async close() {
      rmSync(folder, { recursive: true, force: true });
      if (!given) await command('k3d', 'cluster', 'delete', name);
    },
  };
}

async function create(name: string, images: readonly string[]): Promise<void> {
  const image = imagesOf(packageRoot(), { images: {} })['k3s']!;
  const port = await closedPort();
  const flags = ['--no-lb', '--api-port', `127.0.0.1:${port}`, '--image', image, '--timeout', '180s'];
  await command('k3d', 'cluster', 'create', name, ...flags, '--kubeconfig-update-default=false', '--kubeconfig-switch-context=false');
  for (const one of images) if (!(await isHere(one))) await command('docker', 'pull', one);
  await command('k3d', 'image', 'import', '-c', name, ...images);
}

const isHere = (image: string): Promise<boolean> =>
  new Promise((done) => execFile('docker', ['image', 'inspect', image], (error) => done(error === null)));

interface Config {
  clusters: { name: string; cluster: object }[];
  users: object[];
  contexts: { name: string; context: { cluster: string; user: string } }[];
  'current-context': string;
}

async function writeConfig(name: string, to: string): Promise<void> {
  const config = parse((await command('k3d', 'kubeconfig', 'get', name)).join('\n')) as Config;
  config.clusters.push({ name: 'elsewhere', cluster: { server: 'https://127.0.0.1:1' } });
  config.contexts.push({ name: 'elsewhere', context: { cluster: 'elsewhere', user: 'nobody' } });
  config.users.push({ name: 'nobody', user: {} });
  config['current-context'] = 'elsewhere';
  writeFileSync(to, stringify(config), { mode: 0o600 });
}

async function tokenOf(client: KubeClient, namespace: string, name: string): Promise<string> {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `${name}-token`, namespace, annotations: { 'kubernetes.io/service-account.name': name } },
    type: 'kubernetes.io/service-account-token',
  };
  await client.serverSideApply(secret, { force: true, fieldManager: 'test' });
  const read = async (): Promise<string | undefined> =>
    (await client.get<KubeObject & { data?: { token?: string } }>({ ...secret, name: secret.metadata.name, namespace }))?.data?.token;
  const token = await waitUntil(read, { what: 'a token', timeoutMs: 30_000 });
  return Buffer.from(token, 'base64').toString('utf8');
}

/** What a file holds, to see that it stays the same. */
export const contentOf = (file: string): string => readFileSync(file, 'utf8');
