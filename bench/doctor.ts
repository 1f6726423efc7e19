/**
 * Time of the whole `forge doctor` on a healthy stack, against a bare node that asks each server of it once, in turn so that
 * other load hits both alike. Every run has to find nothing. Exit code 1 when the median is above the limit.
 * `npm run bench:doctor [runs] [process|k3d] [workspace]`; without a workspace it brings a stack of its own up, and down again.
 */
import { forge, median, withStack } from './running-stack.js';

const LIMIT_SECONDS = { process: 1.5, k3d: 3 };
const [runsText = '20', runtime = 'process', given] = process.argv.slice(2);
const runs = Number(runsText);
if (runtime !== 'process' && runtime !== 'k3d') throw new Error(`the runtime is process or k3d, not ${runtime}`);

withStack(['--runtime', runtime, '--engine', 'flink', '--catalog', 'iceberg-rest'], given, ({ run, baseline }) => {
  const [bare, doctor]: [number[], number[]] = [[], []];
  for (let at = 0; at < runs; at++) {
    bare.push(run(baseline).seconds);
    const { seconds, stdout } = run([forge, 'doctor', '--json'], [0, 5]);
    const { findings, couldNotRun } = JSON.parse(stdout) as { findings: unknown[]; couldNotRun: unknown[] };
    if (findings.length + couldNotRun.length > 0) throw new Error(`this stack is not healthy: ${stdout}`);
    doctor.push(seconds);
  }
  const [base, own] = [median(bare), median(doctor)];
  const limit = LIMIT_SECONDS[runtime];
  console.log(`a request to each server ${base.toFixed(2)} s`);
  console.log(`forge doctor             ${own.toFixed(2)} s  ratio ${(own / base).toFixed(1)}`);
  console.log(
    `forge doctor takes ${own.toFixed(2)} s on ${runtime} (limit ${limit} s, best ${Math.min(...doctor).toFixed(2)} s, ${runs} runs)`,
  );
  if (!(own <= limit)) process.exitCode = 1;
});
