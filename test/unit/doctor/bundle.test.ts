import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { beforeEach, describe, expect, test } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { scrub } from '../../../src/doctor/bundle-secrets.js';
import { writeBundle } from '../../../src/lifecycle/bundle.js';
import { prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { modeOf, scratch, withUmask } from '../../helpers/folders.js';

let workspace: Workspace;
let file: string;
beforeEach(async () => {
  workspace = workspaceAt(scratch());
  file = path.join(scratch(), 'forge.tar.gz');
  await prepareWorkspace(workspace);
});

const write = (name: string, text: string): void => {
  const to = path.join(workspace.root, name);
  mkdirSync(path.dirname(to), { recursive: true });
  writeFileSync(to, text, { mode: 0o600 });
};
const pack = () =>
  writeBundle({
    folder: workspace.root,
    cacheDir: path.join(workspace.root, 'cache'),
    packageRoot: packageRoot(),
    flags: { runtime: 'process', catalog: 'iceberg-rest' },
    file,
    version: '1.2.3',
    findings: { healthy: true },
    signal: new AbortController().signal,
  });
async function content(): Promise<Record<string, string>> {
  const entries = await unpackTar(gunzipSync(readFileSync(file)));
  expect(entries.every(({ header }) => header.mode === 0o600)).toBe(true);
  return Object.fromEntries(entries.map(({ header, data }) => [header.name.replace(/^forge\//, ''), new TextDecoder().decode(data)]));
}

const SECRETS = { aws: 'Quote\'s"and\\n0t', views: 'pl4in-Views-Secret', postgresql: 'a.b*c(d)[e]+f', 'catalog-db': 'with blanks & $igns' };
function credentials(): void {
  for (const [name, secret] of Object.entries(SECRETS))
    write(`.forge/credentials/${name}.json`, JSON.stringify({ username: name, password: secret }));
}

describe('what is in it', () => {
  test('settings, generated files and logs, all masked in every form; no file with credentials', async () => {
    credentials();
    write('.forge/kubeconfig', 'users:\n- user:\n    client-key-data: a2V5LW9mLXRoZS1jbHVzdGVyLWFkbWlu\n');
    write('forge.yaml', 'topic: { name: games }\n');
    const forms = Object.values(SECRETS).flatMap((secret) => [
      secret,
      Buffer.from(secret).toString('base64'),
      JSON.stringify(secret),
      encodeURIComponent(secret),
      `'${secret.replaceAll("'", "''")}'`,
      Buffer.from(`user:${secret}`).toString('base64'),
    ]);
    write('.forge/generated/flink/pipeline.sql', forms.join('\n'));
    write('.forge/logs/kafka.log', `started\n${forms.join(' and ')}\nkey a2V5LW9mLXRoZS1jbHVzdGVyLWFkbWlu\n`);
    expect(await pack()).toEqual({ file, bytes: readFileSync(file).length });
    const parts = await content();
    expect(Object.keys(parts)).toEqual(
      expect.arrayContaining([
        'README.txt',
        'doctor.json',
        'machine.json',
        'forge.yaml',
        'generated/flink/pipeline.sql',
        'logs/kafka.log',
        'status.json',
      ]),
    );
    expect(parts['forge.yaml']).toBe('topic: { name: games }\n');
    expect(parts['logs/kafka.log']).toMatch(/^started\n/);
    expect(JSON.parse(parts['status.json']!)).toMatchObject({ healthy: false });
    expect(Object.keys(parts).filter((name) => /credentials\/|kubeconfig/.test(name))).toEqual([]);
    const all = Object.values(parts).join('\n');
    for (const secret of [...forms, 'a2V5LW9mLXRoZS1jbHVzdGVyLWFkbWlu']) expect(all).not.toContain(secret);
  });

  test('only the end of a long log, and never half a line of it', async () => {
    credentials();
    write('.forge/logs/flink.log', Array.from({ length: 40_000 }, (_, index) => `line ${index} ${'x'.repeat(20)}\n`).join(''));
    await pack();
    const lines = (await content())['logs/flink.log']!.trimEnd().split('\n');
    expect(lines[0]).toMatch(/bytes before this are left out/);
    expect(lines[1]).toMatch(/^line \d+ x{20}$/);
    expect(lines.at(-1)).toMatch(/^line 39999 /);
    expect(lines.join('\n').length).toBeLessThan(300 * 1024);
  });

  test('a link among them is not followed', async () => {
    credentials();
    const outside = path.join(scratch(), 'diary');
    writeFileSync(outside, 'dear diary');
    symlinkSync(outside, path.join(workspace.logs, 'kafka.log'));
    await pack();
    expect(JSON.stringify(await content())).not.toContain('dear diary');
  });
});

describe('whatever state the workspace is in', () => {
  test.each([
    ['half a credential', () => write('.forge/credentials/views.json', '{"password": "pl4in-Views'), /not a JSON object/],
    ['a credential that is gone', () => rmSync(path.join(workspace.credentials, 'views.json')), /views is missing/],
  ])('%s: what could hold it is left out, and that is said', async (_name, damage, why) => {
    credentials();
    damage();
    write('.forge/generated/pipeline.sql', `x ${SECRETS.views} y`);
    write('.forge/logs/kafka.log', `x ${SECRETS.views} y`);
    await pack();
    const parts = await content();
    expect(JSON.stringify(parts)).not.toContain('pl4in-Views');
    expect(Object.keys(parts).filter((name) => /^(generated|logs)/.test(name))).toEqual([]);
    expect(parts['README.txt']).toMatch(why);
  });

  test.each([
    ['forge.yaml', 'kafak: {}\n', /unknown key/],
    ['.forge/stack.json', '{"version"', /is not JSON/],
  ])('%s that is damaged is in it, with the reason why nothing else could be seen', async (name, text, why) => {
    credentials();
    write(name, text);
    await pack();
    const parts = await content();
    expect(parts[path.basename(name)]).toBe(text);
    expect(parts['stack.could-not-be-opened.txt']).toMatch(why);
  });

  test('a stack that there is not: what its credentials would mask is left out', async () => {
    credentials();
    write('forge.yaml', 'stack: nope\n');
    write('.forge/logs/kafka.log', 'x\n');
    write('.forge/generated/pipeline.sql', 'x\n');
    await pack();
    const parts = await content();
    expect(Object.keys(parts).filter((name) => /^(generated|logs)/.test(name))).toEqual([]);
    expect([parts['forge.yaml'], parts['README.txt']]).toEqual(['stack: nope\n', expect.stringMatching(/There is no stack "nope"/)]);
    expect(parts['status.json']).toBeDefined();
  });

  test('an empty folder', async () => {
    rmSync(workspace.forgeDir, { recursive: true });
    await pack();
    expect(Object.keys(await content())).toEqual(expect.arrayContaining(['README.txt', 'machine.json']));
    expect(existsSync(workspace.forgeDir)).toBe(false);
  });
});

describe('the file', () => {
  test('is for its owner alone under any umask, and nothing is left beside it', async () => {
    await withUmask(0, pack);
    expect(modeOf(file)).toBe('0600');
    expect(readdirSync(path.dirname(file))).toEqual(['forge.tar.gz']);
  });

  test('is never overwritten', async () => {
    writeFileSync(file, 'mine');
    await expect(pack()).rejects.toMatchObject({ code: 'FILE_EXISTS', exitCode: 2 });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('needs a folder that is there', async () => {
    file = path.join(file, 'below', 'forge.tar.gz');
    await expect(pack()).rejects.toMatchObject({ code: 'FOLDER_MISSING', exitCode: 2 });
  });
});

describe('what looks like a secret is masked too', () => {
  test.each([
    ["  'password' = 'of-before',", "  'password' = '***',"],
    ['s3.secret-access-key: AbCdEf123', 's3.secret-access-key: ***'],
    ['"clientSecret": "AbCdEf123"', '"clientSecret": "***"'],
    ['https://me:word@registry.example/x', 'https://***@registry.example/x'],
    ['{"body":"{\\"password\\":\\"of-before\\",\\"user\\":\\"me\\"}"}', '{"body":"{\\"password\\":\\"***\\",\\"user\\":\\"me\\"}"}'],
    ['\\\\\\"clientSecret\\\\\\": \\\\\\"AbC def;12\\\\\\"}', '\\\\\\"clientSecret\\\\\\": \\\\\\"***\\\\\\"}'],
    ["password = 'with blanks, and a comma', user = 'me'", "password = '***', user = 'me'"],
    ["'password' = 'of''before',", "'password' = '***',"],
    ['{"password":"of\\"before","user":"me"}', '{"password":"***","user":"me"}'],
    [`"password": "", "user": "me"`, `"password": "", "user": "me"`],
    ['"password": "cut off at the end\nand more', '"password": "***\nand more'],
    ['Authorization: Bearer eyJhbGciOi.J9', 'Authorization: Bearer ***'],
    ["-H 'authorization: basic dXNlcjpw'", "-H 'authorization: basic ***'"],
    ['{"headers":"{\\"Authorization\\":\\"Bearer abc.def\\"}"}', '{"headers":"{\\"Authorization\\":\\"Bearer ***\\"}"}'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----', '***'],
  ])('%s', (text, masked) => expect(scrub(text)).toBe(masked));

  test.each(['pekko.tcp://flink@127.0.0.1:16137/user', 'password: ${PASSWORD}', 'the password of views was changed', 'tokens: 4 of 5'])(
    '%s stays',
    (text) => expect(scrub(text)).toBe(text),
  );
});
