import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { tryRun, type RunOptions } from '../../../clients/exec.js';
import { lackingError, type ForgeError } from '../../../errors.js';
import { redact } from '../../../workspace/secret.js';
import type { Toolchain } from '../toolchain/toolchain.js';
import { errorLines, saysDiskFull } from './output.js';

/** What the installer of one kind of set works with. */
export interface Step {
  /** The folder to fill; it is moved into place when all is done. */
  stage: string;
  cacheDir: string;
  toolchain: Toolchain;
  signal: AbortSignal;
  /** Bytes that were downloaded so far, out of the definition's `downloadMB`. */
  downloaded: (bytes: number) => void;
  /** What goes on apart from downloading. */
  doing: (text: string) => void;
}

/** Folder for temporary files: beside the set, because a machine's own may be small and in memory. */
export const tmpOf = (step: Pick<Step, 'stage'>): string => path.join(step.stage, '.tmp');

interface Download extends RunOptions {
  /** What is being installed, in words. */
  title: string;
  /** What to look at when the registry cannot be reached. */
  settings: string;
}

/**
 * Runs a package manager, tied to forge. Its failure is something that this machine lacks: network, a proxy, disk space.
 * @throws ForgeError PACKAGES_UNAVAILABLE, DISK_FULL (exit 3)
 */
export async function download(command: string, args: readonly string[], { title, settings, ...options }: Download): Promise<void> {
  const { stdout, stderr, exitCode } = await tryRun(command, args, { ...options, tied: true });
  if (exitCode === 0) return;
  const output = `${stdout}\n${stderr}`;
  const tool = path.basename(command);
  if (saysDiskFull(output)) throw diskFull(`${title} could not be installed: the disk is full`);
  throw lackingError({
    code: 'PACKAGES_UNAVAILABLE',
    message: redact(`${title} could not be installed: ${tool} ended with exit code ${exitCode}:\n${errorLines(output)}`),
    hint: `Check the network, and behind a proxy or with a mirror ${settings}. Then run the same command again: what was downloaded is kept`,
  });
}

export const diskFull = (message: string): ForgeError =>
  lackingError({
    code: 'DISK_FULL',
    message,
    hint: 'Free some space, or set FORGE_CACHE_DIR to a folder on a larger disk; then run the same command again',
  });

/** Bytes of all files below a folder; what disappears meanwhile counts as nothing. */
export async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(path.join(folder, name)).then(
        (entry) => (entry.isFile() ? entry.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
