// Asks npm's advisories about what users of forge install. Exit code 0: nothing of level high or above is known;
// 1: something is; 75 (try again later): nobody could be asked, which proves nothing.
import { spawnSync } from 'node:child_process';

const { stdout = '', error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  encoding: 'utf8',
  timeout: 60_000,
  maxBuffer: 1 << 26,
  stdio: ['ignore', 'pipe', 'ignore'],
});
const report = parsed(stdout);
const counts = report?.metadata?.vulnerabilities;
if (counts === undefined) {
  console.log(
    `npm's advisories could not be asked: ${error?.message ?? report?.message ?? report?.error?.summary ?? 'npm gave no report'}`,
  );
  process.exit(75);
}
const { high = 0, critical = 0, moderate = 0, low = 0 } = counts;
console.log(`critical: ${critical}, high: ${high}, moderate: ${moderate}, low: ${low}`);
for (const [name, { severity, range }] of Object.entries(report.vulnerabilities ?? {}))
  if (['high', 'critical'].includes(severity)) console.log(`  ${name} ${range}: ${severity}`);
process.exit(high + critical > 0 ? 1 : 0);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
