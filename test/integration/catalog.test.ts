import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogBase, stackCatalog } from '../../src/clients/iceberg.js';
import { waitUntil } from '../../src/clients/wait.js';
import { polaris } from '../../src/components/polaris/polaris.js';
import { createRequest, type TableArgs } from '../../src/modules/iceberg-table-shape.js';
import { icebergTable } from '../../src/modules/iceberg-table.js';
import { polarisRealm } from '../../src/modules/polaris-realm.js';
import type { ServerPackages } from '../../src/components/component.js';
import { Secret } from '../../src/workspace/secret.js';
import { bring, bringAll, removeAll, taskContext, type CatalogTask } from '../helpers/catalog-tasks.js';
import { makeFakeDistribution } from '../helpers/fake-polaris/distribution.js';
import { atPort } from '../helpers/fake-polaris/stack.js';
import { newSecret } from '../helpers/fake-polaris/state.js';
import { s3, sql } from '../helpers/servers.js';
import { closedPort, openTestWorld, withClosedPort, withOwnWorkspace, type TestWorld } from '../helpers/world.js';

let world: TestWorld;
beforeAll(async () => {
  world = await openTestWorld();
});
afterAll(() => world.close());

describe('a storage that lost everything', () => {
  const namespace = `lost_${process.pid}`;
  const bucket = `forge-lost-${process.pid}`;
  const args = icebergTable.schema.parse({ namespace, name: 'scores', columns: [{ name: 'player', type: 'string', required: true }] });
  const task: CatalogTask = { id: 'scores', module: icebergTable, args };

  it('is seen at once, although the catalog itself tries for over a minute; the table is made anew, and it is said', async () => {
    const catalog = stackCatalog(world.stack);
    const client = await s3(world);
    const { config } = world.stack;
    const stack = { ...world.stack, config: { ...config, lake: { ...config.lake, bucket } } };
    try {
      await client.createBucket(bucket);
      await catalog.createNamespace(namespace, {});
      // forge leaves the place to the catalog; this one has to be in a bucket that may be lost.
      const request = { ...createRequest(args as TableArgs), location: `s3://${bucket}/scores` };
      const url = `${catalogBase(stack)}/v1/namespaces/${namespace}/tables`;
      const headers = { 'content-type': 'application/json' };
      expect((await fetch(url, { method: 'POST', headers, body: JSON.stringify(request) })).status).toBe(200);
      expect(await bring(task, stack)).toBe('ok');

      await client.deleteBucket(bucket);
      const started = performance.now();
      expect(await icebergTable.observe(args, taskContext(stack))).toMatchObject({
        state: 'drifted',
        message: `table ${namespace}.scores: its objects are gone from s3://${bucket}`,
      });
      expect(performance.now() - started).toBeLessThan(5_000);

      await client.createBucket(bucket);
      expect(await bring(task, stack)).toMatch(/its objects were gone from s3:.*created it anew, empty/);
      expect(await bring(task, stack)).toBe('ok');
    } finally {
      await catalog.dropTable(namespace, 'scores');
      await catalog.dropNamespace(namespace);
      await client.deleteBucket(bucket);
    }
  });

  it('is not taken for one that does not answer', async () => {
    const { stack } = await withClosedPort(world, 'localstack');
    await expect(icebergTable.observe(args, taskContext(stack))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('Polaris as a process, from its distribution (a fake one)', () => {
  const user = `polaris_${process.pid}`;
  const name = `polaris_db_${process.pid}`;
  let own: TestWorld;
  let server: ChildProcess | undefined;
  const noPackages: ServerPackages = { dir: () => '', java: () => '' };
  const signal = AbortSignal.timeout(100_000);

  beforeAll(async () => {
    own = await withOwnWorkspace(world);
    const home = join(world.scratch, 'polaris-bin-1.4.1');
    await makeFakeDistribution(home);
    const [catalogPort, managementPort] = [await closedPort(), await closedPort()];
    const { credentials, config } = own.stack;
    const secrets = { root: newSecret(), database: newSecret() };
    await credentials.write('polaris-root', { clientId: 'root', clientSecret: secrets.root });
    await credentials.write('catalog-db', { username: user, password: secrets.database });
    for (const credential of ['aws', 'postgresql']) {
      const fields = Object.entries(world.stack.credentials.get(credential)).map(([field, value]) => [field, value.reveal()] as const);
      await credentials.write(credential, Object.fromEntries(fields));
    }
    await sql(world, `CREATE ROLE ${user} LOGIN PASSWORD '${secrets.database}'`);
    await sql(world, `CREATE DATABASE ${name} OWNER ${user}`);
    const lake = { ...world.stack.config.lake, catalog: 'process-lake' };
    const components = { ...config.components, polaris: { ...config.components.polaris, home } };
    const ports = { ...world.stack.ports, catalog: catalogPort, 'catalog-management': managementPort };
    const endpoints = { ...world.stack.endpoints, catalog: atPort(catalogPort, '/api/catalog') };
    own = { ...own, stack: { ...own.stack, catalog: 'polaris', config: { ...config, lake, components }, ports, endpoints } };
  });
  afterAll(async () => {
    await stop();
    await sql(world, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await sql(world, `DROP ROLE IF EXISTS ${user}`);
  });

  async function start(): Promise<void> {
    await polaris.process!.prepare(own.stack, noPackages, 'polaris', signal);
    const [spec] = await polaris.process!.specs(own.stack, noPackages);
    const env = Object.fromEntries(
      Object.entries(spec!.env).map(([key, value]) => [key, value instanceof Secret ? value.reveal() : value]),
    );
    // The database of this test in the place of the stack's.
    const url = env['QUARKUS_DATASOURCE_JDBC_URL']!.replace(/\/catalog$/, `/${name}`);
    const { PATH } = process.env;
    server = spawn(spec!.command, spec!.args, { cwd: spec!.cwd, env: { PATH, ...env, QUARKUS_DATASOURCE_JDBC_URL: url }, stdio: 'ignore' });
    await waitUntil(() => spec!.ready.check(signal), { what: 'the fake Polaris', signal, timeoutMs: 30_000 });
  }
  async function stop(): Promise<void> {
    if (server === undefined) return;
    const ended = new Promise((resolve) => server!.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
    server = undefined;
  }
  const realm: CatalogTask = { id: 'polaris-realm', module: polarisRealm, args: { database: name } };

  it('is bootstrapped before it starts, once, and leaves no file with its credentials', async () => {
    expect(await bring(realm, own.stack)).toMatch(/bootstrapped/);
    expect(await bring(realm, own.stack)).toBe('ok');
    await mkdir(own.stack.workspace.run, { recursive: true });
    expect(await readdir(own.stack.workspace.run)).toEqual([]);
    // Somebody else's realm is not taken over: Polaris keeps only a hash of its credentials.
    const root = own.stack.credentials.get('polaris-root');
    await own.stack.credentials.write('polaris-root', { clientId: 'another', clientSecret: 'another-secret' });
    await expect(bring(realm, own.stack)).rejects.toMatchObject({ code: 'POLARIS_ROOT_LOST' });
    await own.stack.credentials.write('polaris-root', {
      clientId: root['clientId']!.reveal(),
      clientSecret: root['clientSecret']!.reveal(),
    });
  });

  it('brings up the playbook, keeps it over a restart, and takes it down', async () => {
    await start();
    expect(await bring(realm, own.stack)).toBe('ok');
    expect(Object.values(await bringAll(own.stack))).not.toContain('ok');
    const argv = await readFile(`/proc/${server!.pid!}/cmdline`, 'utf8').catch(() => '');
    for (const credential of own.stack.credentials.names())
      for (const value of Object.values(own.stack.credentials.get(credential)))
        if (value.reveal().length > 8) expect(argv).not.toContain(value.reveal());

    await stop();
    await start();
    expect(new Set(Object.values(await bringAll(own.stack)))).toEqual(new Set(['ok']));

    await removeAll(own.stack);
    await removeAll(own.stack);
    await stop();
    await polarisRealm.remove!(realm.args, taskContext(own.stack));
    expect(await polarisRealm.observe(realm.args, taskContext(own.stack))).toMatchObject({ state: 'missing' });
  });
});
