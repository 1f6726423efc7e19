import { loadConfig } from '../config/load.js';
import { DEFAULT_PORTS, PORT_NAMES, type Config } from '../config/schema.js';
import type { CatalogName, EngineName, Endpoint, RuntimeName, Selection, StackContext } from './context.js';
import { openCredentials } from './credentials.js';
import { readKept } from './kept.js';
import { withClaims } from './port-claims.js';
import { allocatePorts, type Allocation, type Ports } from './ports.js';
import { findWorkspace } from './workspace.js';

export interface OpenOptions {
  /** Folder that a flag or FORGE_WORKSPACE named. */
  root?: string | undefined;
  flags?: Record<string, string>;
  env?: Record<string, string | undefined>;
  cacheDir: string;
  packageRoot: string;
  /** Choose free ports. Only under the lock; without it the kept ones count, or the ones set, or the defaults. */
  allocate?: false | { isOurs: (port: number) => boolean } | undefined;
  /** What `catalog: auto` means here. */
  resolveCatalog?: (config: Config) => Promise<CatalogName>;
}

/** What a flag, a variable or the file now says, against what the last `up` was told. */
export interface SelectionChange {
  key: keyof Selection;
  from: string;
  to: string;
}

export interface OpenedStack {
  stack: StackContext;
  /** False before the first `up` in this workspace. */
  isKnown: boolean;
  moved: Allocation['moved'];
  /** Ports that the user set. */
  orderedPorts: Partial<Ports>;
  selectionChanges: SelectionChange[];
}

/**
 * Opens the stack of a workspace: settings, selection, ports, endpoints, credentials. Asks no server, and writes nothing
 * but the note of the chosen ports in the cache.
 * @throws ForgeError CONFIG_INVALID, STATE_DAMAGED, STATE_NEWER, PORT_TAKEN, PORT_TWICE
 */
export async function openStack(options: OpenOptions): Promise<OpenedStack> {
  const workspace = findWorkspace(options.root);
  const { config, orderedPorts, set } = await loadConfig({
    file: workspace.configFile,
    flags: options.flags ?? {},
    env: options.env ?? {},
  });
  const kept = readKept(workspace);
  const selection: Selection = {
    stack: set.has('stack') ? config.stack : (kept?.stack ?? config.stack),
    runtime: chosen<RuntimeName>(config.runtime, kept?.runtime) ?? 'process',
    engine: chosen<EngineName>(config.engine, kept?.engine) ?? 'flink',
    catalog: chosen<CatalogName>(config.catalog, kept?.catalog) ?? (await options.resolveCatalog?.(config)) ?? 'iceberg-rest',
  };
  const { isOurs } = options.allocate || {};
  const { ports, moved } = isOurs
    ? await withClaims(options.cacheDir, workspace, (claimed) =>
        allocatePorts({ ordered: orderedPorts, kept: kept?.ports ?? {}, isOurs, claimed }),
      )
    : { ports: { ...DEFAULT_PORTS, ...kept?.ports, ...orderedPorts } as Ports, moved: [] };
  const stack: StackContext = {
    ...selection,
    workspace,
    config,
    ports: Object.fromEntries(PORT_NAMES.map((name) => [name, ports[name]])),
    endpoints: endpointsOf(ports, selection, config),
    credentials: openCredentials(workspace),
    cacheDir: options.cacheDir,
    packageRoot: options.packageRoot,
  };
  const keys = ['stack', 'runtime', 'engine', 'catalog'] as const;
  const selectionChanges =
    kept === undefined
      ? []
      : keys.filter((key) => kept[key] !== selection[key]).map((key) => ({ key, from: kept[key], to: selection[key] }));
  return { stack, isKnown: kept !== undefined, moved, orderedPorts, selectionChanges };
}

/** `auto` takes what the last `up` chose. */
const chosen = <T extends string>(told: 'auto' | T, kept: T | undefined): T | undefined => (told === 'auto' ? kept : told);

/** Addresses by component. For plain processes the inside is the outside. */
function endpointsOf(ports: Ports, { catalog }: Selection, config: Config): Record<string, Endpoint> {
  const at = (port: number, url: (host: string) => string): Endpoint => {
    const host = '127.0.0.1';
    const same = { host, port, url: url(`${host}:${port}`) };
    return { ...same, inside: same };
  };
  return {
    kafka: at(ports.kafka, (host) => host),
    localstack: at(ports.localstack, (host) => `http://${host}`),
    postgresql: at(ports.postgresql, (host) => `postgresql://${host}/${config.views.database}`),
    catalog: at(ports.catalog, (host) => `http://${host}${catalog === 'polaris' ? '/api/catalog' : ''}`),
    flink: at(ports.flink, (host) => `http://${host}`),
  };
}
