import path from 'node:path';
import { findPolaris, installedPolaris, type PolarisSearch } from '../components/polaris/distribution.js';
import { whyNotK3d } from '../runtimes/k3d/require.js';
import type { CatalogName, Orders, RuntimeName } from '../workspace/context.js';
import { serverError } from '../errors.js';
import { openStack, type OpenedStack } from '../workspace/open.js';

export interface SessionOptions {
  /** Folder that a flag named; else the workspace is looked for from the current folder upwards. */
  folder?: string | undefined;
  cacheDir: string;
  packageRoot: string;
  /** Selections that flags gave: they win over variables, file and what was kept. */
  flags?: {
    stack?: string | undefined;
    runtime?: string | undefined;
    engine?: string | undefined;
    catalog?: string | undefined;
    'kubernetes.context'?: string | undefined;
  };
  /** Choose free ports; under the lock only. */
  allocate?: { isOurs: (port: number) => boolean };
  /** Whether `catalog: auto` may download Polaris, and `auto` is explained: for `up` only. */
  download?: boolean;
  /** What this one run may do beside the settings. */
  orders?: Orders;
  signal?: AbortSignal;
  note?: (text: string) => void;
}

export type Session = OpenedStack;

/** Opens the stack of a workspace: configuration, what `up` was told, ports and credentials. Asks no server. */
export async function openSession(options: SessionOptions): Promise<Session> {
  return openStack({
    root: options.folder === undefined ? undefined : path.resolve(options.folder),
    flags: definedOnly(options.flags ?? {}),
    env: process.env,
    cacheDir: options.cacheDir,
    packageRoot: options.packageRoot,
    allocate: options.allocate,
    orders: options.orders,
    resolveRuntime: () => resolveRuntime(options),
    resolveCatalog: (config) => resolveCatalog({ config, cacheDir: options.cacheDir, signal: options.signal }, options),
  });
}

/**
 * Before the first `up`, whoever listens on the default ports is a stranger.
 * @throws ForgeError NOT_UP (exit 4)
 */
export function requireUp({ isKnown }: Pick<Session, 'isKnown'>, hint = 'Start it with `forge up`'): void {
  if (!isKnown) throw serverError({ code: 'NOT_UP', message: 'No stack was brought up in this workspace', hint });
}

/** `auto`: k3d where Docker answers and k3d is there, else processes; `up` says why. */
async function resolveRuntime({ download = false, signal, note }: SessionOptions): Promise<RuntimeName> {
  const why = await whyNotK3d(signal);
  if (why === undefined) return 'k3d';
  if (download) note?.(`Runtime: plain processes, since ${why} (--runtime k3d tells more)`);
  return 'process';
}

/** `auto`: Polaris where its distribution can be had, else the Iceberg REST catalog; `up` says so. */
async function resolveCatalog(search: PolarisSearch, { download = false, note }: SessionOptions): Promise<CatalogName> {
  if (!download) return installedPolaris(search) === undefined ? 'iceberg-rest' : 'polaris';
  const found = await findPolaris(search);
  if (!('unavailable' in found)) return 'polaris';
  note?.(`Catalog: Apache Iceberg's REST catalog, since ${found.unavailable.split(' (')[0]} (--catalog polaris tells more)`);
  return 'iceberg-rest';
}

const definedOnly = (flags: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(flags).filter((entry): entry is [string, string] => entry[1] !== undefined));
