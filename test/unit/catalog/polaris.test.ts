import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stackCatalog } from '../../../src/clients/iceberg.js';
import { askForToken, tokenSource } from '../../../src/clients/oauth.js';
import { stackPolaris } from '../../../src/clients/polaris.js';
import { polarisCatalog } from '../../../src/modules/polaris-catalog.js';
import { polarisPrincipal } from '../../../src/modules/polaris-principal.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { Secret } from '../../../src/workspace/secret.js';
import { bringAll, taskContext } from '../../helpers/catalog-tasks.js';
import { fakePolaris, listen } from '../../helpers/fake-polaris/server.js';
import { polarisStack } from '../../helpers/fake-polaris/stack.js';
import { startFakePolaris, startFullStorage, type StartedPolaris } from '../../helpers/fake-polaris/start.js';

let folder: string;
let polaris: StartedPolaris;
let storage: Awaited<ReturnType<typeof startFullStorage>>;
let stack: StackContext;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forge-polaris-'));
  [polaris, storage] = await Promise.all([startFakePolaris(), startFullStorage()]);
  stack = await polarisStack(folder, polaris, storage.port);
});
afterEach(async () => {
  await Promise.all([polaris.stop(), storage.stop()]);
  await rm(folder, { recursive: true, force: true });
});

const file = (): string => stack.credentials.file('polaris-principal');
const tokens = (port = polaris.port, secret = polaris.root.clientSecret) =>
  tokenSource({
    url: `http://127.0.0.1:${port}/api/catalog/v1/oauth/tokens`,
    credentials: () => ({ clientId: new Secret('root'), clientSecret: new Secret(secret) }),
    from: '.forge/credentials/polaris-root.json',
  });

describe('tokens', () => {
  it('are asked for once, also by tasks that run side by side', async () => {
    const source = tokens();
    const all = await Promise.all([source.get(), source.get(), source.get()]);
    expect(new Set([...all, await source.get()].map((token) => token.reveal())).size).toBe(1);
    source.forget();
    expect((await source.get()).reveal()).not.toBe(all[0].reveal());
  });

  it('refused: the error names the file and holds no secret', async () => {
    const error = await tokens(polaris.port, 'not-the-secret')
      .get()
      .catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'CATALOG_CREDENTIALS_REFUSED', exitCode: 4 });
    expect(String(error)).toContain('.forge/credentials/polaris-root.json');
    expect(JSON.stringify(error)).not.toContain('not-the-secret');
  });

  it('of a server that was started anew are replaced without anybody noticing', async () => {
    expect(await stackPolaris(stack).hasPrincipalRole('service_admin')).toBe(true);
    await polaris.stop();
    const again = fakePolaris({ store: polaris.store });
    await listen(again, polaris.port);
    try {
      expect(await stackPolaris(stack).hasPrincipalRole('service_admin')).toBe(true);
    } finally {
      again.close();
      again.closeAllConnections();
    }
  });

  it('cannot be had from a realm that was not bootstrapped: said, with the status', async () => {
    polaris.store.state = undefined;
    await expect(tokens().get()).rejects.toMatchObject({
      code: 'CATALOG_TOKEN_FAILED',
      message: expect.stringContaining('not bootstrapped') as string,
    });
  });
});

describe('the principal', () => {
  const args = polarisPrincipal.schema.parse({ name: 'super_user' });

  it('has its credentials on disk, private, before anything else is asked', async () => {
    const requests: string[] = [];
    const real = http.request.bind(http);
    const spy = vi.spyOn(http, 'request').mockImplementation(((url: URL, options: http.RequestOptions, listener: () => void) => {
      requests.push(String(options.method));
      if (requests.includes('POST') && requests.length > 2) throw new Error('the network is gone');
      return real(url, options, listener);
    }) as typeof http.request);
    try {
      expect(await polarisPrincipal.apply(args, { state: 'missing' }, taskContext(stack))).toMatch(/created/);
    } finally {
      spy.mockRestore();
    }
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect(await polarisPrincipal.observe(args, taskContext(stack))).toEqual({ state: 'in-sync' });
  });

  it.each([
    ['lost', () => rm(file()), 'are lost'],
    [
      'reset by somebody',
      async () => {
        await stackPolaris(stack).resetCredentials('super_user');
      },
      'are refused',
    ],
    [
      'of another',
      () => stack.credentials.write('polaris-principal', { clientId: 'x', clientSecret: 'another-one' }),
      'belong to another principal',
    ],
  ])('gets new credentials when they are %s, and it is said', async (_, break_, why) => {
    await polarisPrincipal.apply(args, { state: 'missing' }, taskContext(stack));
    await break_();
    const seen = await polarisPrincipal.observe(args, taskContext(stack));
    if (seen.state !== 'drifted') throw new Error(JSON.stringify(seen));
    expect(seen.message).toContain(why);
    expect(await polarisPrincipal.apply(args, seen, taskContext(stack))).toMatch(new RegExp(`${why}.*reset`));
    const { clientId, clientSecret } = JSON.parse(await readFile(file(), 'utf8')) as Record<string, string>;
    const url = `http://127.0.0.1:${polaris.port}/api/catalog/v1/oauth/tokens`;
    const credentials = () => ({ clientId: new Secret(clientId!), clientSecret: new Secret(clientSecret!) });
    expect(await askForToken({ url, credentials, from: '' })).not.toBe(false);
  });
});

describe('the catalog', () => {
  const name = 'balloon-game';
  const observe = (bucket: string) => polarisCatalog.observe(polarisCatalog.schema.parse({ name, bucket }), taskContext(stack));
  const move = async (bucket: string): Promise<string> => {
    const seen = await observe(bucket);
    if (seen.state !== 'drifted') throw new Error(JSON.stringify(seen));
    return polarisCatalog.apply(polarisCatalog.schema.parse({ name, bucket }), seen, taskContext(stack));
  };

  it('does not move away from its tables', async () => {
    await bringAll(stack);
    await expect(move('other-bucket')).rejects.toMatchObject({
      code: 'CATALOG_WOULD_MOVE',
      hint: expect.stringContaining('lake.bucket') as string,
    });
    expect((await stackPolaris(stack).getCatalog(name))?.properties['default-base-location']).toBe('s3://balloon-game/warehouse');
  });

  it('moves while it is empty', async () => {
    await polarisCatalog.apply(polarisCatalog.schema.parse({ name, bucket: 'balloon-game' }), { state: 'missing' }, taskContext(stack));
    expect(await move('other-bucket')).toMatch(/default-base-location.*put right/);
    expect(await observe('other-bucket')).toEqual({ state: 'in-sync' });
  });

  it('keeps the locations and properties that somebody allowed beside its own', async () => {
    await bringAll(stack);
    const client = stackPolaris(stack);
    const is = (await client.getCatalog(name))!;
    const storageConfigInfo = {
      ...is.storageConfigInfo,
      allowedLocations: ['s3://balloon-game/warehouse', 's3://archive/'],
      region: 'eu-west-1',
    };
    await client.updateCatalog({ ...is, properties: { ...is.properties, owner: 'me' }, storageConfigInfo });
    expect(await move('balloon-game')).toMatch(/storage.region/);
    const after = (await client.getCatalog(name))!;
    expect(after.properties['owner']).toBe('me');
    expect(after.storageConfigInfo).toMatchObject({
      region: 'us-east-1',
      allowedLocations: expect.arrayContaining(['s3://archive/']) as string[],
    });
  });
});

describe('where clients are sent for the storage', () => {
  const name = 'balloon-game';
  const args = polarisCatalog.schema.parse({ name, bucket: name });
  const told = async (): Promise<Record<string, string>> => (await stackCatalog(stack).loadTable('balloon_pops', 'leaderboard'))!.config!;

  it('to the address that all of them have, where servers and machine see the same', async () => {
    await bringAll(stack);
    expect((await told())['s3.endpoint']).toBe(`http://127.0.0.1:${storage.port}`);
  });

  it('nowhere else than they were told, where servers in a cluster have another one: it would be their own loopback', async () => {
    await bringAll(stack);
    const { localstack } = stack.endpoints;
    const inside = { host: 'localstack.localstack', port: 4566, url: 'http://localstack.localstack:4566' };
    stack = { ...stack, endpoints: { ...stack.endpoints, localstack: { ...localstack!, inside } } };
    const seen = await polarisCatalog.observe(args, taskContext(stack));
    const old = { field: 'storage.endpoint', is: `http://127.0.0.1:${storage.port}`, should: '(none)' };
    expect(seen).toMatchObject({ state: 'drifted', diff: expect.arrayContaining([old]) as unknown[] });
    await bringAll(stack);
    expect(JSON.stringify(await told())).not.toContain('127.0.0.1');
    const { storageConfigInfo } = (await stackPolaris(stack).getCatalog(name))!;
    expect(storageConfigInfo).toMatchObject({ endpointInternal: inside.url, stsEndpoint: inside.url, pathStyleAccess: true });
  });
});

describe('what may not be done', () => {
  it('is an error with the server, the task and a hint', async () => {
    await bringAll(stack);
    await stackPolaris(stack).revoke('balloon-game', 'sudo', 'CATALOG_MANAGE_CONTENT');
    const error = await stackCatalog(stack)
      .loadTable('balloon_pops', 'leaderboard')
      .catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'CATALOG_REFUSED', exitCode: 4, hint: expect.stringContaining('forge up') as string });
    expect((error as Error).message).toMatch(/Polaris on 127\.0\.0\.1:\d+ answered 403 to loading table balloon_pops\.leaderboard/);
    expect(Object.entries(await bringAll(stack)).filter(([, message]) => message !== 'ok')).toEqual([
      ['polaris-sudo-manages-content', expect.stringContaining('granted')],
    ]);
  });

  it('an unreachable server is said at once', async () => {
    await polaris.stop();
    await expect(polarisPrincipal.observe({ name: 'super_user' }, taskContext(stack))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});
