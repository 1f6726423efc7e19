import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootId, isAlive, processStartTime } from '../../../src/workspace/identity.js';
import { acquireLock, type Holder } from '../../../src/workspace/lock.js';
import { workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

let workspace: Workspace;
let file: string;
beforeEach(() => {
  workspace = workspaceAt(scratch());
  mkdirSync(workspace.forgeDir);
  file = path.join(workspace.forgeDir, 'lock');
});

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Another process that tries to take the lock; its answer, and itself. */
async function other(command: string): Promise<{ answer: string; child: ChildProcess }> {
  const script = fileURLToPath(new URL('lock-holder.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, workspace.root, command], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [answer] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { answer, child };
}

const held = (): Holder => JSON.parse(readFileSync(file, 'utf8')) as Holder;
const self = (): Holder => ({
  pid: process.pid,
  startTime: processStartTime(process.pid)!,
  bootId: bootId(),
  host: 'this',
  command: 'up',
  since: '2026-11-21T12:00:00.000Z',
  token: 'crafted',
});
const craft = (changes: Partial<Holder>): void => writeFileSync(file, JSON.stringify({ ...self(), ...changes }));

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid!;
}

describe('acquireLock', { timeout: 60_000 }, () => {
  it('is held by one, says by whom, and is free again after release', async () => {
    const lock = await acquireLock(workspace, 'up --events 30s');
    const error: unknown = await acquireLock(workspace, 'down').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'WORKSPACE_LOCKED', exitCode: 3 });
    const { message, hint } = error as { message: string; hint: string };
    for (const part of ['forge up --events 30s', `pid ${process.pid}`, held().since]) expect(message).toContain(part);
    expect(hint).toContain(`kill ${process.pid}`);
    lock.release();
    expect(readdirSync(workspace.forgeDir)).toEqual([]);
    (await acquireLock(workspace, 'down')).release();
  });

  it('is refused to another process, and taken over when its holder was killed', async () => {
    const first = await other('up');
    expect(first.answer).toBe('taken');
    expect((await other('down')).answer).toBe('refused WORKSPACE_LOCKED');
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const second = await other('down');
    expect(second.answer).toBe('taken');
    expect(held()).toMatchObject({ pid: second.child.pid, command: 'down' });
    expect(readdirSync(workspace.forgeDir)).toEqual(['lock']);
  });

  it.each<[string, () => Promise<Partial<Holder>>]>([
    ['is dead', async () => ({ pid: await deadPid() })],
    ['had a pid that another process has now', async () => ({ startTime: '1' })],
    ['ran before the last boot', async () => ({ bootId: 'before', host: (await import('node:os')).hostname() })],
  ])('is taken from a holder that %s', async (_, changes) => {
    craft(await changes());
    const lock = await acquireLock(workspace, 'up');
    expect(held().token).not.toBe('crafted');
    lock.release();
    expect(readdirSync(workspace.forgeDir)).toEqual([]);
  });

  it('is left to a holder on another machine, which is named', async () => {
    craft({ bootId: 'elsewhere', host: 'other-machine', pid: 4 });
    await expect(acquireLock(workspace, 'up')).rejects.toMatchObject({
      code: 'WORKSPACE_LOCKED',
      message: expect.stringContaining('pid 4 on other-machine') as string,
      hint: expect.stringContaining(file) as string,
    });
    expect(held().token).toBe('crafted');
  });

  it.each(['', '{"pid": 1', 'null', '[]', '{"pid":"x"}', 'nonsense'])('is taken when its file is damaged: %j', async (text) => {
    writeFileSync(file, text);
    (await acquireLock(workspace, 'up')).release();
    expect(readdirSync(workspace.forgeDir)).toEqual([]);
  });

  it('release leaves the lock of somebody else', async () => {
    const lock = await acquireLock(workspace, 'up');
    rmSync(file);
    craft({});
    lock.release();
    expect(held().token).toBe('crafted');
  });

  it('a stale lock goes to exactly one of many who want it', async () => {
    for (let round = 0; round < 2; round++) {
      craft({ pid: await deadPid(), token: String(round) });
      const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => acquireLock(workspace, `up ${index}`)));
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won).toHaveLength(1);
      for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'WORKSPACE_LOCKED' });
      won[0]!.value.release();
      expect(readdirSync(workspace.forgeDir)).toEqual([]);
    }
  });

  it('is never had by two, however often its holders die', async () => {
    writeFileSync(`${file}.turns`, '');
    const script = fileURLToPath(new URL('lock-contender.ts', import.meta.url));
    const contenders = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ['--import', 'tsx', script, file, '40'], { stdio: 'inherit' });
      children.push(child);
      return once(child, 'exit');
    });
    expect(await Promise.all(contenders)).toEqual(Array.from({ length: 4 }, () => [0, null]));
    const turns = readFileSync(`${file}.turns`, 'utf8').trim().split('\n');
    expect(turns).not.toContain('clash');
    expect(turns).toHaveLength(160);
  });

  it('… also among processes, and when one died while it cleared the stale lock away', async () => {
    craft({ pid: await deadPid() });
    const { createHash } = await import('node:crypto');
    const right = `${file}.${createHash('sha256').update(readFileSync(file, 'utf8')).digest('hex').slice(0, 16)}`;
    writeFileSync(right, JSON.stringify({ ...self(), pid: await deadPid() }));
    const answers = (await Promise.all(Array.from({ length: 4 }, (_, index) => other(`up ${index}`)))).map(({ answer }) => answer);
    expect(answers.sort()).toEqual([...Array.from({ length: 3 }, () => 'refused WORKSPACE_LOCKED'), 'taken']);
    expect(readdirSync(workspace.forgeDir)).toEqual(['lock']);
  });
});

describe('a process', () => {
  it('is alive as itself, not as the one that had its number before', () => {
    const startTime = processStartTime(process.pid)!;
    expect(isAlive({ pid: process.pid, startTime })).toBe(true);
    expect(isAlive({ pid: process.pid, startTime: `${startTime}0` })).toBe(false);
  });

  it.runIf(process.platform === 'linux')('that has ended is dead, also while its parent has not asked for it', async () => {
    // The shell becomes `cat`, which never waits for its child: the child ends then, not before, and stays as a zombie.
    const child = 'while [ "$(cat /proc/$PPID/comm)" != cat ]; do :; done';
    const parent = spawn('sh', ['-c', `sh -c '${child}' & echo child $!; exec cat`], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(parent);
    let zombie = 0;
    for await (const line of createInterface(parent.stdout)) {
      const found = /child (\d+)/.exec(line);
      if (found) {
        zombie = Number(found[1]);
        break;
      }
    }
    await expect.poll(() => readFileSync(`/proc/${zombie}/stat`, 'utf8').includes(') Z ')).toBe(true);
    expect(processStartTime(zombie)).toBeUndefined();
    expect(isAlive({ pid: zombie, startTime: '1' })).toBe(false);
  });
});
