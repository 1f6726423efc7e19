import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ImageName } from '../config/schema.js';
import type { Probe, ProcessSpec } from '../runtimes/types.js';
import { ensureDir, writeFileAtomic } from '../workspace/atomic.js';
import type { StackContext } from '../workspace/context.js';
import { Secret } from '../workspace/secret.js';

/** Where the packages of the servers are; `installedPackages` in packages.ts answers for this machine. */
export interface ServerPackages {
  /** Folder of an installed package set (jars, a Python environment, node modules). */
  dir(set: string): string;
  /** The java program for the servers of a set. */
  java(set: string): string;
}

/** What is enough to know where data lies: `down` works with a damaged configuration too. */
export type Owner = Pick<StackContext, 'workspace'>;

/** A server as plain processes. */
export interface ProcessPart {
  /** Its processes; they do not depend on anything that has to be installed first. */
  names: readonly string[];
  /** How its processes are started. The packages have to be installed and the credentials written. */
  specs(context: StackContext, packages: ServerPackages): Promise<ProcessSpec[]>;
  /** Files that a process needs before it starts (data folder, configuration). May be repeated and interrupted at any point. */
  prepare(context: StackContext, packages: ServerPackages, process: string, signal: AbortSignal): Promise<void>;
  /** Launches what a process that is about to start will soon need beside it, and does not wait for it. */
  beside?(context: StackContext, packages: ServerPackages, process: string, signal: AbortSignal): Promise<void>;
  /** Folders of its data, all of them below .forge/data or otherwise forge's own. */
  dataDirs(context: Owner): string[];
}

/** A server as pods; playbooks say which manifests make them. */
export interface KubernetesPart {
  namespace: string;
  /** What has to be ready for it to serve; also what `status` and `logs` look at. */
  workloads: readonly { kind: 'Deployment' | 'StatefulSet'; name: string }[];
  /** Names in images.yaml. */
  images: readonly ImageName[];
  /** What its manifests name as `pods.NAME.…`: what has to be worked out from the settings. */
  values?(context: StackContext): PodValues | Promise<PodValues>;
}

export type PodValues = Record<string, unknown>;

/** One server of a stack. */
export interface Component {
  name: string;
  /** Name of its endpoint: both catalogs answer as `catalog`. */
  endpoint: string;
  /** Asks the server itself, at its endpoint on this machine; true when it serves. */
  probe(context: StackContext): Probe;
  /** Left out where it cannot be had as a process. */
  process?: ProcessPart;
  kubernetes: KubernetesPart;
}

export const dataDir = (context: Owner, component: string): string => join(context.workspace.data, component);
/** A folder for temporary files, so that a killed server leaves nothing in the machine's own. */
export const tmpDir = (context: StackContext, component: string): string => join(dataDir(context, component), 'tmp');

/** The port of that name; the workspace has allotted all of them. */
export function portOf(context: StackContext, name: string): number {
  const port = context.ports[name];
  if (port === undefined) throw new Error(`no port is allotted to ${name}`);
  return port;
}

/** Fills in a file of templates/; a value that is missing is an error, never an empty text. */
export async function renderFile(context: StackContext, template: string, values: Record<string, string | number>): Promise<string> {
  const { renderTemplate } = await import('../workspace/template.js');
  const file = join(context.packageRoot, 'templates', template);
  return renderTemplate(await readFile(file, 'utf8'), values, { file }).text;
}

/** Writes a configuration file, with its folder. */
export async function writeWhole(file: string, text: string | Uint8Array): Promise<void> {
  await ensureDir(dirname(file), 0o700);
  await writeFileAtomic(file, text, { mode: 0o600 });
}

const hash = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);

/**
 * What a running server was started with: a hash each of its program, of its settings and of its credentials, so that a
 * difference can be named. Nobody gets a (random) credential back out of 48 bits of its hash.
 */
export function fingerprintOf(parts: Pick<ProcessSpec, 'command' | 'args' | 'env'>, files: string[] = [], more: Secret[] = []): string {
  const env = Object.entries(parts.env).sort(([a], [b]) => (a < b ? -1 : 1));
  const plain = env.filter(([, value]) => !(value instanceof Secret));
  const secrets = [...env.map(([, value]) => value), ...more].filter((value) => value instanceof Secret).map((value) => value.reveal());
  return `program=${hash([parts.command, parts.args])} settings=${hash([plain, files])} credentials=${hash(secrets)}`;
}

/** What differs between two fingerprints, in words. */
export function changedParts(is: string, should: string): string[] {
  const part = (text: string): Map<string, string> =>
    new Map(text.split(' ').map((piece) => [piece.split('=')[0] ?? '', piece.split('=')[1] ?? '']));
  const [before, after] = [part(is), part(should)];
  return [...after].filter(([name, value]) => before.get(name) !== value).map(([name]) => name);
}
