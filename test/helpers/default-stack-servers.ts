import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer, type Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Config } from '@oclif/core';
import { stringify } from 'yaml';
import { packageRoot } from '../../src/cli/paths.js';
import { removeData } from '../../src/components/data.js';
import { connectS3, type S3Target } from '../../src/clients/s3.js';
import { packages } from '../../src/modules/packages.js';
import { processModule } from '../../src/modules/process.js';
import type { TaskModule } from '../../src/modules/contract.js';
import { listProcesses } from '../../src/runtimes/process/state.js';
import { stopProcess } from '../../src/runtimes/process/stop.js';
import { openStack } from '../../src/workspace/open.js';
import { Secret } from '../../src/workspace/secret.js';
import { prepareWorkspace } from '../../src/workspace/workspace.js';
import { taskContext } from './catalog-tasks.js';
import { fakePolaris, listen } from './fake-polaris/server.js';
import { postgresStore } from './fake-polaris/postgres-store.js';
import { newRealm, writeJson, type Store } from './fake-polaris/state.js';
import { placeOf, type KubeApi } from './kwok-api.js';
import type { CredentialFiles } from './secrets.js';

const REALM = 'POLARIS';

/**
 * Real Kafka, LocalStack and PostgreSQL on these ports with these credentials, started by forge's own parts in a workspace of
 * their own. Gives what stops them and removes their data.
 */
export async function startServers(
  root: string,
  ports: Record<string, number>,
  credentials: CredentialFiles,
): Promise<() => Promise<void>> {
  await mkdir(root, { recursive: true });
  await writeFile(join(root, 'forge.yaml'), stringify({ runtime: 'process', catalog: 'iceberg-rest', ports }));
  const cacheDir = process.env['FORGE_CACHE_DIR'] || (await Config.load(packageRoot())).cacheDir;
  const { stack } = await openStack({ root, cacheDir, packageRoot: packageRoot() });
  await prepareWorkspace(stack.workspace);
  for (const [name, fields] of Object.entries(credentials)) await stack.credentials.write(name, fields);
  const settle = async (module: TaskModule, args: object): Promise<void> => {
    const seen = await module.observe(args, taskContext(stack));
    if (seen.state === 'unknown') throw new Error(seen.reason);
    if (seen.state !== 'in-sync') await module.apply(args, seen, taskContext(stack));
  };
  const names = ['kafka', 'localstack', 'postgresql'];
  await settle(packages, { sets: names });
  await Promise.all(names.map((name) => settle(processModule, { component: name, process: name })));
  return async () => {
    await Promise.all((await listProcesses(stack.workspace)).map(({ name }) => stopProcess(stack.workspace, name)));
    await removeData(stack);
  };
}

/** A Polaris in this process, with what it keeps in PostgreSQL. */
export interface PolarisServer {
  store: Store;
  stop(): Promise<void>;
}

/** As Polaris does, each version of a table's metadata is an object in the bucket before the catalog points at it. */
function withMetadataFiles(store: Store, target: S3Target): Store {
  const written = new Set<string>();
  return {
    load: () => store.load(),
    async save(realm) {
      const s3 = await connectS3(target);
      const namespaces = Object.values(realm.catalogs).flatMap(({ namespaces: all }) => Object.values(all));
      for (const { metadataLocation, metadata } of namespaces.flatMap(({ tables }) => Object.values(tables))) {
        if (written.has(metadataLocation)) continue;
        const { host, pathname } = new URL(metadataLocation);
        await s3.putObject(host, pathname.slice(1), writeJson(metadata));
        written.add(metadataLocation);
      }
      await store.save(realm);
    },
  };
}

/** A Polaris on its two ports, with the state in the database that forge makes for it. It has no realm yet. */
export async function startPolaris(
  ports: { api: number; management: number; postgresql: number; s3: number },
  { 'catalog-db': { username = '', password = '' } = {}, aws = {} }: CredentialFiles,
): Promise<PolarisServer> {
  const target = { host: '127.0.0.1', port: ports.postgresql, database: 'catalog', user: username, password: new Secret(password) };
  const keys = { accessKeyId: new Secret(aws['accessKeyId']!), secretAccessKey: new Secret(aws['secretAccessKey']!) };
  const store = withMetadataFiles(postgresStore(target, REALM), { url: `http://127.0.0.1:${ports.s3}`, region: 'us-east-1', ...keys });
  // LocalStack takes any keys.
  const api = fakePolaris({ store, realm: REALM, vends: { 's3.access-key-id': 'vended', 's3.secret-access-key': 'vended' } });
  const health = createServer((request, response) => {
    const known = request.url?.startsWith('/q/health') === true;
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end(known ? '{"status":"UP","checks":[]}' : '');
  });
  await listen(api, ports.api);
  await listen(health, ports.management);
  return { store, stop: () => Promise.all([api, health].map(closed)).then(() => undefined) };
}

/**
 * Does what the pod of the Job `polaris-bootstrap` would do: on the fake node it only says that it has run. It takes the root
 * user from the same Secret. Gives what ends the watch; that throws when a Job ran twice.
 */
export function playBootstrap(api: KubeApi, store: Store): () => Promise<void> {
  let stopped = false;
  const done: string[] = [];
  const watch = async (): Promise<void> => {
    while (!stopped) {
      // A test may have stopped the cluster.
      const job = await api.get(placeOf('Job', 'polaris', 'polaris-bootstrap')).catch(() => undefined);
      if (job !== undefined && !done.includes(job.metadata.uid)) {
        if ((await store.load()) !== undefined) throw new Error('the Job polaris-bootstrap was run where there is a realm');
        const secret = await api.get(placeOf('Secret', 'polaris', 'polaris-root'));
        const file = Buffer.from(secret?.data?.['credentials.json'] ?? '', 'base64').toString();
        const root = (JSON.parse(file) as Record<string, Record<string, string>>)[REALM]!;
        await store.save(newRealm(root['client-id']!, root['client-secret']!));
        done.push(job.metadata.uid);
      }
      await delay(50);
    }
  };
  const watching = watch();
  watching.catch(() => undefined);
  return () => {
    stopped = true;
    return watching;
  };
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
