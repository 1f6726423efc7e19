/**
 * Memory of each server after 2,000 events and a minute of running, against the budget of the whole stack. Ends with exit code
 * 1 above it. `npm run bench:memory [events] [seconds] [workspace]`; without a workspace it brings a stack of its own up, and
 * down again.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { StatusResult } from '../src/cli/schemas.js';

const BUDGET_MIB = 1.4 * 1024;
const [events = '2000', seconds = '60', given] = process.argv.slice(2);
const forge = path.resolve(import.meta.dirname, '..', 'bin', 'run.js');
const workspace = given ?? mkdtempSync(path.join(tmpdir(), 'forge-bench-'));

function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [forge, ...args, '--json'], { cwd: workspace, encoding: 'utf8' });
  if (status !== 0) throw new Error(`forge ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

try {
  run('up', '--runtime', 'process');
  run('generate', 'events', '--count', events, '--seed', '7');
  await delay(Number(seconds) * 1000);
  const { healthy, components } = JSON.parse(run('status')) as StatusResult;
  if (!healthy) throw new Error('a server is not healthy');
  const mib = (bytes: number): number => bytes / 1024 ** 2;
  for (const { name, residentBytes } of components) console.log(`${name.padEnd(14)} ${mib(residentBytes).toFixed(0).padStart(5)} MiB`);
  const total = components.reduce((sum, { residentBytes }) => sum + mib(residentBytes), 0);
  console.log(
    `the stack takes ${total.toFixed(0)} MiB, ${(total / BUDGET_MIB).toFixed(2)} of its budget of ${BUDGET_MIB.toFixed(0)} MiB (${events} events)`,
  );
  if (!(total <= BUDGET_MIB)) process.exitCode = 1;
} finally {
  if (given === undefined) {
    spawnSync(process.execPath, [forge, 'down', '--yes'], { cwd: workspace });
    rmSync(workspace, { recursive: true, force: true });
  }
}
