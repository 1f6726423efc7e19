import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ComponentState } from '../../../src/components/status.js';
import { configSchema } from '../../../src/config/schema.js';
import { clockTroubles, skewSeconds } from '../../../src/doctor/checks/machine/clock.js';
import { diskTroubles, type DiskFacts } from '../../../src/doctor/checks/machine/disk.js';
import { inotifyTroubles, openFileTroubles } from '../../../src/doctor/checks/machine/limits.js';
import { memoryFacts } from '../../../src/doctor/checks/machine/memory-facts.js';
import { memoryTroubles } from '../../../src/doctor/checks/machine/memory.js';
import { proxyTroubles } from '../../../src/doctor/checks/machine/proxy.js';
import { scratch } from '../../helpers/folders.js';

const MIB = 1024 ** 2;

describe('disk', () => {
  const facts: DiskFacts = { folder: '/w', device: 1, freeBytes: 5000 * MIB, freeFiles: 1e6, readOnly: false };
  const told = (change: Partial<DiskFacts>): string[] =>
    diskTroubles('the workspace', { ...facts, ...change }).map(({ severity = 'error', title }) => `${severity} ${title}`);

  test.each<[Partial<DiskFacts>, string[]]>([
    [{}, []],
    [{ freeBytes: 1025 * MIB }, []],
    [{ freeBytes: 1000 * MIB }, ['warning The disk of the workspace is nearly full']],
    [{ freeBytes: 150 * MIB }, ['error The disk of the workspace is full']],
    [{ freeFiles: 100 }, ['error The disk of the workspace takes no more files']],
    [{ freeFiles: 5000 }, ['warning The disk of the workspace takes few more files']],
    // btrfs and others have no fixed number of files.
    [{ freeFiles: undefined }, []],
    [{ readOnly: true }, ['error The disk of the workspace can only be read']],
  ])('%j', (change, titles) => expect(told(change)).toEqual(titles));
});

describe('memory', () => {
  /** A machine as files. */
  function machine(files: Record<string, string>): string {
    const root = scratch();
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      writeFileSync(path.join(root, name), text);
    }
    return root;
  }
  const available = (files: Record<string, string>): number =>
    (memoryFacts(machine({ 'proc/meminfo': 'MemAvailable:    8192000 kB\nSwapFree:  0 kB\n', ...files }))?.availableBytes ?? NaN) / MIB;

  test('without a limit it is what the machine has', () => {
    expect(available({})).toBe(8000);
    expect(memoryFacts(machine({}))).toBeUndefined();
  });

  test('a limit of cgroup v2 counts, also that of a group above; pages of files are free', () => {
    const files = {
      'proc/self/cgroup': '0::/user.slice/forge.scope\n',
      'sys/fs/cgroup/user.slice/forge.scope/memory.max': 'max\n',
      'sys/fs/cgroup/user.slice/forge.scope/memory.current': '1048576\n',
      'sys/fs/cgroup/user.slice/memory.max': `${1000 * MIB}\n`,
      'sys/fs/cgroup/user.slice/memory.current': `${900 * MIB}\n`,
      'sys/fs/cgroup/user.slice/memory.stat': `anon 1\ninactive_file ${300 * MIB}\nactive_file ${100 * MIB}\n`,
    };
    expect(available(files)).toBe(500);
  });

  test('a container that does not see its own group sees the root, on v2 and on v1', () => {
    const v2 = { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/memory.max': `${512 * MIB}`, 'sys/fs/cgroup/memory.current': `${112 * MIB}` };
    expect(available(v2)).toBe(400);
    const v1 = {
      'proc/self/cgroup': '9:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': `${512 * MIB}`,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': `${512 * MIB}`,
      'sys/fs/cgroup/memory/memory.stat': `total_inactive_file ${200 * MIB}\n`,
    };
    expect(available(v1)).toBe(200);
    expect(available({ ...v1, 'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712' })).toBe(8000);
  });

  const stack = { config: configSchema.parse({}), runtime: 'process' as const };
  const states = (...running: string[]): ComponentState[] =>
    ['kafka', 'localstack', 'postgresql', 'iceberg-rest', 'flink'].map((name) => ({
      name,
      state: running.includes(name) ? 'running' : 'stopped',
      endpoint: '',
      residentBytes: 0,
    }));
  const all = ['kafka', 'localstack', 'postgresql', 'iceberg-rest', 'flink'];
  const told = (mebibytes: number, running: string[]): string[] =>
    memoryTroubles({ availableBytes: mebibytes * MIB, limitedBy: 'this machine' }, stack, states(...running)).map(
      ({ severity = 'error', title }) => `${severity} ${title}`,
    );

  test('servers that are still to be started need it; those that run need a last reserve', () => {
    const little = 'There is too little memory for the servers that do not run';
    expect(told(4000, [])).toEqual([]);
    expect(told(1000, [])).toEqual([`warning ${little}`]);
    expect(told(400, [])).toEqual([`error ${little}`]);
    expect(told(400, all)).toEqual([]);
    expect(told(50, all)).toEqual(['warning Memory is nearly used up']);
  });
});

describe('limits', () => {
  const files = (texts: Record<string, string>) => (file: string) => texts[file];

  test('open files of a process and of the machine', () => {
    const limits = (soft: number | string): string => `Limit  Soft  Hard  Units\nMax open files            ${soft}   4096   files\n`;
    expect(openFileTroubles(files({ '/proc/self/limits': limits(1024) }))).toEqual([]);
    expect(openFileTroubles(files({ '/proc/self/limits': limits('unlimited') }))).toEqual([]);
    expect(openFileTroubles(files({ '/proc/self/limits': limits(256) }))[0]?.cause).toMatch(/may have 256 open files/);
    expect(openFileTroubles(files({ '/proc/sys/fs/file-nr': '990\t0\t1000\n' }))[0]?.cause).toMatch(/990 of 1000/);
    expect(openFileTroubles(files({ '/proc/sys/fs/file-nr': '9900\t0\t9223372036854775807\n' }))).toEqual([]);
    expect(openFileTroubles(files({}))).toEqual([]);
  });

  test('inotify: what distributions have is enough', () => {
    const at = (instances: number, watches: number) =>
      inotifyTroubles(
        files({ '/proc/sys/fs/inotify/max_user_instances': `${instances}\n`, '/proc/sys/fs/inotify/max_user_watches': `${watches}\n` }),
      );
    expect(at(128, 8192)).toEqual([]);
    expect(at(64, 65536)[0]?.cause).toBe('fs.inotify.max_user_instances is 64; k3s needs at least 128');
    expect(inotifyTroubles(files({}))).toEqual([]);
  });
});

describe('clocks', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  test('whole seconds and the time of the request are no difference', () => {
    expect(skewSeconds(now - 900, now, now + 100)).toBe(0);
    expect(skewSeconds(now + 2000, now, now + 2500)).toBe(0);
    expect(skewSeconds(now - 61_000, now, now + 10)).toBe(-60);
    expect(skewSeconds(now + 60_000, now - 100, now)).toBe(60);
  });
  test('seconds are a warning, a quarter of an hour is an error', () => {
    const told = (skew: number): unknown[] => clockTroubles(skew).map(({ severity }) => severity);
    expect([told(4), told(-6), told(899), told(-900)]).toEqual([[], ['warning'], ['warning'], ['error']]);
    expect(clockTroubles(-3600)[0]?.cause).toMatch(/3600 s behind.*S3 refuses/);
  });
});

describe('proxies', () => {
  const proxy = { HTTP_PROXY: 'http://user:word@proxy.example:3128' };
  test.each([
    {},
    { HTTP_PROXY: '' },
    { HTTPS_PROXY: 'http://proxy.example:3128' },
    { ...proxy, NO_PROXY: 'localhost, 127.0.0.1' },
    { ...proxy, no_proxy: '*' },
    { ...proxy, NO_PROXY: '.example.com,127.0.0.0/8' },
  ])('%j is fine', (env) => expect(proxyTroubles(env)).toEqual([]));

  test.each([proxy, { ...proxy, NO_PROXY: 'localhost' }, { all_proxy: 'socks5://proxy:1', NO_PROXY: '10.0.0.0/8' }])('%j is not', (env) => {
    const [found] = proxyTroubles(env);
    expect(found?.remedy).toMatch(/^export NO_PROXY=\S*localhost,127\.0\.0\.1 /);
    expect(JSON.stringify(found)).not.toContain('user:word');
  });
});
