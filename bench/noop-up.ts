/**
 * Time of `forge up` when nothing is to be done, against a bare node that asks each server of the same stack once, in turn so
 * that other load hits both alike. Ends with exit code 1 when the median is above the limit.
 * `npm run bench:noop-up [runs] [workspace]`; without a workspace it brings a stack of its own up, and down again.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

const LIMIT_SECONDS = 2;
const [runsText = '7', given] = process.argv.slice(2);
const runs = Number(runsText);
const forge = path.resolve(import.meta.dirname, '..', 'bin', 'run.js');
const workspace = given ?? mkdtempSync(path.join(tmpdir(), 'forge-bench-'));

function run(args: string[]): { seconds: number; stdout: string } {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: workspace, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`node ${args[0]} ended with ${status}\n${stdout}\n${stderr}`);
  return { seconds: (performance.now() - start) / 1000, stdout };
}

/** What the servers themselves need to say that they are there. */
function baseline(): string[] {
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

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

try {
  run([forge, 'up', '--json']);
  const [bare, up]: [number[], number[]] = [[], []];
  for (let at = 0; at < runs; at++) {
    bare.push(run(baseline()).seconds);
    const { seconds, stdout } = run([forge, 'up', '--json']);
    const { changed } = JSON.parse(stdout) as { changed: number };
    if (changed !== 0) throw new Error(`this up changed ${changed} tasks`);
    up.push(seconds);
  }
  const [base, own] = [median(bare), median(up)];
  console.log(`a request to each server ${base.toFixed(2)} s`);
  console.log(`no-op forge up           ${own.toFixed(2)} s  ratio ${(own / base).toFixed(1)}`);
  console.log(
    `no-op forge up takes ${own.toFixed(2)} s (limit ${LIMIT_SECONDS} s, best ${Math.min(...up).toFixed(2)} s, ${runs} runs each)`,
  );
  if (!(own <= LIMIT_SECONDS)) process.exitCode = 1;
} finally {
  if (given === undefined) {
    spawnSync(process.execPath, [forge, 'down', '--yes'], { cwd: workspace });
    rmSync(workspace, { recursive: true, force: true });
  }
}
