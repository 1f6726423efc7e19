import { existsSync } from 'node:fs';
import path from 'node:path';
import { lackingError } from '../../../errors.js';
import { chooseJava, findJavas, type Java } from '../toolchain/java.js';
import { thisMachine } from '../toolchain/machine.js';
import { loadPackages, pickSets, type PackageSet, type Packages } from './definition.js';

/** The folder of a set in the cache, whether or not it is there. */
export const setFolder = (cacheDir: string, set: PackageSet): string => path.join(cacheDir, 'packages', set.id);

/** Written last: a folder without it is incomplete. */
export const markerOf = (folder: string): string => path.join(folder, '.forge-complete');

/** Whether exactly this definition is installed and usable. */
export function isInstalled(cacheDir: string, set: PackageSet): boolean {
  const folder = setFolder(cacheDir, set);
  if (!existsSync(markerOf(folder))) return false;
  // An environment is a link to the Python that made it, and that may have been removed or replaced.
  return set.definition.kind !== 'pip' || existsSync(path.join(folder, 'bin/python'));
}

/** Where the packages of the servers are, and what runs them. */
export interface InstalledPackages {
  /** Folder of a set: jars (maven), a Python environment (pip), or the unpacked folder (npm, archive). */
  dir(set: string): string;
  /** The java program for the servers of a set, or of `polaris`. Throws MISSING_TOOLS when there is none. */
  java(set: string): string;
}

/** Looks up what is installed; nothing is installed by it. */
export async function locatePackages(context: { cacheDir: string; packageRoot: string }): Promise<InstalledPackages> {
  const [packages, javas] = await Promise.all([loadPackages(context.packageRoot), findJavas(thisMachine())]);
  return {
    dir: (name) => setFolder(context.cacheDir, pickSets(packages, [name])[0]!),
    java: (name) => javaFor(packages, javas, name).program,
  };
}

function javaFor(packages: Packages, javas: readonly Java[], name: string): Java {
  const minimum = packages.java[name] ?? 17;
  const java = chooseJava(javas, { minimum });
  if (java !== undefined) return java;
  throw lackingError({
    code: 'MISSING_TOOLS',
    message: `${name} needs Java ${minimum} or newer, which is not on this machine`,
    hint: 'Install it, or set JAVA_HOME to where it is',
  });
}
