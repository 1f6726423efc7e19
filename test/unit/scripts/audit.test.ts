import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { scratch } from '../../helpers/folders.js';

/** Runs scripts/audit.mjs with an npm that says this. */
function audit(says: string, exit: number): { code: number | null; text: string } {
  const bin = scratch();
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\n[ "$*" = 'audit --omit=dev --json' ] || exit 9\ncat <<'END'\n${says}\nEND\nexit ${exit}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
  const PATH = `${bin}:${dirname(process.execPath)}:/usr/bin:/bin`;
  const { status, stdout } = spawnSync(process.execPath, [join(packageRoot(), 'scripts', 'audit.mjs')], {
    encoding: 'utf8',
    env: { PATH },
  });
  return { code: status, text: stdout };
}

const report = (counts: object): string =>
  JSON.stringify({ metadata: { vulnerabilities: counts }, vulnerabilities: { 'left-pad': { severity: 'high', range: '<2' } } });

it.each<[string, string, number, number, RegExp]>([
  ['nothing known', report({ high: 0, critical: 0, moderate: 2, low: 0 }), 1, 0, /moderate: 2/],
  ['a high one', report({ high: 1, critical: 0 }), 1, 1, /left-pad <2: high/],
  ['a critical one', report({ high: 0, critical: 1 }), 1, 1, /critical: 1/],
  [
    'a registry that takes no such question',
    JSON.stringify({ message: '405 Method Not Allowed', error: {} }),
    1,
    75,
    /could not be asked: 405/,
  ],
  ['no network', JSON.stringify({ error: { summary: 'request failed' } }), 1, 75, /could not be asked: request failed/],
  ['nothing at all', '', 0, 75, /could not be asked/],
])('%s', (_, says, exit, code, text) => {
  const ran = audit(says, exit);
  expect(ran.text).toMatch(text);
  expect(ran.code).toBe(code);
});
