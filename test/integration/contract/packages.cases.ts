import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packages } from '../../../src/modules/packages.js';
import { markerOf, setFolder } from '../../../src/runtimes/process/install/installed.js';
import { loadPackages, pickSets } from '../../../src/runtimes/process/install/definition.js';
import type { TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

/** One jar of 40 kB, from the registry that the servers' packages come from. */
const SETS = `mavenDependencyPlugin: 3.9.0
java: { small: 17 }
sets:
  small:
    kind: maven
    title: A small jar
    version: 2.0.17
    downloadMB: 1
    diskMB: 1
    transitive: false
    artifacts: ['org.slf4j:slf4j-api:2.0.17']
`;

const folderOf = async ({ stack }: TestWorld): Promise<string> =>
  setFolder(stack.cacheDir, pickSets(await loadPackages(stack.packageRoot), ['small'])[0]!);

export const cases: ContractCase[] = [
  {
    module: packages,
    title: 'a set of one jar',
    args: () => ({ sets: ['small'] }),
    world: async (world) => {
      const packageRoot = join(world.scratch, 'packages-root');
      await mkdir(packageRoot, { recursive: true });
      await writeFile(join(packageRoot, 'packages.yaml'), SETS);
      return { ...world, stack: { ...world.stack, packageRoot, cacheDir: join(world.scratch, 'packages-cache') } };
    },
    drift: [
      { what: 'its folder removed', make: async (world) => rm(await folderOf(world), { recursive: true }) },
      { what: 'left half-way', make: async (world) => rm(markerOf(await folderOf(world))) },
    ],
    noUnreachable: 'Whether packages are installed is asked of this machine',
    noRemove: 'The cache outlives every workspace',
  },
];
