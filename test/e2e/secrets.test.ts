import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EnvResult, ErrorResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import { sandbox, type Sandbox } from '../helpers/forge.js';
import { rows } from '../helpers/lake.js';
import {
  drawn,
  expectFiles,
  expectSilence,
  formsOf,
  foundIn,
  hard,
  inBothForms,
  watchProcessList,
  type CredentialFiles,
} from '../helpers/secrets.js';
import { changedOf, expectAgreement, messageOf, play } from '../helpers/sums.js';

const ONCE = { retry: 0 };
const UP = ['up', '--catalog', 'iceberg-rest'];

let box: Sandbox;
const inForge = (...parts: string[]): string => join(box.root, '.forge', ...parts);

/** As a person would, with an editor. */
function writeByHand(written: CredentialFiles): void {
  mkdirSync(inForge('credentials'), { recursive: true, mode: 0o700 });
  for (const [name, fields] of Object.entries(written))
    writeFileSync(inForge('credentials', `${name}.json`), JSON.stringify(fields), { mode: 0o600 });
}

const COMMANDS = [
  ['up', '--check'],
  ['status'],
  ['env'],
  ['env', '--shell', 'pyiceberg'],
  ['env', '--shell', 'psql'],
  ['urls'],
  ['generate', 'credentials'],
  ['generate', 'sql'],
  ['generate', 'sql', '--engine', 'risingwave'],
  ['verify'],
  ['logs', 'kafka'],
  ['doctor'],
  ['doctor', '--bundle', 'bundle.tar.gz'],
  ['catalog', 'reset', '--yes'],
  ['images', 'list'],
  ['connect'],
  ['version'],
];
/** Those that read credentials before they do anything else. */
const READERS = [
  ['up', '--check', '--json'],
  ['status'],
  ['env'],
  ['generate', 'sql', '--json'],
  ['verify'],
  ['doctor', '--bundle', 'bundle.tar.gz'],
];

describe('with nothing running', () => {
  beforeAll(async () => {
    box = await sandbox();
    mkdirSync(inForge(), { mode: 0o700 });
    // Ports on which nobody is; as an earlier `up` would have noted them.
    const names = [
      'kafka',
      'kafka-controller',
      'localstack',
      'postgresql',
      'catalog',
      'catalog-management',
      'flink',
      'flink-rpc',
      'flink-blob',
    ];
    const more = ['flink-taskmanager-rpc', 'flink-taskmanager-data', 'flink-sql-gateway', 'risingwave', 'k3d-api'];
    const ports = Object.fromEntries([...names, ...more].map((name, index) => [name, 29_870 + index]));
    const kept = { version: 1, stack: 'balloon-popper', runtime: 'process', engine: 'flink', catalog: 'iceberg-rest', ports };
    writeFileSync(inForge('stack.json'), JSON.stringify(kept), { mode: 0o600 });
    mkdirSync(inForge('logs'), { mode: 0o700 });
  });
  afterAll(() => box.remove());

  /** As a server of before may have quoted it; the log is forge's own to show. */
  const writeLog = (written: CredentialFiles): void =>
    writeFileSync(
      inForge('logs', 'kafka.log'),
      Object.values(written)
        .flatMap((fields) => Object.entries(fields).filter(([field]) => field !== 'username'))
        .map(
          ([field, value]) =>
            `[2026-11-21 12:00:00,000] ERROR ${field} was ${value}. And ${Buffer.from(`u:${value}`).toString('base64')}.\n`,
        )
        .join(''),
      { mode: 0o600 },
    );

  test('quotes, patterns, templates and shell words are masked in every command, and in a log that has them', ONCE, async () => {
    const written = drawn(hard, 1);
    writeByHand(written);
    const forms = formsOf(written);
    const codes = await expectSilence(box, written, COMMANDS.flatMap(inBothForms));
    expect(codes.get('env')).toBe(0);
    expect(codes.get('generate sql')).toBe(0);
    writeLog(written);
    const logs = await box.forge(['logs', 'kafka']);
    expect(logs.stdout.match(/was \*\*\*\./g)).toHaveLength(10);
    expect(foundIn(logs.stdout + logs.stderr, forms)).toEqual([]);
    execFileSync('rm', [inForge('logs', 'kafka.log')]);
  });

  test.each<{ name: string; value: (text: string) => string; says: RegExp }>([
    { name: 'a line break', value: (text) => `${text.slice(0, 8)}\n${text.slice(8)}`, says: /password has more than one line/ },
    { name: 'a letter that is none of ASCII', value: (text) => `${text}ü`, says: /password has other characters/ },
    { name: 'what Polaris would fill in', value: (text) => `${text}\${user.home}`, says: /password has a \$\{/ },
    { name: 'a length that would mask ordinary words', value: () => '~^9|', says: /password is shorter than 6/ },
  ])('$name is refused with the file and the reason, without the value', ONCE, async ({ value, says }) => {
    const written = drawn(hard.map(value), 2);
    writeByHand(written);
    const codes = await expectSilence(box, written, READERS);
    expect(codes.get('env')).toBe(2);
    const { error } = (await box.forge<ErrorResult>(['env', '--json'])).json;
    expect(error.code).toBe('CREDENTIAL_REFUSED');
    expect(error.message).toMatch(/\.forge\/credentials\/views\.json/);
    expect(error.message).toMatch(says);
  });
});

describe('with a stack', () => {
  beforeAll(async () => {
    box = await sandbox();
  });
  afterAll(() => box.remove());

  test('servers take what is hard to quote, from the first up on and when it is changed; nothing shows it', ONCE, async () => {
    let written = drawn(hard, 3);
    writeByHand(written);
    let forms = formsOf(written);
    let stop = watchProcessList(forms);
    const up = await box.forge<UpResult>([...UP, '--json']);
    expect(up.code, up.stdout).toBe(0);
    expect(foundIn(up.stdout + up.stderr, forms)).toEqual([]);
    await play(box, 300);
    await expectAgreement(box, 'hard credentials');
    expect(stop()).toEqual([]);
    const env = await box.ok<EnvResult>(['env']);
    expect([env.PGPASSWORD, env.AWS_SECRET_ACCESS_KEY]).toEqual([written['views']!['password'], written['aws']!['secretAccessKey']]);
    // Each in both forms: with nothing running.
    await expectSilence(
      box,
      written,
      COMMANDS.map((command, at) => inBothForms(command).at(-(at % 2))!),
    );

    const before = written;
    written = drawn(hard, 4);
    // The realm and RisingWave are of other choices.
    writeByHand(written);
    forms = new Map([...formsOf(before), ...formsOf(written)]);
    stop = watchProcessList(forms);
    const changed = await box.forge<UpResult>(['up', '--json']);
    expect(changed.code, changed.stdout).toBe(0);
    expect(messageOf(changed.json, 'views-role')).toMatch(/password/);
    expect(foundIn(changed.stdout + changed.stderr, forms)).toEqual([]);
    await play(box, 300);
    await expectAgreement(box, 'changed credentials');
    expect(await rows(await box.ok<EnvResult>(['env']), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(changedOf(await box.ok<UpResult>(['up']))).toEqual([]);
    const { legs } = await box.ok<VerifyResult>(['verify', '--probe']);
    expect(legs.filter(({ ok }) => !ok)).toEqual([]);
    expect(stop()).toEqual([]);
    expectFiles(box, forms);
    expect(statSync(inForge('generated', 'pipeline.sql')).mode & 0o777).toBe(0o600);
  });
});
