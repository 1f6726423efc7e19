import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { packageRoot } from '../../src/cli/paths.js';
import { k3dRuntime } from '../../src/lifecycle/runtimes/k3d.js';
import type { Observation } from '../../src/modules/contract.js';
import { modules } from '../../src/modules/index.js';
import type { StackContext } from '../../src/workspace/context.js';
import { openStack } from '../../src/workspace/open.js';
import { prepareWorkspace } from '../../src/workspace/workspace.js';
import { command } from './k3d-world-docker.js';

/** A workspace with a k3d cluster of its own, worked on by the modules alone: no servers are installed. */
export interface OwnCluster {
  root: string;
  stack: StackContext;
  name: string;
  node: string;
  /** Opens it anew, as the next run of forge would. */
  reopen(settings?: object): Promise<void>;
  observe(module?: string, args?: object): Promise<Observation>;
  /** Observes, applies where that is needed, and observes again; gives what was done. */
  up(options?: {
    module?: string;
    args?: object;
    orders?: StackContext['orders'];
    signal?: AbortSignal;
    progress?: (text: string) => void;
  }): Promise<string>;
  down(keepData?: boolean): Promise<string[]>;
  remove(): Promise<void>;
}

export async function ownClusterAt(label: string, settings: object = {}): Promise<OwnCluster> {
  const root = await mkdtemp(join(tmpdir(), 'forge-k3d-'));
  const name = `forge-${label}-${process.pid}`;
  // A dollar in a path is what k3d takes for a variable.
  const cacheDir = join(root, 'cache of $HOME');
  const open = async (more: object, allocate: boolean): Promise<StackContext> => {
    await writeFile(join(root, 'forge.yaml'), stringify({ k3d: { name }, ...settings, ...more }));
    const { stack } = await openStack({
      root,
      env: {},
      cacheDir,
      packageRoot: packageRoot(),
      flags: { runtime: 'k3d', engine: 'flink', catalog: 'iceberg-rest' },
      allocate: allocate ? { isOurs: () => false } : false,
    });
    return stack;
  };
  let stack = await open({}, true);
  const { ports } = stack;
  await prepareWorkspace(stack.workspace);
  const run = async (module: string, args: object, signal: AbortSignal, progress: (text: string) => void) => {
    const found = modules.get(module)!;
    return { found, parsed: found.schema.parse(args), context: { stack, signal, progress, waitingFor: () => undefined } };
  };
  const world: OwnCluster = {
    root,
    get stack() {
      return stack;
    },
    name,
    node: `k3d-${name}-server-0`,
    async reopen(more = {}) {
      const opened = await open(more, false);
      stack = { ...opened, ports: { ...ports, ...opened.config.ports } };
    },
    async observe(module = 'k3d.cluster', args = {}) {
      const { found, parsed, context } = await run(module, args, AbortSignal.timeout(120_000), () => undefined);
      return found.observe(parsed, context);
    },
    async up({ module = 'k3d.cluster', args = {}, orders, signal = AbortSignal.timeout(600_000), progress = () => undefined } = {}) {
      // The tasks of one run have the same.
      if (orders !== undefined) stack = { ...stack, orders };
      const { found, parsed, context } = await run(module, args, signal, progress);
      const seen = await found.observe(parsed, context);
      if (seen.state !== 'missing' && seen.state !== 'drifted') return seen.state;
      const done = await found.apply(parsed, seen, context);
      const after = await found.observe(parsed, context);
      if (after.state !== 'in-sync') throw new Error(`still ${JSON.stringify(after)} after: ${done}`);
      return done;
    },
    down: (keepData = false) => k3dRuntime.down(stack.workspace, { keepData, signal: AbortSignal.timeout(120_000), note: () => undefined }),
    async remove() {
      await world.down();
      await rm(root, { recursive: true, force: true });
    },
  };
  return world;
}

/** Pids of processes whose command line names this. */
export const processesWith = (text: string): number[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);

/** What Docker has with exactly these names. */
export async function inDocker(names: readonly string[]): Promise<string[]> {
  const lists = await Promise.all([
    command('docker', 'ps', '--all', '--format', '{{.Names}}'),
    command('docker', 'network', 'ls', '--format', '{{.Name}}'),
    command('docker', 'volume', 'ls', '--format', '{{.Name}}'),
  ]);
  return lists.flat().filter((name) => names.includes(name));
}
