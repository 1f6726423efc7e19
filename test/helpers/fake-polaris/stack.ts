import { configSchema, type ConfigInput } from '../../../src/config/schema.js';
import { packageRoot } from '../../../src/cli/paths.js';
import type { Endpoint, StackContext } from '../../../src/workspace/context.js';
import { openCredentials } from '../../../src/workspace/credentials.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import type { StartedPolaris } from './start.js';

export const atPort = (port: number, path = ''): Endpoint => {
  const same = { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}${path}` };
  return { ...same, inside: same };
};

/** A stack that consists of a fake Polaris and a storage, in a folder of its own. */
export async function polarisStack(
  folder: string,
  polaris: Pick<StartedPolaris, 'port' | 'root'>,
  storagePort: number,
  config: ConfigInput = {},
): Promise<StackContext> {
  const workspace = workspaceAt(folder);
  const credentials = openCredentials(workspace);
  await credentials.write('polaris-root', polaris.root);
  await credentials.write('aws', { accessKeyId: 'testaccess', secretAccessKey: 'testsecret' });
  return {
    stack: 'balloon-popper',
    runtime: 'process',
    engine: 'flink',
    catalog: 'polaris',
    workspace,
    config: configSchema.parse(config),
    endpoints: { catalog: atPort(polaris.port, '/api/catalog'), localstack: atPort(storagePort) },
    ports: { catalog: polaris.port },
    images: {},
    credentials,
    cacheDir: `${folder}/cache`,
    packageRoot: packageRoot(),
  };
}
