import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ForgeError, lackingError } from '../errors.js';
import { ensureDir, writeFileAtomic } from './atomic.js';
import { isAlive, processStartTime } from './identity.js';
import { readKept } from './kept.js';
import { takeLock, type Lock } from './lock.js';
import type { Workspace } from './workspace.js';

const schema = z.array(z.object({ port: z.int(), forgeDir: z.string(), pid: z.int(), startTime: z.string() }));
type Claim = z.output<typeof schema>[number];

/** Ports that other workspaces of this user have, running or not, and the folder of each. */
export type Claimed = ReadonlyMap<number, string>;

/**
 * Chooses ports while no other workspace does, and notes what was chosen in the shared cache: two `up` at once would both
 * find a port free, and a workspace whose servers are stopped would lose its ports. The note is a hint that is checked
 * against the other workspace itself, so nobody has to take it back.
 */
export async function withClaims<T extends { ports: Record<string, number> }>(
  cacheDir: string,
  workspace: Workspace,
  choose: (claimed: Claimed) => Promise<T>,
): Promise<T> {
  const folder = path.join(cacheDir, 'workspaces');
  const file = path.join(folder, 'ports.json');
  let lock: Lock;
  try {
    await ensureDir(folder, 0o700);
    lock = await waitForLock(path.join(folder, 'ports.lock'));
  } catch (error) {
    // A cache that may only be read serves all the same; ports are then told apart by who listens on them.
    if (error instanceof ForgeError && error.code === 'NOT_WRITABLE') return choose(new Map());
    throw error;
  }
  try {
    const others = readClaims(file).filter((claim) => claim.forgeDir !== workspace.forgeDir && stands(claim));
    const chosen = await choose(new Map(others.map(({ port, forgeDir }) => [port, path.dirname(forgeDir)])));
    const self = { forgeDir: workspace.forgeDir, pid: process.pid, startTime: processStartTime(process.pid) ?? '' };
    const own = Object.values(chosen.ports).map((port) => ({ port, ...self }));
    await writeFileAtomic(file, `${JSON.stringify([...others, ...own])}\n`, { mode: 0o600 });
    return chosen;
  } finally {
    lock.release();
  }
}

/** A claim stands while its process lives, and after that as long as its workspace keeps the port. */
function stands(claim: Claim): boolean {
  if (isAlive(claim)) return true;
  try {
    return Object.values(readKept(claim)?.ports ?? {}).includes(claim.port);
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
