import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stackCatalog } from '../../src/clients/iceberg.js';
import { askForToken } from '../../src/clients/oauth.js';
import { stackPolaris } from '../../src/clients/polaris.js';
import type { StackContext } from '../../src/workspace/context.js';
import { Secret } from '../../src/workspace/secret.js';
import { bring, bringAll, catalogTasks, removeAll } from '../helpers/catalog-tasks.js';
import { polarisStack } from '../helpers/fake-polaris/stack.js';
import { startFakePolaris, startFullStorage, type StartedPolaris } from '../helpers/fake-polaris/start.js';
import { polarisDocuments, problemsIn } from './documents.js';
import type { Exchange } from './openapi.js';
import { record } from './record.js';

const documents = polarisDocuments();

function problemsOf(exchanges: Exchange[]): string[] {
  const anonymous = exchanges.filter(({ authorized, url }) => !authorized && !url.pathname.endsWith('/oauth/tokens'));
  return [
    ...problemsIn(exchanges, Object.values(documents)),
    ...anonymous.map(({ method, url }) => `${method} ${url.pathname}: no token was sent`),
  ];
}

let scratch: string;
let polaris: StartedPolaris;
let storage: { port: number; stop: () => Promise<void> };
let stack: StackContext;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'forge-specs-'));
  polaris = await startFakePolaris();
  storage = await startFullStorage();
  stack = await polarisStack(scratch, polaris, storage.port);
});
afterAll(async () => {
  await polaris.stop();
  await storage.stop();
  await rm(scratch, { recursive: true, force: true });
});

const attempt = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined);

describe('every request to Polaris, and every answer of its fake', () => {
  it('keeps to the documents while the playbook is brought up, again, and taken down', async () => {
    const exchanges = await record(polaris.port, async () => {
      const first = await bringAll(stack);
      expect(Object.values(first)).not.toContain('ok');
      expect(new Set(Object.values(await bringAll(stack)))).toEqual(new Set(['ok']));
      await removeAll(stack);
      await removeAll(stack);
      await bringAll(stack);
    });
    expect(problemsOf(exchanges)).toEqual([]);
    expect(exchanges.length).toBeGreaterThan(60);
  });

  it('keeps to them while drift is repaired', async () => {
    const client = stackPolaris(stack);
    const { catalog: name, namespace } = stack.config.lake;
    const exchanges = await record(polaris.port, async () => {
      await stack.credentials.remove('polaris-principal');
      const is = (await client.getCatalog(name))!;
      await client.updateCatalog({ ...is, storageConfigInfo: { ...is.storageConfigInfo, endpoint: 'http://10.0.0.1:1' } });
      await bringAll(stack);
      const leaderboard = catalogTasks(stack).find(({ id }) => id === 'table-leaderboard')!;
      const wanted = leaderboard.args as { columns: object[] };
      const note = { name: 'note', type: 'string', required: false };
      const properties = { 'write.target-file-size-bytes': '1048576' };
      const changed = { ...wanted, columns: [...wanted.columns, note], partition: ['hour(event_ts)'], sort: ['player asc'], properties };
      expect(await bring({ ...leaderboard, args: changed }, stack)).toMatch(/note.*partition.*sort.*properties/);
      expect(await bring(leaderboard, stack)).toMatch(/partition.*sort/);
      await stackCatalog(stack).updateProperties(namespace, { owner: 'forge' }, ['unknown']);
    });
    expect(problemsOf(exchanges)).toEqual([]);
  });

  it('keeps to them where something is refused', async () => {
    const client = stackPolaris(stack);
    const { catalog: name, bucket, namespace } = stack.config.lake;
    const url = `http://127.0.0.1:${polaris.port}/api/catalog/v1/oauth/tokens`;
    const wrong = () => ({ clientId: new Secret('nobody'), clientSecret: new Secret('knows-this') });
    const exchanges = await record(polaris.port, async () => {
      expect(await askForToken({ url, credentials: wrong, from: 'nowhere' })).toBe(false);
      expect(await client.createPrincipal('super_user')).toBeUndefined();
      expect(await client.createPrincipalRole('admin')).toBe(false);
      expect(await client.createCatalogRole(name, 'sudo')).toBe(false);
      await expect(client.assignPrincipalRole('super_user', 'admin')).rejects.toThrow(/500/);
      await expect(client.assignCatalogRole('admin', name, 'sudo')).rejects.toThrow(/500/);
      await expect(client.grant(name, 'sudo', 'CATALOG_MANAGE_CONTENT')).rejects.toThrow(/500/);
      await expect(client.deleteCatalog(name)).rejects.toThrow(/not empty/);
      await expect(client.assignPrincipalRole('super_user', 'none')).rejects.toThrow(/404/);
      const base = `s3://${bucket}/warehouse/inside`;
      const inside = { name: 'inside', type: 'INTERNAL' as const, properties: { 'default-base-location': base } };
      await expect(client.createCatalog({ ...inside, storageConfigInfo: { storageType: 'S3' } })).rejects.toThrow(/overlaps/);
      const stale = { ...(await client.getCatalog(name))!, entityVersion: 1 };
      await expect(client.updateCatalog(stale)).rejects.toMatchObject({ code: 'CATALOG_CONFLICT' });
      expect(await client.grants(name, 'none')).toBeUndefined();

      const catalog = stackCatalog(stack);
      expect(await catalog.createNamespace(namespace, {})).toBe(false);
      await expect(catalog.dropNamespace(namespace)).rejects.toMatchObject({ code: 'NAMESPACE_NOT_EMPTY' });
      await expect(catalog.dropTable(namespace, 'leaderboard', { purge: true })).rejects.toMatchObject({ code: 'CATALOG_REFUSED' });
      await expect(catalog.commitTable(namespace, 'leaderboard', [{ type: 'assert-table-uuid', uuid: 'x' }], [])).rejects.toThrow(/409/);
      expect(await catalog.loadTable('none', 'none')).toBeUndefined();
      await expect(stackCatalog(stack, 'root', 'none').config()).rejects.toMatchObject({ code: 'CATALOG_NOT_FOUND' });
      await attempt(stackCatalog(stack, 'root').createNamespace('not_for_root', {}));
    });
    expect(problemsOf(exchanges)).toEqual([]);
  });

  it('saw every operation that forge uses', () => {
    expect([...documents.management.seen].sort()).toEqual([
      'addGrantToCatalogRole',
      'assignCatalogRoleToPrincipalRole',
      'assignPrincipalRole',
      'createCatalog',
      'createCatalogRole',
      'createPrincipal',
      'createPrincipalRole',
      'deleteCatalog',
      'deleteCatalogRole',
      'deletePrincipal',
      'deletePrincipalRole',
      'getCatalog',
      'getCatalogRole',
      'getPrincipal',
      'getPrincipalRole',
      'listCatalogRolesForPrincipalRole',
      'listGrantsForCatalogRole',
      'listPrincipalRolesAssigned',
      'resetCredentials',
      'revokeCatalogRoleFromPrincipalRole',
      'revokeGrantFromCatalogRole',
      'revokePrincipalRole',
      'updateCatalog',
    ]);
    expect([...documents.iceberg.seen]).toEqual(
      expect.arrayContaining(['getConfig', 'createTable', 'updateTable', 'loadTable', 'dropTable']),
    );
    expect([...documents.oauth.seen]).toEqual(['getToken']);
  });

  it('is checked by a check that finds mistakes', async () => {
    const exchanges = await record(polaris.port, async () => {
      await stackPolaris(stack).createPrincipalRole('seen');
      await removeAll(stack);
      await bringAll(stack);
    });
    const posted = (end: string): Exchange => exchanges.find(({ method, url }) => method === 'POST' && url.pathname.endsWith(end))!;
    const role = posted('/principal-roles');
    const catalog = posted('/catalogs');
    const table = posted('/tables');
    expect(problemsOf([role, catalog, table])).toEqual([]);

    const mistake = (good: Exchange, change: Partial<Exchange>): string => problemsOf([{ ...good, ...change }]).join();
    expect(mistake(role, { requestBody: '{"principalRole":{"nmae":"x"}}' })).toMatch(/'name'/);
    expect(mistake(role, { requestBody: '{"principalRole":{"name":"x","colour":"red"}}' })).toMatch(/colour/);
    expect(mistake(role, { requestBody: '' })).toMatch(/needs a body/);
    expect(mistake(role, { method: 'PUT' })).toMatch(/not a method/);
    expect(mistake(role, { status: 418 })).toMatch(/418/);
    expect(mistake(role, { requestType: 'text/plain' })).toMatch(/text\/plain/);
    expect(mistake(role, { responseBody: '{"name":1}' })).toMatch(/name: must be string/);
    expect(mistake(role, { url: new URL(`${role.url.href}?x=1`) })).toMatch(/query x/);
    expect(mistake(role, { url: new URL('/api/none', role.url) })).toMatch(/no document/);
    expect(mistake(role, { authorized: false })).toMatch(/no token/);
    expect(mistake(catalog, { requestBody: catalog.requestBody.replace('pathStyleAccess', 'pathStyle') })).toMatch(/pathStyle/);
    expect(mistake(catalog, { requestBody: catalog.requestBody.replace('"S3"', '"S4"') })).toMatch(/enum|allowed/);
    expect(mistake(table, { requestBody: table.requestBody.replace('source-id', 'source') })).toMatch(/source/);
    expect(mistake(table, { responseBody: table.responseBody.replace('"format-version":2', '"format-version":"2"') })).toMatch(/integer/);
  });
});
