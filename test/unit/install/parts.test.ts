import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../../src/clients/wait.js';
import { loadPackages } from '../../../src/runtimes/process/install/definition.js';
import { withLease } from '../../../src/runtimes/process/install/lease.js';
import { errorLines, mavenBytes, pipBytes } from '../../../src/runtimes/process/install/output.js';
import { bootId, processStartTime } from '../../../src/workspace/identity.js';
import { scratch } from '../../helpers/folders.js';

const signal = new AbortController().signal;
const folder = (): string => path.join(scratch(), 'lock');

describe('withLease', () => {
  test('lets one in at a time, and leaves no file', async () => {
    const lock = folder();
    let inside = 0;
    const most: number[] = [];
    const enter = (): Promise<void> =>
      withLease(lock, { signal, onWait: () => undefined }, async () => {
        most.push(++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      });
    await Promise.all(Array.from({ length: 8 }, enter));
    expect(most).toEqual(Array.from({ length: 8 }, () => 1));
    expect(readdirSync(lock)).toEqual([]);
  });

  test('takes over from the dead, also when their number belongs to another process now or the machine was started again', async () => {
    const lock = folder();
    mkdirSync(lock);
    const boot = bootId().replaceAll(/[^\w]/g, '');
    const mine = (processStartTime(process.pid) ?? '').replaceAll(/[^\w]/g, '');
    writeFileSync(path.join(lock, `1-999999-5-${boot}-aa`), '');
    writeFileSync(path.join(lock, `draw-${process.pid}-5-${boot}-bb`), '');
    writeFileSync(path.join(lock, `2-${process.pid}-${mine}-anotherboot-cc`), '');
    expect(await withLease(lock, { signal, onWait: () => undefined }, async () => readdirSync(lock).length)).toBe(1);
  });

  test('waits for the living, names them, and stops waiting when aborted', async () => {
    const lock = folder();
    mkdirSync(lock);
    const id = [process.pid, processStartTime(process.pid), bootId()].map((part) => String(part).replaceAll(/[^\w]/g, '')).join('-');
    writeFileSync(path.join(lock, `1-${id}-aa`), '');
    const abort = new AbortController();
    const seen: number[] = [];
    const waiting = withLease(lock, { signal: abort.signal, onWait: (pid) => seen.push(pid) }, async () => 'never');
    waiting.catch(() => undefined);
    await waitUntil(async () => seen.length > 0, { what: 'the wait', timeoutMs: 5000 });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(seen[0]).toBe(process.pid);
    expect(readdirSync(lock)).toEqual([`1-${id}-aa`]);
  });
});

describe('output of the package managers', () => {
  test.each([
    ['[INFO] Downloaded from central: https://example.org/a/b-1.0.jar (7.4 MB at 5.8 MB/s)', 7_400_000],
    ['[INFO] Downloaded from my-mirror: https://example.org/a/b-1.0.pom (35 kB at 45 kB/s)', 35_000],
    ['Downloaded from central: https://example.org/a/b-1.0.pom (512 B at 4 kB/s)', 512],
    ['[INFO] Downloading from central: https://example.org/a/b-1.0.jar', 0],
  ])('mvn: %s', (line, bytes) => expect(mavenBytes(line)).toBe(bytes));

  test.each([
    ['  Downloading moto_ext-5.1.54-py3-none-any.whl (6.8 MB)', 6_800_000],
    ['  Using cached click-8.5.1-py3-none-any.whl (126 kB)', 126_000],
    ['  Downloading x-1-py3-none-any.whl.metadata (1.5 kB)', 1500],
    ['  Downloading tiny-1-py3-none-any.whl (802 bytes)', 802],
    ['Collecting click==8.5.1', 0],
  ])('pip: %s', (line, bytes) => expect(pipBytes(line)).toBe(bytes));

  test('the lines that matter, without advice and repetition', () => {
    expect(errorLines('[INFO] a\n[ERROR] broken\n[ERROR] \n[ERROR] broken\n[ERROR] [Help 1] http://x\n[ERROR] Re-run Maven using -X')).toBe(
      '[ERROR] broken',
    );
    expect(errorLines('[ERROR] Unknown host example.org -> [Help 1]\n[ERROR] [Help 1] http://x')).toBe('[ERROR] Unknown host example.org');
    expect(errorLines(`npm error code ECONNREFUSED\n${'npm error detail\n'.repeat(9)}`)).toBe(
      'npm error code ECONNREFUSED\nnpm error detail',
    );
    expect(errorLines('no such host\n\nbye\n')).toBe('no such host\nbye');
  });
});

describe('packages.yaml', () => {
  test('is valid, and every Python package is pinned once', async () => {
    const packages = await loadPackages(path.resolve('.'));
    expect([...packages.sets.keys()].sort()).toEqual(['flink', 'flink-connectors', 'iceberg-rest', 'kafka', 'localstack', 'postgresql']);
    const localstack = packages.sets.get('localstack')!.definition;
    const names = localstack.kind === 'pip' ? localstack.requirements.map((line) => line.split('==')[0]!.toLowerCase()) : [];
    expect(names).toContain('localstack-core');
    expect(new Set(names).size).toBe(names.length);
  });

  test('a mistake in it names its place', async () => {
    const root = scratch();
    writeFileSync(
      path.join(root, 'packages.yaml'),
      'mavenDependencyPlugin: "1"\njava: {}\nsets: {a: {kind: pip, title: A, version: "1", downloadMB: 1, diskMB: 1, requirements: ["x>=1"]}}\n',
    );
    await expect(loadPackages(root)).rejects.toThrow(/expected name==version[^]*sets\.a\.requirements\[0\]/);
  });
});
