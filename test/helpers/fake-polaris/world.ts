import { stackPolaris, type PolarisClient } from '../../../src/clients/polaris.js';
import type { Endpoint } from '../../../src/workspace/context.js';
import { withOwnWorkspace, type TestWorld } from '../world.js';
import { fakePolaris, listen } from './server.js';
import { memoryStore, newRealm, newSecret, type RealmState, type Store } from './state.js';

/** A world whose catalog is a fake of Polaris, in a workspace of its own. */
export interface PolarisWorld extends TestWorld {
  store: Store & { state: RealmState | undefined };
  polaris: PolarisClient;
  stop: () => Promise<void>;
}

export const atPort = (port: number, path = ''): Endpoint => {
  const same = { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}${path}` };
  return { ...same, inside: same };
};

/** Takes the rest of the stack as it is. */
export async function withFakePolaris(world: TestWorld): Promise<PolarisWorld> {
  const own = await withOwnWorkspace(world);
  const root = { clientId: 'root', clientSecret: newSecret() };
  const store = memoryStore(newRealm(root.clientId, root.clientSecret));
  const server = fakePolaris({ store });
  const port = await listen(server);
  const { credentials } = own.stack;
  await credentials.write('polaris-root', root);
  for (const name of ['aws', 'catalog-db', 'postgresql']) {
    const fields = Object.entries(world.stack.credentials.get(name)).map(([field, value]) => [field, value.reveal()] as const);
    await credentials.write(name, Object.fromEntries(fields));
  }
  const endpoints = { ...own.stack.endpoints, ...world.stack.endpoints, catalog: atPort(port, '/api/catalog') };
  const stack = { ...own.stack, catalog: 'polaris' as const, endpoints, ports: { ...world.stack.ports, catalog: port } };
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { ...own, stack, store, polaris: stackPolaris(stack), stop };
}
