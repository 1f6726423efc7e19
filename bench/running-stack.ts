import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

export const forge = path.resolve(import.meta.dirname, '..', 'bin', 'run.js');

/** A stack that is up while `use` runs: the one of a folder that was given, or one of its own, taken down at the end. */
export function withStack(up: string[], given: string | undefined, use: (stack: RunningStack) => void): void {
  const workspace = given ?? mkdtempSync(path.join(tmpdir(), 'forge-bench-'));
  const run: RunningStack['run'] = (args, codes = [0]) => {
    const start = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: workspace, encoding: 'utf8', maxBuffer: 1 << 26 });
    if (!codes.includes(status ?? -1)) throw new Error(`node ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
    return { seconds: (performance.now() - start) / 1000, stdout };
  };
  try {
    run([forge, 'up', ...up, '--json']);
    awaitQuiet();
    use({ run, baseline: askEachServer(workspace) });
  } finally {
    if (given === undefined) {
      spawnSync(process.execPath, [forge, 'down', '--yes'], { cwd: workspace });
      rmSync(workspace, { recursive: true, force: true });
    }
  }
}

/** Of all cores, over a second; the servers of a stack that has settled use less. */
const QUIET_SHARE = 0.25;
const SETTLES_SECONDS = 180;

/**
 * Waits until the machine is quiet: for a minute or two after their start Java servers compile what they run, and whatever is
 * measured meanwhile is measured against that. Says so and goes on where it never is.
 */
export function awaitQuiet(): void {
  const start = performance.now();
  const spent = (): { busy: number; all: number } =>
    cpus().reduce(
      ({ busy, all }, { times }) => {
        const total = Object.values(times).reduce((sum, one) => sum + one, 0);
        return { busy: busy + total - times.idle, all: all + total };
      },
      { busy: 0, all: 0 },
    );
  const shares: number[] = [];
  while (performance.now() - start < SETTLES_SECONDS * 1000) {
    const before = spent();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    const after = spent();
    shares.push((after.busy - before.busy) / Math.max(1, after.all - before.all));
    if (shares.length >= 5 && shares.slice(-5).every((share) => share < QUIET_SHARE)) return;
  }
  console.log(`the machine was never quiet within ${SETTLES_SECONDS} s: what follows was measured against other load`);
}

export interface RunningStack {
  /** Runs node with these arguments in the stack's folder. */
  run(args: string[], codes?: number[]): { seconds: number; stdout: string };
  /** Arguments for a bare node that asks each server once. */
  baseline: string[];
}

/** What the servers themselves need to say that they are there. */
function askEachServer(workspace: string): string[] {
  const stack = readFileSync(path.join(workspace, '.forge', 'stack.json'), 'utf8');
  const { ports } = JSON.parse(stack) as { ports: Record<string, number> };
  const pages = [`${ports['flink']}/overview`, `${ports['catalog']}/v1/config`, `${ports['localstack']}/_localstack/health`];
  const script = `
    const { connect } = require('node:net');
    const open = (port) => new Promise((done, fail) => { const s = connect(port, '127.0.0.1', () => { s.destroy(); done(); }).once('error', fail); });
    const ask = (page) => fetch('http://127.0.0.1:' + page).then((answer) => answer.text());
    Promise.all([...${JSON.stringify(pages)}.map(ask), ...${JSON.stringify([ports['kafka'], ports['postgresql']])}.map(open)]);`;
  return ['-e', script];
}

export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
