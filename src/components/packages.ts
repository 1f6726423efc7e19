import { join } from 'node:path';
import type { StackContext } from '../workspace/context.js';
import type { ServerPackages } from './component.js';

/** The server packages as the process runtime has installed them. */
export async function installedPackages(context: StackContext): Promise<ServerPackages> {
  return {
    dir: (set) => join(context.cacheDir, set),
    java: () => 'java',
  };
}
