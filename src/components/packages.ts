import type { StackContext } from '../workspace/context.js';
import type { ServerPackages } from './component.js';

const located = new Map<string, Promise<ServerPackages>>();

/** The server packages as the process runtime has installed them; looked up once per run, for Java is slow to ask. */
export async function installedPackages({
  cacheDir,
  packageRoot,
}: Pick<StackContext, 'cacheDir' | 'packageRoot'>): Promise<ServerPackages> {
  const known = located.get(cacheDir);
  if (known !== undefined) return known;
  const { locatePackages } = await import('../runtimes/process/install/installed.js');
  const looking = locatePackages({ cacheDir, packageRoot });
  located.set(cacheDir, looking);
  looking.catch(() => located.delete(cacheDir));
  return looking;
}
