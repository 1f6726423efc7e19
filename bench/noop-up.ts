/**
 * Time of `forge up` when nothing is to be done, against a bare node that asks each server of the same stack once, in turn so
 * that other load hits both alike. Ends with exit code 1 when the median is above the limit.
 * `npm run bench:noop-up [runs] [workspace]`; without a workspace it brings a stack of its own up, and down again.
 */
import { forge, median, withStack } from './running-stack.js';

const LIMIT_SECONDS = 2;
const [runsText = '7', given] = process.argv.slice(2);
const runs = Number(runsText);
const UP = ['--runtime', 'process'];

withStack(UP, given, ({ run, baseline }) => {
  const [bare, up]: [number[], number[]] = [[], []];
  for (let at = 0; at < runs; at++) {
    bare.push(run(baseline).seconds);
    const { seconds, stdout } = run([forge, 'up', ...UP, '--json']);
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
});
