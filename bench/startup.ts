/**
 * Time of `forge --version` against a bare `node -e 0`, started in turn so that other load hits both alike.
 * Ends with exit code 1 when the ratio of the medians is above the limit. `npm run bench:startup [runs]`
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

const LIMIT = 2.5;
const runs = Number(process.argv[2] ?? 21);
const root = path.resolve(import.meta.dirname, '..');

const commands = {
  'node -e 0': ['-e', '0'],
  'forge --version': [path.join(root, 'bin', 'run.js'), '--version'],
  'forge version': [path.join(root, 'bin', 'run.js'), 'version'],
};
const names = Object.keys(commands) as (keyof typeof commands)[];
const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<keyof typeof commands, number[]>;

for (let run = 0; run <= runs; run++)
  for (const name of names) {
    const start = performance.now();
    const { status } = spawnSync(process.execPath, commands[name], { stdio: 'ignore' });
    if (status !== 0) throw new Error(`${name} ended with ${status}`);
    // The first round fills the caches of the file system.
    if (run > 0) times[name].push(performance.now() - start);
  }

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const base = median(times['node -e 0']);
for (const name of names)
  console.log(`${name.padEnd(16)} ${median(times[name]).toFixed(0).padStart(5)} ms  ratio ${(median(times[name]) / base).toFixed(2)}`);
const ratio = median(times['forge --version']) / base;
console.log(`forge --version takes ${ratio.toFixed(2)} times as long as bare node (limit ${LIMIT}, ${runs} runs each)`);
if (!(ratio <= LIMIT)) process.exitCode = 1;
