import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { EnvResult, StatusResult, UpResult } from '../../src/cli/schemas.js';
import { waitUntil } from '../../src/clients/wait.js';
import { runForge } from '../helpers/forge.js';
import { expectShape } from '../helpers/schemas.js';

const root = inject('workspaceRoot');
const forge = <T>(...args: string[]) => runForge<T>(args, root);
let elsewhere: string;

beforeAll(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), 'forge-json-'));
  expect((await forge('up', '--json')).code).toBe(0);
});
afterAll(() => rm(elsewhere, { recursive: true, force: true }));

describe('--json: one document of the documented shape', () => {
  test('up, when nothing is to do', async () => {
    const { code, json } = await forge<UpResult>('up', '--json');
    expect(code).toBe(0);
    expectShape('up', json);
    expect(json.changed).toBe(0);
    expect(json.tasks.length).toBe(json.ok + json.changed + json.skipped + json.failed);
    expect(Object.keys(json.endpoints)).toEqual(expect.arrayContaining(['kafka', 'catalog', 'flink', 'localstack', 'postgresql']));
  });

  test('status', async () => {
    const { code, json } = await forge<StatusResult>('status', '--json');
    expect(code).toBe(0);
    expectShape('status', json);
    expect(json.healthy).toBe(true);
  });

  test('env: the same values in every form', async () => {
    const { code, json, stderr } = await forge<EnvResult>('env', '--json');
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expectShape('env', json);
    expect((await forge<EnvResult>('env', '--shell', 'json')).json).toEqual(json);
    expect((await forge('env')).stdout).toContain(`export PGPASSWORD='${json.PGPASSWORD}'`);
  });

  test('version', async () => {
    expectShape('version', (await forge('version', '--json')).json);
  });

  test.each([
    [2, ['logs', 'no-such-component']],
    [2, ['up', '--catalog', 'no-such-catalog']],
    [2, ['generate', 'events', '--rate', '-1']],
    [2, ['no-such-command']],
    [4, ['generate', 'events', '--count', '1', '--bootstrap-servers', '127.0.0.1:1']],
    [4, ['generate', 'events', '--count', '1']],
  ])('errors, exit %i: forge %j', async (code, args) => {
    // In another folder, where no stack is.
    const where = args.length === 4 && args[1] === 'events' && args[2] === '--count' ? elsewhere : root;
    const ran = await runForge<{ error: { code: string } }>([...args, '--json'], where);
    expect(ran.code).toBe(code);
    expectShape('error', ran.json);
    const plain = await runForge(args, where);
    expect(plain.code).toBe(code);
    expect(plain.stdout).toBe('');
  });
});

describe('logs', () => {
  test('every component and every process of it has a log', async () => {
    const { json } = await forge<StatusResult>('status', '--json');
    for (const { name } of json.components) {
      const ran = await forge<{ component: string; lines: { process: string; line: string }[] }>('logs', name, '-n', '5', '--json');
      expect(ran.code, name).toBe(0);
      expect(ran.json.component).toBe(name);
      expect(ran.json.lines.length, name).toBeGreaterThan(0);
    }
    const { lines } = (await forge<{ lines: { process: string }[] }>('logs', 'flink', '-n', '3', '--json')).json;
    expect(new Set(lines.map(({ process }) => process))).toEqual(new Set(['flink-jobmanager', 'flink-taskmanager', 'flink-sql-gateway']));
    const plain = await forge('logs', 'flink-taskmanager', '-n', '3');
    expect(plain.stdout.trim().split('\n')).toHaveLength(3);
  });

  test('--since leaves out what is older', async () => {
    type Lines = { lines: { line: string }[] };
    const future = await forge<Lines>('logs', 'flink', '--since', '2100-01-01T00:00:00Z', '--json');
    expect([future.code, future.json.lines]).toEqual([0, []]);
    const all = (await forge<Lines>('logs', 'flink-jobmanager', '--since', '2020-01-01', '--json')).json.lines;
    expect(all.length).toBeGreaterThan(20);
    const recent = (await forge<Lines>('logs', 'flink-jobmanager', '--since', '1s', '--json')).json.lines;
    expect(recent.length).toBeLessThan(all.length);
    expect((await forge('logs', 'flink', '--since', 'tomorrow-ish')).code).toBe(2);
  });

  test('-f goes on over a rotation, with secrets masked, until Ctrl-C', async () => {
    // The gateway does not run now, so that nobody else writes this file.
    const file = join(root, '.forge', 'logs', 'flink-sql-gateway.log');
    const before = await readFile(file);
    const secret = (await forge<EnvResult>('env', '--json')).json.PGPASSWORD;
    let seen = '';
    let interrupt = (): void => {};
    const following = runForge(['logs', 'flink-sql-gateway', '-f', '-n', '1'], root, {
      onStart: (child) => (interrupt = () => void child.kill('SIGINT')),
      onStdout: (text) => (seen += text),
    });
    const shows = (text: string): Promise<true> => waitUntil(async () => seen.includes(text), { what: text, timeoutMs: 20_000 });
    try {
      await waitUntil(async () => seen !== '', { what: 'the last line', timeoutMs: 20_000 });
      await appendFile(file, `first of the test\nthe password is ${secret}\n`);
      await shows('the password is ***');
      await rename(file, `${file}.test`);
      await writeFile(file, 'after the rotation\n', { mode: 0o600 });
      await shows('after the rotation');
    } finally {
      interrupt();
      await rm(`${file}.test`, { force: true });
      await writeFile(file, before);
    }
    expect(seen).not.toContain(secret);
    expect(seen.match(/first of the test/g)).toHaveLength(1);
    expect((await following).code).toBe(130);
  });
});
