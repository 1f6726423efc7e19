// Sums the results of .ci/run: `NAME passed|failed` lines of the steps and vitest's JSON reports. Its last line is the sum.
import { readFileSync } from 'node:fs';

const [stepsFile, ...reports] = process.argv.slice(2);
let passed = 0;
let failed = 0;

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
    const names = suite.assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
    // A file that cannot be loaded, or whose set-up failed, has no failed test.
    if (suite.status === 'failed' && names.length === 0) {
      failed += 1;
      names.push(suite.message || 'the file failed as a whole');
    }
    for (const name of names) console.log(`FAILED  ${suite.name}: ${name.split('\n')[0]}`);
  }
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
