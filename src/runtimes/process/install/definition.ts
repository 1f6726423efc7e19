import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { parseSource } from '../../../config/source.js';
import { ForgeError, ExitCode, lackingError } from '../../../errors.js';

const common = {
  /** What people call it, for progress and errors. */
  title: z.string(),
  version: z.string(),
  /** Size of everything that a machine without any cache downloads, for the total in the progress. */
  downloadMB: z.number().positive(),
  /** Size when installed, for the check of the free space. */
  diskMB: z.number().positive(),
};

/** Jars of Maven coordinates, side by side in the folder of the set. */
const maven = z.strictObject({
  kind: z.literal('maven'),
  ...common,
  /** `group:artifact:version[:classifier]` */
  artifacts: z.array(z.string().regex(/^[^:\s]+:[^:\s]+:[^:\s]+(:[^:\s]+)?$/, 'expected group:artifact:version[:classifier]')).min(1),
  /** Whether what the artifacts depend on is taken as well. */
  transitive: z.boolean(),
  /** A Java source of forge's own package, compiled against the jars into `classes/`. */
  compile: z.string().optional(),
});

/** A Python environment that holds exactly these packages; the folder of the set is the environment. */
const pip = z.strictObject({
  kind: z.literal('pip'),
  ...common,
  /** Every package with its exact version, the indirect ones too: they are installed without resolving anything. */
  requirements: z.array(z.string().regex(/^[\w.-]+==[\w.]+(; .+)?$/, 'expected name==version')).min(1),
  /** Python that is run once after the installation, so that the first start finds compiled bytecode and the like. */
  warmUp: z.string().optional(),
});

/** One folder out of a source archive that is published on PyPI. */
const pipArchive = z.strictObject({
  kind: z.literal('pip-archive'),
  ...common,
  package: z.string(),
  folder: z.string(),
  /** Beginnings of paths below that folder which are not unpacked. */
  leaveOut: z.array(z.string()).default([]),
});

/** One folder out of an npm package, which has a name of its own for each system. */
const npm = z.strictObject({
  kind: z.literal('npm'),
  ...common,
  /** By `process.platform-process.arch`. */
  packages: z.record(z.string(), z.string()),
  folder: z.string(),
  /** JSON list of {source, target}: links that an npm package cannot hold, made after unpacking. */
  symlinks: z.string().optional(),
});

const file = z.strictObject({
  mavenDependencyPlugin: z.string(),
  java: z.record(z.string(), z.int()),
  sets: z.record(z.string(), z.discriminatedUnion('kind', [maven, pip, pipArchive, npm])),
});

export type MavenSet = z.output<typeof maven>;
export type PipSet = z.output<typeof pip>;
export type PipArchiveSet = z.output<typeof pipArchive>;
export type NpmSet = z.output<typeof npm>;
export type SetDefinition = MavenSet | PipSet | PipArchiveSet | NpmSet;
export type PackagesFile = z.output<typeof file>;

/** A set of packages.yaml with what identifies it in the cache. */
export interface PackageSet {
  name: string;
  definition: SetDefinition;
  /** Name of its folder: `kafka-4.3.1-1a2b3c4d`. */
  id: string;
  /** Text of the Java source to compile. */
  source?: { name: string; text: string };
}

export interface Packages {
  sets: Map<string, PackageSet>;
  mavenDependencyPlugin: string;
  /** Oldest Java by set. */
  java: Record<string, number>;
}

const platform = (): string => `${process.platform}-${process.arch}`;

/** Reads forge's packages.yaml; a mistake in it is a defect of forge. */
export async function loadPackages(packageRoot: string): Promise<Packages> {
  const name = path.join(packageRoot, 'packages.yaml');
  const { sets, java, mavenDependencyPlugin } = await parsePackages(name, await readFile(name, 'utf8'), packageRoot);
  const list = await Promise.all(
    Object.entries(sets).map(([set, definition]) => identify(set, definition, packageRoot, mavenDependencyPlugin)),
  );
  return { java, mavenDependencyPlugin, sets: new Map(list.map((set) => [set.name, set])) };
}

let last: { text: string; file: PackagesFile } | undefined;

/** Every task about packages asks for the same file. */
async function parsePackages(name: string, text: string, packageRoot: string): Promise<PackagesFile> {
  if (last?.text === text) return last.file;
  const invalid = (message: string): Error => new ForgeError({ code: 'PACKAGES_INVALID', message, exitCode: ExitCode.defect });
  const problems: string[] = [];
  const source = await parseSource(name, text, (problem) => problems.push(problem), packageRoot);
  if (source === undefined) throw invalid(problems.join('\n'));
  const parsed = file.safeParse(source.value);
  if (!parsed.success) throw invalid(`${name}: ${z.prettifyError(parsed.error)}`);
  last = { text, file: parsed.data };
  return parsed.data;
}

async function identify(name: string, definition: SetDefinition, packageRoot: string, plugin: string): Promise<PackageSet> {
  const compile = definition.kind === 'maven' ? definition.compile : undefined;
  const source =
    compile === undefined ? undefined : { name: path.basename(compile), text: await readFile(path.join(packageRoot, compile), 'utf8') };
  // Sizes and titles are for people; a change of them is no reason to install anything again.
  const { title: _title, downloadMB: _downloadMB, diskMB: _diskMB, ...identity } = definition;
  const parts = [
    identity,
    source?.text,
    definition.kind === 'maven' ? plugin : '',
    definition.kind === 'npm' || definition.kind === 'pip' ? platform() : '',
  ];
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 8);
  return { name, definition, id: `${name}-${definition.version}-${hash}`, ...(source === undefined ? {} : { source }) };
}

/** The sets of these names. A name that packages.yaml does not have is a mistake in a playbook, so a defect of forge. */
export function pickSets(packages: Packages, names: readonly string[]): PackageSet[] {
  return names.map((name) => {
    const set = packages.sets.get(name);
    if (set !== undefined) return set;
    const known = [...packages.sets.keys()].join(', ');
    throw new ForgeError({
      code: 'PACKAGE_SET_UNKNOWN',
      message: `packages.yaml has no set ${name} (it has ${known})`,
      exitCode: ExitCode.defect,
    });
  });
}

/** The npm package for this system. */
export function npmPackage(definition: NpmSet): string {
  const name = definition.packages[platform()];
  if (name !== undefined) return `${name}@${definition.version}`;
  throw lackingError({
    code: 'PLATFORM_UNSUPPORTED',
    message: `${definition.title} ${definition.version} is not published for ${platform()}`,
    hint: `It can be had for ${Object.keys(definition.packages).join(', ')}`,
  });
}
