import { createHash, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { lackingError, type ForgeError } from '../errors.js';
import { fileError, writeFileAtomic } from './atomic.js';
import { bootId, isAlive, processStartTime } from './identity.js';
import type { Workspace } from './workspace.js';

/** What a lock file says of the process that has it. */
export interface Holder {
  pid: number;
  startTime: string;
  bootId: string;
  host: string;
  command: string;
  since: string;
  /** Tells this taking of the lock from every other. */
  token: string;
}

export interface Lock {
  /** Gives the lock back; only its own. */
  release(): void;
}

/**
 * Takes the workspace's lock (.forge/lock), at once or not at all. .forge has to exist.
 * @throws ForgeError WORKSPACE_LOCKED (exit 3), which names the holder
 */
export async function acquireLock(workspace: Workspace, command: string): Promise<Lock> {
  const file = path.join(workspace.forgeDir, 'lock');
  const taken = await takeLock(file, command);
  if ('release' in taken) return taken;
  throw lockedBy(taken, file);
}

/**
 * Takes a lock file, or says who has it. The file appears complete (written aside, then linked), so that nobody sees a
 * half-written one. A holder that is dead, whose pid was given to another process, or that ran before the last boot, is
 * replaced.
 */
export async function takeLock(file: string, command: string): Promise<Lock | Holder> {
  const own: Holder = {
    pid: process.pid,
    startTime: processStartTime(process.pid) ?? '',
    bootId: bootId(),
    host: hostname(),
    command,
    since: new Date().toISOString(),
    token: randomBytes(8).toString('hex'),
  };
  const aside = `${file}.${own.token}.tmp`;
  await writeFileAtomic(aside, `${JSON.stringify(own)}\n`, { mode: 0o600 });
  try {
    const holder = take(file, aside);
    return holder ?? { release: () => releaseOwn(file, own.token) };
  } catch (error) {
    throw fileError(file, error);
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * Undefined when the file is ours now. Who removes a stale lock must be the only one to do so, else it could remove the
 * fresh lock of somebody who was faster: that right is a lock of its own, named after the stale lock's text.
 */
function take(file: string, aside: string): Holder | undefined {
  for (;;) {
    if (tryLink(aside, file)) return undefined;
    const text = readIfThere(file);
    if (text === undefined) continue;
    const holder = parseHolder(text);
    if (holder !== undefined && isHeld(holder)) return holder;
    const right = `${file}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    const rival = take(right, aside);
    if (rival !== undefined) return rival;
    try {
      if (readIfThere(file) === text) rmSync(file, { force: true });
    } finally {
      rmSync(right, { force: true });
    }
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

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined for a damaged file: forge never writes one in place, so nobody has it. */
function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    return typeof value?.pid === 'number' && typeof value.startTime === 'string' && typeof value.host === 'string'
      ? (value as Holder)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The same boot is this machine, whatever it is called now. Another machine's processes cannot be seen, and count as alive. */
const isHeld = (holder: Holder): boolean => (holder.bootId === bootId() ? isAlive(holder) : holder.host !== hostname());

/** Who has the workspace's lock, for those who only look; undefined when it is free. */
export function lockState({
  forgeDir,
}: Pick<Workspace, 'forgeDir'>): { file: string; holder: Holder | undefined; state: 'held' | 'stale' | 'elsewhere' } | undefined {
  const file = path.join(forgeDir, 'lock');
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  const holder = parseHolder(text);
  if (holder === undefined || !isHeld(holder)) return { file, holder, state: 'stale' };
  return { file, holder, state: holder.bootId === bootId() ? 'held' : 'elsewhere' };
}

function releaseOwn(file: string, token: string): void {
  const text = readIfThere(file);
  if (text !== undefined && parseHolder(text)?.token === token) rmSync(file, { force: true });
}

function lockedBy(holder: Holder, file: string): ForgeError {
  const { pid, command, since, host } = holder;
  const isHere = holder.bootId === bootId();
  return lackingError({
    code: 'WORKSPACE_LOCKED',
    message: `This workspace is in use by \`forge ${command}\` (pid ${pid}${isHere ? '' : ` on ${host}`}, since ${since})`,
    hint: isHere ? `Wait for it to end, or stop it with: kill ${pid}` : `If it does not run any more, remove ${file}`,
  });
}
