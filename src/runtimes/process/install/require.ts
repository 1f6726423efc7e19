import type { StackContext } from '../../../workspace/context.js';
import type { JavaNeed } from '../toolchain/java.js';
import type { Machine } from '../toolchain/machine.js';
import { findToolchain, type Toolchain } from '../toolchain/toolchain.js';
import { loadPackages, npmPackage, pickSets, type PackageSet, type Packages } from './definition.js';
import { isInstalled } from './installed.js';
import { requireSpace } from './space.js';

type Where = Pick<StackContext, 'cacheDir' | 'packageRoot'>;

/** The sets that a stack of local processes is made of. */
export function setsOf({ catalog }: Pick<StackContext, 'catalog'>): string[] {
  return ['kafka', 'localstack', 'postgresql', 'flink', 'flink-connectors', ...(catalog === 'iceberg-rest' ? ['iceberg-rest'] : [])];
}

/**
 * Checks, before anything is started, that this machine has what it takes to run a stack and to install what is not
 * installed yet. Once everything is installed, only Java is needed.
 * @throws ForgeError MISSING_TOOLS (exit 3), which lists everything that is missing
 */
export async function requireToolchain(stack: Where & Pick<StackContext, 'catalog'>, machine?: Machine): Promise<Toolchain> {
  const packages = await loadPackages(stack.packageRoot);
  const names = setsOf(stack);
  const servers = names.filter((name) => packages.java[name] !== undefined).concat(stack.catalog === 'polaris' ? ['polaris'] : []);
  return toolchainFor(packages, pickSets(packages, names), servers, stack.cacheDir, machine);
}

/**
 * Checks, before anything is started, what no tool makes up for: that every package can be had for this system, and that all
 * that are missing together have room. Their own tasks look at a part of them each, when others have been started already.
 * @throws ForgeError PLATFORM_UNSUPPORTED, DISK_FULL (exit 3)
 */
export async function requirePackages(stack: Where & Pick<StackContext, 'catalog'>): Promise<void> {
  const sets = pickSets(await loadPackages(stack.packageRoot), setsOf(stack));
  const missing = sets.filter((set) => !isInstalled(stack.cacheDir, set));
  for (const { definition } of missing) if (definition.kind === 'npm') npmPackage(definition);
  if (missing.length > 0) await requireSpace(stack.cacheDir, missing);
}

/** The tools to install these sets with, as far as they are missing, and to run these Java servers with. */
export function toolchainFor(
  packages: Packages,
  sets: readonly PackageSet[],
  servers: readonly string[],
  cacheDir: string,
  machine?: Machine,
): Promise<Toolchain> {
  const missing = sets.filter((set) => !isInstalled(cacheDir, set));
  const kinds = new Set(missing.map((set) => set.definition.kind));
  const title = (name: string): string => packages.sets.get(name)?.definition.title ?? (name === 'polaris' ? 'Apache Polaris' : name);
  const java: JavaNeed[] = [
    ...servers.map((name) => ({ what: title(name), minimum: packages.java[name] ?? 17 })),
    ...missing.filter((set) => set.source !== undefined).map((set) => ({ what: set.definition.title, minimum: 17, compiler: true })),
  ];
  return findToolchain(
    { java, maven: kinds.has('maven'), python: kinds.has('pip') || kinds.has('pip-archive'), npm: kinds.has('npm') },
    machine,
  );
}
