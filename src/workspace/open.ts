import { loadConfig } from '../config/load.js';
import { DEFAULT_PORTS, PORT_NAMES, type Config, type PortName } from '../config/schema.js';
import type { CatalogName, EngineName, Endpoint, Orders, RuntimeName, Selection, StackContext } from './context.js';
import { openCredentials } from './credentials.js';
import { readKept } from './kept.js';
import { imagesOf } from './images.js';
import { servicesOf } from './services.js';
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
  /** What this one run was told beside the settings. */
  orders?: Orders | undefined;
  /** What `runtime: auto` means here; process when left out. */
  resolveRuntime?: (config: Config) => Promise<RuntimeName>;
  /** What `catalog: auto` means for processes; on Kubernetes it is Polaris. */
  resolveCatalog?: (config: Config) => Promise<CatalogName>;
}

/** What a flag, a variable or the file now says, against what the last `up` was told. */
export interface SelectionChange {
  key: keyof Selection | 'context';
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
  const runtime = chosen<RuntimeName>(config.runtime, kept?.runtime) ?? (await options.resolveRuntime?.(config)) ?? 'process';
  // What another runtime was given says nothing of this one.
  const before = kept?.runtime === runtime ? kept : undefined;
  const selection: Selection = {
    stack: set.has('stack') ? config.stack : (kept?.stack ?? config.stack),
    runtime,
    engine: chosen<EngineName>(config.engine, before?.engine) ?? (runtime === 'process' ? 'flink' : 'risingwave'),
    catalog:
      chosen<CatalogName>(config.catalog, before?.catalog) ??
      (runtime === 'process' ? ((await options.resolveCatalog?.(config)) ?? 'iceberg-rest') : 'polaris'),
  };
  const named = runtime === 'kubernetes' ? contextOf(config, before?.context) : {};
  const { isOurs } = options.allocate || {};
  const { ports, moved } = isOurs
    ? await withClaims(options.cacheDir, workspace, ({ claimed, before: had }) =>
        allocatePorts({ ordered: orderedPorts, kept: kept?.ports ?? had, isOurs, claimed }),
      )
    : { ports: { ...DEFAULT_PORTS, ...kept?.ports, ...orderedPorts } as Ports, moved: [] };
  const stack: StackContext = {
    ...selection,
    ...named,
    workspace,
    config: { ...config, kubernetes: { ...config.kubernetes, ...named } },
    ports: Object.fromEntries(PORT_NAMES.map((name) => [name, ports[name]])),
    endpoints: endpointsOf(ports, selection, config),
    images: imagesOf(options.packageRoot, config),
    credentials: openCredentials(workspace),
    ...(options.orders === undefined ? {} : { orders: options.orders }),
    cacheDir: options.cacheDir,
    packageRoot: options.packageRoot,
  };
  return { stack, isKnown: kept !== undefined, moved, orderedPorts, selectionChanges: selectionChanges(stack, kept) };
}

/** What a stack is asked to be, against what the last `up` was told; a context counts only within one runtime. */
export function selectionChanges(
  asked: Selection & { context?: string },
  kept: (Selection & { context?: string }) | undefined,
): SelectionChange[] {
  if (kept === undefined) return [];
  const keys = ['stack', 'runtime', 'engine', 'catalog', 'context'] as const;
  return keys.flatMap((key) => {
    const [from, to] = [kept[key], asked[key]];
    return from === undefined || to === undefined || from === to || (key === 'context' && kept.runtime !== asked.runtime)
      ? []
      : [{ key, from, to }];
  });
}

/** `auto` takes what the last `up` chose. */
const chosen = <T extends string>(told: 'auto' | T, kept: T | undefined): T | undefined => (told === 'auto' ? kept : told);

/** The context that was named; a name that was kept stays until another one is named. */
function contextOf({ kubernetes }: Config, kept: string | undefined): { context?: string } {
  const context = kubernetes.context ?? kept;
  return context === undefined ? {} : { context };
}

/** Addresses by component. For plain processes the inside is the outside; on Kubernetes it is the service. */
function endpointsOf(ports: Ports, selection: Selection, config: Config): Record<string, Endpoint> {
  const { runtime, engine, catalog } = selection;
  const services = runtime === 'process' ? {} : servicesOf(selection);
  const at = (name: PortName, url: (host: string) => string): Endpoint => {
    const [host, port] = ['127.0.0.1', ports[name]];
    const outside = { host, port, url: url(`${host}:${port}`) };
    const service = services[name];
    if (service === undefined) return { ...outside, inside: outside };
    const inside = `${service.service}.${service.namespace}`;
    return { ...outside, inside: { host: inside, port: service.port, url: url(`${inside}:${service.port}`) } };
  };
  return {
    kafka: at('kafka', (host) => host),
    localstack: at('localstack', (host) => `http://${host}`),
    postgresql: at('postgresql', (host) => `postgresql://${host}/${config.views.database}`),
    catalog: at('catalog', (host) => `http://${host}${catalog === 'polaris' ? '/api/catalog' : ''}`),
    ...(engine === 'risingwave'
      ? { risingwave: at('risingwave', (host) => `postgresql://${host}/dev`) }
      : { flink: at('flink', (host) => `http://${host}`) }),
  };
}
