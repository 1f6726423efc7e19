import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

/** What the wrapper of a server writes into its run file where there is no /proc. */
const asWritten = (pid: number): string =>
  execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' } })
    .trim()
    .replaceAll(/\s+/g, ' ');

describe('a process where only ps tells its start, on a machine in another time zone', () => {
  const { platform } = process;
  beforeEach(() => {
    vi.stubEnv('TZ', 'America/New_York');
    vi.resetModules();
    Object.defineProperty(process, 'platform', { value: 'darwin' });
  });
  afterEach(() => {
    Object.defineProperty(process, 'platform', { value: platform });
    vi.unstubAllEnvs();
  });

  it('is the one of its run file', async () => {
    const { isAlive, processTable } = await import('../../../src/runtimes/process/identify.js');
    const started = asWritten(process.pid);
    expect((await processTable()).get(process.pid)?.started).toBe(started);
    expect(await isAlive(process.pid, started)).toBe(true);
    expect(await isAlive(process.pid, 'Mon Jan 1 00:00:00 2001')).toBe(false);
  });
});
