import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { lackingError, type ForgeError } from '../errors.js';
import { writeFileAtomic } from './atomic.js';
import { bootId, isAlive, processStartTime } from './identity.js';
import type { Workspace } from './workspace.js';

interface Holder {
  pid: number;
  startTime: string;
  bootId: string;
  host: string;
  command: string;
  since: string;
  token: string;
}

export interface Lock {
  /** Gives the lock back; only its own. */
  release(): void;
}

/**
 * Takes the workspace's lock (.forge/lock), at once or not at all. The file appears complete (written aside, then linked), so
 * that nobody sees a half-written holder. A holder that is dead, whose pid was given to another process, or that ran before
 * the last boot, is replaced. .forge has to exist.
 * @throws ForgeError WORKSPACE_LOCKED (exit 3), which names the holder
 */
export async function acquireLock(workspace: Workspace, command: string): Promise<Lock> {
  const file = path.join(workspace.forgeDir, 'lock');
  const own: Holder = {
    pid: process.pid,
    startTime: processStartTime(process.pid) ?? '',
    bootId: bootId(),
    host: hostname(),
    command,
    since: new Date().toISOString(),
    token: randomBytes(8).toString('hex'),
  };
  const aside = `${file}.${own.token}`;
  await writeFileAtomic(aside, JSON.stringify(own), { mode: 0o600 });
  try {
    // Whoever loses a race for a stale lock looks again; each round takes one stale lock away.
    for (let round = 0; round < 5; round++) {
      if (tryLink(aside, file)) return { release: () => releaseOwn(file, own.token) };
      const holder = readHolder(file);
      if (holder === 'gone') continue;
      if (holder !== 'damaged' && isHeld(holder)) throw lockedBy(holder, file);
      takeAway(file, holder, own.token);
    }
    throw lackingError({ code: 'WORKSPACE_LOCKED', message: `Other forge commands keep taking ${file}`, hint: 'Try again' });
  } finally {
    rmSync(aside, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(file: string): Holder | 'gone' | 'damaged' {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder>;
    return typeof value.pid === 'number' && typeof value.startTime === 'string' && typeof value.host === 'string'
      ? (value as Holder)
      : 'damaged';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'damaged';
  }
}

/** Another host's holder cannot be looked at, and so counts as alive. */
const isHeld = (holder: Holder): boolean => holder.host !== hostname() || (holder.bootId === bootId() && isAlive(holder));

/** Moves a stale lock aside; when it was another one by then, puts that one back. */
function takeAway(file: string, stale: Holder | 'damaged', token: string): void {
  const aside = `${file}.stale.${token}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const moved = readHolder(aside);
  const isStale = moved === 'damaged' ? stale === 'damaged' : moved !== 'gone' && stale !== 'damaged' && moved.token === stale.token;
  if (!isStale) tryLink(aside, file);
  rmSync(aside, { force: true });
}

function releaseOwn(file: string, token: string): void {
  const holder = readHolder(file);
  if (holder !== 'gone' && holder !== 'damaged' && holder.token === token) rmSync(file, { force: true });
}

function lockedBy({ pid, command, since, host }: Holder, file: string): ForgeError {
  const where = host === hostname() ? '' : ` on ${host}`;
  return lackingError({
    code: 'WORKSPACE_LOCKED',
    message: `This workspace is in use by \`forge ${command}\` (pid ${pid}${where}, since ${since})`,
    hint: host === hostname() ? `Wait for it to end, or stop it with: kill ${pid}` : `If it does not run any more, remove ${file}`,
  });
}
