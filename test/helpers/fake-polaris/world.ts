import { stackPolaris, type PolarisClient } from '../../../src/clients/polaris.js';
import { atPort } from './stack.js';
import { withOwnWorkspace, type TestWorld } from '../world.js';
import { startFakePolaris, type StartedPolaris } from './start.js';

/** A world whose catalog is a fake of Polaris, in a workspace of its own. */
export interface PolarisWorld extends TestWorld, Pick<StartedPolaris, 'store' | 'stop'> {
  polaris: PolarisClient;
}

/** Takes the rest of the stack as it is. */
export async function withFakePolaris(world: TestWorld): Promise<PolarisWorld> {
  const own = await withOwnWorkspace(world);
  const { port, root, store, stop } = await startFakePolaris();
  const { credentials } = own.stack;
  await credentials.write('polaris-root', root);
  for (const name of ['aws', 'catalog-db', 'postgresql']) {
    const fields = Object.entries(world.stack.credentials.get(name)).map(([field, value]) => [field, value.reveal()] as const);
    await credentials.write(name, Object.fromEntries(fields));
  }
  const endpoints = { ...own.stack.endpoints, ...world.stack.endpoints, catalog: atPort(port, '/api/catalog') };
  const stack = { ...own.stack, catalog: 'polaris' as const, endpoints, ports: { ...world.stack.ports, catalog: port } };
  return { ...own, stack, store, polaris: stackPolaris(stack), stop };
}
