import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeData } from '../../src/components/data.js';
import { listProcesses } from '../../src/runtimes/process/state.js';
import { stopProcess } from '../../src/runtimes/process/stop.js';
import type { StackContext } from '../../src/workspace/context.js';
import { openStack } from '../../src/workspace/open.js';
import { prepareWorkspace } from '../../src/workspace/workspace.js';
import type { TestWorld } from './world.js';

/** Credentials as `up` would make them; the values are known, as these servers live for a test only. */
const CREDENTIALS: Record<string, Record<string, string>> = {
  postgresql: { username: 'forge', password: 'own-stack-superuser' },
  'catalog-db': { username: 'catalog', password: 'own-stack-catalog' },
  views: { username: 'views', password: 'own-stack-views' },
  aws: { accessKeyId: 'own-stack-access', secretAccessKey: 'own-stack-secret' },
};

/** A workspace with free ports and credentials, in which nothing runs yet; for tests that start, kill and stop servers. */
export async function ownStack(where: Pick<StackContext, 'cacheDir' | 'packageRoot'>): Promise<TestWorld> {
  const root = await mkdtemp(join(tmpdir(), 'forge-own-'));
  const { cacheDir, packageRoot } = where;
  const { stack } = await openStack({ root, cacheDir, packageRoot, flags: { catalog: 'iceberg-rest' }, allocate: { isOurs: () => false } });
  await prepareWorkspace(stack.workspace);
  for (const [name, fields] of Object.entries(CREDENTIALS)) await stack.credentials.write(name, fields);
  const close = async (): Promise<void> => {
    for (const { name } of await listProcesses(stack.workspace)) await stopProcess(stack.workspace, name);
    await removeData(stack);
    await rm(root, { recursive: true, force: true });
  };
  return { stack, scratch: root, close };
}
