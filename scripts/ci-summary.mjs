// Sums the results of .ci/run: `NAME passed|failed` lines of the steps and vitest's JSON reports. Its last line is the sum.
import { readFileSync } from 'node:fs';

const [stepsFile, ...reports] = process.argv.slice(2);
let passed = 0;
let failed = 0;

/** The first lines of a message, for those who see the end of the log only. */
function reason(message = '') {
  const lines = message.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  return lines
    .slice(0, 6)
    .map((line) => `\n        ${line.slice(0, 300)}`)
    .join('');
}

for (const line of readFileSync(stepsFile, 'utf8').split('\n').filter(Boolean)) {
  const ok = line.endsWith(' passed');
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? 'passed' : 'FAILED'}  ${line.replace(/ (passed|failed)$/, '')}`);
}

for (const file of reports) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    console.log(`FAILED  ${file}: the suite ended without a report`);
    failed += 1;
    continue;
  }
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  for (const suite of report.testResults) {
    const names = suite.assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages = [] }) => `${fullName.split('\n')[0]}${reason(failureMessages[0])}`);
    // A file that cannot be loaded, or whose set-up failed, has no failed test.
    if (suite.status === 'failed' && names.length === 0) {
      failed += 1;
      names.push(`the file failed as a whole${reason(suite.message)}`);
    }
    for (const name of names) console.log(`FAILED  ${suite.name}: ${name}`);
  }
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
