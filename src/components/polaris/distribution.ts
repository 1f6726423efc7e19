import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { lackingError, messageOf, usageError, type ForgeError } from '../../errors.js';
import type { StackContext } from '../../workspace/context.js';
import { distributionUrls, downloadPolaris } from './download.js';

/** What is enough to look for Polaris; it is looked for before the catalog is settled. */
export type PolarisSearch = Pick<StackContext, 'config' | 'cacheDir'> & {
  signal?: AbortSignal | undefined;
  progress?: (text: string) => void;
};

export interface PolarisHome {
  /** Folder with bin/server and bin/admin. */
  home: string;
  version: string;
}
export type PolarisFound = PolarisHome | { unavailable: string };

const isHome = (folder: string): boolean => existsSync(join(folder, 'bin', 'server')) && existsSync(join(folder, 'bin', 'admin'));
const cached = ({ cacheDir, config }: PolarisSearch): string => join(cacheDir, 'packages', `polaris-${config.components.polaris.version}`);

/** The version is in the names of Polaris' own jars; a folder's name is the next best. */
function versionOf(home: string): string {
  const jars = join(home, 'server', 'lib', 'main');
  const names = existsSync(jars) ? readdirSync(jars) : [];
  for (const name of [...names, basename(home)]) {
    const version = /polaris-(?:core|bin)?-?(\d+\.\d+\.\d+[\w.-]*?)(?:\.jar)?$/.exec(name)?.[1];
    if (version !== undefined) return version;
  }
  return 'unknown';
}

/**
 * The distribution on this machine: where the configuration says, or in forge's cache. Undefined when there is none.
 * Throws POLARIS_HOME_INVALID when the configured folder holds no Polaris.
 */
export function installedPolaris(search: PolarisSearch): PolarisHome | undefined {
  const fromVariable = process.env['FORGE_POLARIS_HOME'];
  const given = fromVariable ?? search.config.components.polaris.home;
  if (given !== undefined && given !== '') {
    const home = resolve(given);
    if (isHome(home)) return { home, version: versionOf(home) };
    throw usageError({
      code: 'POLARIS_HOME_INVALID',
      message: `${fromVariable === undefined ? 'components.polaris.home' : 'FORGE_POLARIS_HOME'} is ${given}, which holds no bin/server and bin/admin`,
      hint: 'Name the folder that polaris-bin-VERSION.tgz unpacks to',
    });
  }
  const home = cached(search);
  return isHome(home) ? { home, version: search.config.components.polaris.version } : undefined;
}

/** Finds Polaris on this machine, or downloads it where that is allowed and possible. */
export async function findPolaris(search: PolarisSearch): Promise<PolarisFound> {
  const installed = installedPolaris(search);
  if (installed !== undefined) return installed;
  const { version, download } = search.config.components.polaris;
  if (!download) return { unavailable: `Polaris ${version} is not on this machine, and components.polaris.download is false` };
  try {
    await downloadPolaris(version, cached(search), search);
  } catch (error) {
    search.signal?.throwIfAborted();
    return { unavailable: `Polaris ${version} is not on this machine and could not be downloaded (${messageOf(error)})` };
  }
  if (!isHome(cached(search))) return { unavailable: `The download of Polaris ${version} holds no bin/server and bin/admin` };
  return { home: cached(search), version };
}

/** What to do where Polaris was asked for and cannot be had (exit 3). */
export function polarisLacking(search: PolarisSearch, unavailable: string): ForgeError {
  const { version } = search.config.components.polaris;
  const [url] = distributionUrls(version);
  return lackingError({
    code: 'POLARIS_UNAVAILABLE',
    message: unavailable,
    hint: `Fetch ${url}, unpack it, and name its folder in components.polaris.home of forge.yaml (or in FORGE_POLARIS_HOME); or take \`--catalog iceberg-rest\``,
  });
}

/** Finds Polaris, downloads it where it has to, or says what to do (exit 3); for a stack that was told to use it. */
export async function requirePolaris(search: PolarisSearch): Promise<PolarisHome> {
  const found = await findPolaris(search);
  if ('unavailable' in found) throw polarisLacking(search, found.unavailable);
  return found;
}
