import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadPackages, pickSets, type PackageSet, type Packages } from '../../../src/runtimes/process/install/definition.js';
import { installSets, type InstalledSet, type SetProgress } from '../../../src/runtimes/process/install/install.js';
import type { Toolchain } from '../../../src/runtimes/process/toolchain/toolchain.js';
import { scratch } from '../../helpers/folders.js';

/** A package root with a packages.yaml of its own, and a Maven that is a script. */
export interface World {
  root: string;
  cacheDir: string;
  toolchain: Toolchain;
  log: string;
  setMaven: (script: string) => void;
  load: () => Promise<Packages>;
  install: (
    names: string[],
    options?: { signal?: AbortSignal; onProgress?: (sets: readonly SetProgress[]) => void },
  ) => Promise<Record<string, InstalledSet>>;
  /** Names of the sets that Maven was started for, in order. */
  runs: () => string[];
}

export const packagesYaml = (sets: Record<string, { version?: string; diskMB?: number; title?: string }>): string =>
  `mavenDependencyPlugin: 3.9.0\njava: {alpha: 17}\nsets:\n${Object.entries(sets)
    .map(
      ([name, { version = '1.0', diskMB = 1, title = name.toUpperCase() }]) =>
        `  ${name}: {kind: maven, title: ${title}, version: '${version}', downloadMB: 10, diskMB: ${diskMB}, transitive: true, artifacts: ['org.example:${name}:${version}']}\n`,
    )
    .join('')}`;

export const GOOD_MAVEN = `
echo "[INFO] Downloaded from central: x/$name.jar (4.5 MB at 12 MB/s)"
echo jar > "$out/$name.jar"`;

export async function makeWorld(sets: Parameters<typeof packagesYaml>[0] = { alpha: {} }): Promise<World> {
  const root = scratch();
  const [cacheDir, log, program] = [path.join(root, 'cache'), path.join(root, 'log'), path.join(root, 'mvn')];
  writeFileSync(path.join(root, 'packages.yaml'), packagesYaml(sets));
  mkdirSync(path.join(root, 'java/bin'), { recursive: true });
  const java = { home: path.join(root, 'java'), program: path.join(root, 'java/bin/java'), version: '17.0.1', major: 17, compiler: true };
  const setMaven = (script: string): void => {
    const find = `for a in "$@"; do case "$a" in -DoutputDirectory=*) out="\${a#*=}";; esac; done
name=$(sed -n 's/.*<groupId>forge<.groupId><artifactId>\\([a-z]*\\).*/\\1/p' "$out/pom.xml")
echo "$name" >> ${log}`;
    writeFileSync(program, `#!/bin/sh\n${find}\n${script}\n`);
    chmodSync(program, 0o755);
  };
  setMaven(GOOD_MAVEN);
  const toolchain: Toolchain = { javas: [java], maven: { program, version: '3.9.9' } };
  const load = (): Promise<Packages> => loadPackages(root);
  return {
    root,
    cacheDir,
    toolchain,
    log,
    setMaven,
    load,
    install: async (names, { signal = new AbortController().signal, onProgress = () => undefined } = {}) => {
      const packages = await load();
      return installSets(packages, pickSets(packages, names), { cacheDir, toolchain, signal, onProgress });
    },
    runs: () => {
      try {
        return readFileSync(log, 'utf8').trim().split('\n');
      } catch {
        return [];
      }
    },
  };
}

export const setOf = async (world: World, name: string): Promise<PackageSet> => pickSets(await world.load(), [name])[0]!;
