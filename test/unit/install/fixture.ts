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

/** A Python and a javac that do what is asked of them, except that one step never ends; `pid` then names its process. */
export function toolsThatHang(root: string, step: string): { python: string; javac: string; pid: string } {
  const [python, javac, pid] = [path.join(root, 'python'), path.join(root, 'jdk/bin/javac'), path.join(root, 'pid')];
  const hang = `if [ "$step" = ${step} ]; then echo $$ > ${pid}.new; mv ${pid}.new ${pid}; sleep 300; fi`;
  mkdirSync(path.dirname(javac), { recursive: true });
  writeFileSync(javac, `#!/bin/sh\nstep=javac\n${hang}\n`, { mode: 0o755 });
  const script = `#!/bin/sh
for last in "$@"; do :; done
case "$1 $2 $3" in
  '-m venv '*) step=venv; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
  '-m pip download') step=download; while [ "$1" != -d ]; do shift; done; mkdir -p "$2"; echo x > "$2/a-1.tar.gz" ;;
  '-m pip config') echo "global.no-index='true'" ;;
  '-m pip install') step=install ;;
  '-c import sys, tarfile'*) step=unpack ;;
  *) step=warmUp ;;
esac
${hang}
`;
  writeFileSync(python, script, { mode: 0o755 });
  writeFileSync(path.join(root, 'A.java'), 'class A {}');
  const common = `version: '1', downloadMB: 1, diskMB: 1`;
  const sets = `  flink: {kind: pip-archive, title: F, ${common}, package: a, folder: deps}
  stack: {kind: pip, title: S, ${common}, requirements: ['a==1'], warmUp: 'import a'}
  catalog: {kind: maven, title: C, ${common}, transitive: true, artifacts: ['a:b:1'], compile: A.java}
`;
  writeFileSync(path.join(root, 'packages.yaml'), `mavenDependencyPlugin: 3.9.0\njava: {}\nsets:\n${sets}`);
  return { python, javac, pid };
}
