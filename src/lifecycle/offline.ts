import { installedPolaris } from '../components/polaris/distribution.js';
import { lackingError, usageError } from '../errors.js';
import { loadPackages, pickSets } from '../runtimes/process/install/definition.js';
import { isInstalled } from '../runtimes/process/install/installed.js';
import { setsOf } from '../runtimes/process/install/require.js';
import type { StackContext } from '../workspace/context.js';

/**
 * For `up --offline`: refuses what would have to be downloaded. The images of forge's own cluster are looked for by its
 * runtime, together with the tools.
 * @throws ForgeError PACKAGES_MISSING (exit 3), OFFLINE_NOT_HERE (exit 2)
 */
export async function refuseDownloads(stack: StackContext): Promise<void> {
  if (stack.runtime === 'kubernetes')
    throw usageError({
      code: 'OFFLINE_NOT_HERE',
      message: 'The nodes of an existing cluster pull their images themselves: forge cannot promise that they do not',
      hint: 'Leave --offline out, or use --runtime k3d',
    });
  const sets = stack.runtime === 'k3d' ? packagesForPods(stack) : setsOf(stack);
  const missing = pickSets(await loadPackages(stack.packageRoot), sets)
    .filter((set) => !isInstalled(stack.cacheDir, set))
    .map(({ definition }) => `${definition.title} ${definition.version}`);
  if (stack.runtime === 'process' && stack.catalog === 'polaris' && installedPolaris(stack) === undefined) missing.push('Apache Polaris');
  if (missing.length === 0) return;
  throw lackingError({
    code: 'PACKAGES_MISSING',
    message: `These packages are not on this machine:\n${missing.map((one) => `  - ${one}`).join('\n')}`,
    hint: 'Run `forge up` once with a network, or copy its cache (FORGE_CACHE_DIR) from a machine that has them',
  });
}

/** What pods take from the mounted cache. */
const packagesForPods = ({ engine }: StackContext): string[] => (engine === 'flink' ? ['flink-connectors'] : []);
