import type { StackContext } from '../../workspace/context.js';
import { CONNECTORS } from './pods.js';

/**
 * That the connectors are in the cache, or that this machine has what it takes to bring them there: the node of a k3d cluster
 * sees them in the cache.
 * @throws ForgeError MISSING_TOOLS (exit 3)
 */
export async function requireConnectors({ packageRoot, cacheDir }: StackContext): Promise<void> {
  const { loadPackages, pickSets } = await import('../../runtimes/process/install/definition.js');
  const { toolchainFor } = await import('../../runtimes/process/install/require.js');
  const packages = await loadPackages(packageRoot);
  await toolchainFor(packages, pickSets(packages, [CONNECTORS]), [], cacheDir);
}
