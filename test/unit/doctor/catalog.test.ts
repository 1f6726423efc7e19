import { afterEach, expect, test } from 'vitest';
import { icebergCatalog } from '../../../src/clients/iceberg.js';
import { tokenSource } from '../../../src/clients/oauth.js';
import { stackPolaris } from '../../../src/clients/polaris.js';
import type { TaskFacts, Trouble } from '../../../src/doctor/check.js';
import { catalogChecks } from '../../../src/doctor/checks/catalog/index.js';
import { placeOf, startAnswers, type PlaceParts } from '../../helpers/doctor-place.js';
import { atPort, polarisStack } from '../../helpers/fake-polaris/stack.js';
import { scratch } from '../../helpers/folders.js';
import { startFakePolaris, startFullStorage } from '../../helpers/fake-polaris/start.js';

const check = (id: string) => catalogChecks.find((one) => one.id === id)!;
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A fake of Polaris with catalog, principal, roles, grant, namespace and a table. */
async function polaris(vends: Record<string, string> = {}) {
  const [fake, storage] = [await startFakePolaris(500, vends), await startFullStorage()];
  stops.push(fake.stop, storage.stop);
  const stack = await polarisStack(scratch(), fake, storage.port);
  const management = stackPolaris(stack);
  const { catalog: name, namespace } = stack.config.lake;
  const location = 's3://lake/warehouse';
  const storageConfigInfo = { storageType: 'S3' as const, allowedLocations: [location] };
  await management.createCatalog({ name, type: 'INTERNAL', properties: { 'default-base-location': location }, storageConfigInfo });
  const made = await management.createPrincipal('super_user');
  const { clientId, clientSecret } = made!.credentials;
  await stack.credentials.write('polaris-principal', { clientId: clientId.reveal(), clientSecret: clientSecret.reveal() });
  await management.createPrincipalRole('admin');
  await management.createCatalogRole(name, 'sudo');
  await management.assignPrincipalRole('super_user', 'admin');
  await management.assignCatalogRole('admin', name, 'sudo');
  await management.grant(name, 'sudo', 'CATALOG_MANAGE_CONTENT');
  const token = tokenSource({
    url: `${stack.endpoints['catalog']!.url}/v1/oauth/tokens`,
    credentials: () => ({ clientId, clientSecret }),
    from: 'test',
  });
  const client = icebergCatalog({ base: stack.endpoints['catalog']!.url, warehouse: name, token, label: 'Polaris' });
  await client.createNamespace(namespace, {});
  const fields = [{ id: 1, name: 'player', type: 'string', required: true }];
  const table = { name: 'leaderboard', 'partition-spec': { fields: [] }, 'write-order': { 'order-id': 0, fields: [] }, properties: {} };
  await client.createTable(namespace, { ...table, schema: { type: 'struct', 'schema-id': 0, fields } });
  const look = (id: string, parts: PlaceParts = {}): Promise<Trouble[]> => check(id).look(placeOf({ ...parts, stack }));
  return { stack, management, look };
}
const KEYS = { 's3.access-key-id': 'vended', 's3.secret-access-key': 'vended-secret', 's3.session-token': 'vended-token' };

test('Polaris as it should be: nothing to tell', async () => {
  const { look } = await polaris(KEYS);
  const tasks = [{ module: 'polaris.catalog' }];
  for (const { id } of catalogChecks) expect(await look(id, { tasks }), id).toEqual([]);
});

test('credentials that Polaris refuses: those of the root user are not for forge to reset', async () => {
  const { stack, look } = await polaris();
  for (const name of ['polaris-root', 'polaris-principal'])
    await stack.credentials.write(name, { clientId: 'root', clientSecret: 'another-secret' });
  const found = await look('catalog-token');
  expect(found.map(({ cause, fix }) => [/credentials\/(\S+)\.json/.exec(cause)?.[1], fix !== undefined])).toEqual([
    ['polaris-root', false],
    ['polaris-principal', true],
  ]);
  expect(JSON.stringify(found)).not.toContain('another-secret');
});

test('a realm that Polaris does not serve is one finding, and names it', async () => {
  const { stack, look } = await polaris();
  const { port, stop } = await startAnswers({});
  stops.push(stop);
  stack.endpoints['catalog'] = atPort(port, '/api/catalog');
  // Not a realm: a server that has no such page.
  expect((await look('catalog-token')).map(({ title }) => title)).toEqual([
    'Polaris gives no token for the root user',
    "Polaris gives no token for the pipeline's principal",
  ]);
});

test('a principal without its grant may not list: told here, unless the grant is seen to be missing', async () => {
  const { stack, management, look } = await polaris();
  await management.revoke(stack.config.lake.catalog, 'sudo', 'CATALOG_MANAGE_CONTENT');
  const [found] = await look('catalog-access');
  expect(found).toMatchObject({
    component: 'polaris',
    title: expect.stringMatching(/principal may not list the namespace balloon_pops/) as string,
  });
  expect(found?.fix).toBeDefined();
  expect(await look('catalog-access', { tasks: [{ module: 'polaris.grant', state: 'missing' }] })).toEqual([]);
});

test("the catalog's storage: what differs, and what it is for", async () => {
  const { look } = await polaris();
  const diff = [
    { field: 'storage.endpoint', is: 'http://minio:9000', should: 'http://127.0.0.1:4566' },
    { field: 'storage.pathStyleAccess', is: 'false', should: 'true' },
  ];
  const [found] = await look('catalog-storage', { tasks: [{ module: 'polaris.catalog', state: 'drifted', diff }] });
  expect(found?.cause).toMatch(/endpoint is http:\/\/minio:9000, should be .*clients of this machine.*pathStyleAccess is false.*host name/);
});

test.each<[string, Partial<TaskFacts>[], object]>([
  ['it is not there', [{ module: 'polaris.catalog', state: 'missing' }], { id: 'catalog-objects' }],
  [
    'it waits for the bucket',
    [
      { module: 's3.bucket', state: 'missing' },
      { module: 'polaris.catalog', state: 'unknown' },
    ],
    { id: 'bucket-missing' },
  ],
  [
    'it was not seen',
    [{ id: 'c', module: 'polaris.catalog', state: 'unknown', message: 'late' }],
    { message: 'c could not be seen: late' },
  ],
  ['nobody looks at it', [], { message: expect.stringContaining('no task') as string }],
])("the catalog's storage where %s: it has not passed", async (_, tasks, error) => {
  const { look } = await polaris();
  await expect(look('catalog-storage', { tasks })).rejects.toMatchObject(error);
});

test('what could not be told of the storage keeps nobody from looking at roles and grants', () => {
  expect([check('catalog-access').needs, check('catalog-access').unless]).toEqual([
    ['catalog-answers', 'catalog-token'],
    ['catalog-storage'],
  ]);
});

test('vended keys: none, those that the storage refuses, and those that lead where no table is', async () => {
  const none = await (await polaris()).look('catalog-vending');
  expect(none[0]).toMatchObject({ component: 'polaris', title: 'Polaris hands out no keys for its tables' });
  expect(check('catalog-vending').severity).toBe('warning');
  const { port, stop } = await startAnswers({ '/': {} });
  await stop();
  const [refused] = await (await polaris({ ...KEYS, 's3.endpoint': `http://127.0.0.1:${port}` })).look('catalog-vending');
  expect(refused?.title).toBe('Keys that Polaris hands out do not open its tables');
  expect(JSON.stringify(refused)).not.toMatch(/vended-secret|vended-token/);
  const empty = await startAnswers({});
  stops.push(empty.stop);
  const [elsewhere] = await (await polaris({ ...KEYS, 's3.endpoint': `http://127.0.0.1:${empty.port}` })).look('catalog-vending');
  expect(elsewhere?.cause).toMatch(new RegExp(`^s3://\\S+ is not there at http://127\\.0\\.0\\.1:${empty.port}`));
});

test('an Iceberg REST catalog: it answers, answers with errors, has another warehouse, cannot read its database', async () => {
  const rest = async (id: string, documents: Record<string, unknown>): Promise<Trouble[]> => {
    const { port, stop } = await startAnswers(documents);
    stops.push(stop);
    return check(id).look(placeOf({ stack: { endpoints: { catalog: atPort(port) } } }));
  };
  const config = (warehouse: string) => ({ '/v1/config': { defaults: {}, overrides: { warehouse } } });
  expect(await rest('catalog-answers', config('s3://balloon-game/warehouse/'))).toEqual([]);
  expect((await rest('catalog-answers', {}))[0]?.title).toBe('The catalog answers with errors: HTTP 404');
  expect(await rest('catalog-storage', config('s3://balloon-game/warehouse/'))).toEqual([]);
  expect((await rest('catalog-storage', config('s3://other/warehouse')))[0]?.title).toMatch(/keeps its tables in s3:\/\/other\/warehouse/);
  const closed = await startAnswers({});
  await closed.stop();
  const [silent] = await check('catalog-answers').look(placeOf({ stack: { endpoints: { catalog: atPort(closed.port) } } }));
  expect(silent).toMatchObject({ component: 'iceberg-rest', title: 'The catalog does not answer' });
});
