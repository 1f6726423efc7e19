import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ForgeError, lackingError } from '../errors.js';
import { ensureDir, writeFileAtomic } from './atomic.js';
import { isAlive, processStartTime } from './identity.js';
import { readKept } from './kept.js';
import { takeLock, type Lock } from './lock.js';
import type { Workspace } from './workspace.js';

const schema = z.array(z.object({ name: z.string().optional(), port: z.int(), forgeDir: z.string(), pid: z.int(), startTime: z.string() }));
type Claim = z.output<typeof schema>[number];

/** Ports that other workspaces of this user have, running or not, and the folder of each. */
export type Claimed = ReadonlyMap<number, string>;

/** What is known of ports before some are chosen. */
export interface Known {
  claimed: Claimed;
  /** What this workspace had, by name: its own note of them may be lost while its servers run. */
  before: Partial<Record<string, number>>;
}

/**
 * Chooses ports while no other workspace does, and notes what was chosen in the shared cache: two `up` at once would both
 * find a port free, and a workspace whose servers are stopped would lose its ports. The note is a hint that is checked
 * against the other workspace itself, so nobody has to take it back.
 */
export async function withClaims<T extends { ports: Record<string, number> }>(
  cacheDir: string,
  workspace: Workspace,
  choose: (known: Known) => Promise<T>,
): Promise<T> {
  const folder = path.join(cacheDir, 'workspaces');
  const file = path.join(folder, 'ports.json');
  let lock: Lock;
  try {
    await ensureDir(folder, 0o700);
    lock = await waitForLock(path.join(folder, 'ports.lock'));
  } catch (error) {
    // A cache that may only be read serves all the same; ports are then told apart by who listens on them.
    if (error instanceof ForgeError && error.code === 'NOT_WRITABLE') return choose({ claimed: new Map(), before: {} });
    throw error;
  }
  try {
    const noted = readClaims(file);
    const others = noted.filter((claim) => claim.forgeDir !== workspace.forgeDir && stands(claim));
    // Claims of one's own outlive `down`: they count only where there are servers.
    const mine = hasServers(workspace.forgeDir) ? noted.filter(({ forgeDir }) => forgeDir === workspace.forgeDir) : [];
    const chosen = await choose({
      claimed: new Map(others.map(({ port, forgeDir }) => [port, path.dirname(forgeDir)])),
      before: Object.fromEntries(mine.flatMap(({ name, port }) => (name === undefined ? [] : [[name, port]]))),
    });
    const self = { forgeDir: workspace.forgeDir, pid: process.pid, startTime: processStartTime(process.pid) ?? '' };
    const own = Object.entries(chosen.ports).map(([name, port]) => ({ name, port, ...self }));
    await writeFileAtomic(file, `${JSON.stringify([...others, ...own])}\n`, { mode: 0o600 });
    return chosen;
  } finally {
    lock.release();
  }
}

/**
 * A claim stands while its process lives, and after that as long as its workspace keeps the port: by its own note, or, where
 * that is lost, while there are servers of it.
 */
function stands(claim: Claim): boolean {
  if (isAlive(claim)) return true;
  try {
    const kept = readKept(claim);
    if (kept !== undefined) return Object.values(kept.ports).includes(claim.port);
  } catch {
    // Damaged.
  }
  return hasServers(claim.forgeDir);
}

function hasServers(forgeDir: string): boolean {
  try {
    return readdirSync(path.join(forgeDir, 'run')).length > 0;
  } catch {
    return false;
  }
}

function readClaims(file: string): Claim[] {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Nothing was noted yet, or it is damaged: it holds only hints, and is written anew.
    return [];
  }
}

const PATIENCE_MS = 10_000;

async function waitForLock(file: string): Promise<Lock> {
  const started = performance.now();
  for (let pause = 10; ; pause = Math.min(pause * 2, 200)) {
    const taken = await takeLock(file, 'choosing ports');
    if ('release' in taken) return taken;
    if (performance.now() - started > PATIENCE_MS)
      throw lackingError({
        code: 'PORTS_LOCKED',
        message: `Another forge (pid ${taken.pid}) has been choosing ports since ${taken.since}`,
        hint: `Stop it with: kill ${taken.pid}`,
      });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
