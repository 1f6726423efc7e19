import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashOf, newestState, stateFolder, type JobIdentity } from '../../../src/engines/flink/checkpoints.js';
import { startingPoint } from '../../../src/engines/flink/job.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'forge-states-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const identity = (sql: string, tables: Record<string, string> = { leaderboard: 'u1', stats: 'u2' }): JobIdentity => ({
  sqlHash: hashOf(sql),
  tables,
});

/** State as Flink leaves it: complete once `_metadata` is there. */
async function saved(of: JobIdentity, where: string, ageSeconds: number, complete = true): Promise<string> {
  const folder = path.join(await stateFolder(root, of), where);
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, complete ? '_metadata' : '._metadata.inprogress');
  await writeFile(file, '');
  const time = new Date(Date.now() - ageSeconds * 1000);
  await utimes(file, time, time);
  return `file://${folder}`;
}

describe('saved state', () => {
  it('is none in an empty or missing folder', async () => {
    expect(await newestState(root)).toBeUndefined();
    expect(await newestState(path.join(root, 'no such'))).toBeUndefined();
  });

  it('is the newest complete one, checkpoint or savepoint, of any submission, with what it belongs to', async () => {
    const old = identity('a');
    const changed = identity('b');
    await saved(old, 'job1/chk-7', 60);
    const savepoint = await saved(old, 'savepoint-1a2b3c-d4e5f6', 30);
    expect(await newestState(root)).toEqual({ address: savepoint, identity: old });
    const checkpoint = await saved(changed, 'job2/chk-1', 10);
    await saved(changed, 'job2/chk-2', 1, false);
    await mkdir(path.join(root, 'shared'), { recursive: true });
    expect(await newestState(root)).toEqual({ address: checkpoint, identity: changed });
  });

  it('is not used when nobody knows what it belongs to', async () => {
    const known = await saved(identity('a'), 'job1/chk-1', 60);
    await saved(identity('b'), 'job2/chk-1', 1);
    for (const folder of await readdir(root))
      if (folder.startsWith(hashOf('b'))) await writeFile(path.join(root, folder, 'identity.json'), '{"sqlHash": "b1');
    expect((await newestState(root))?.address).toBe(known);
  });

  it('lies in a private folder of its own for each SQL and each set of tables', async () => {
    const folders = [
      await stateFolder(root, identity('a')),
      await stateFolder(root, identity('b')),
      await stateFolder(root, identity('a', { leaderboard: 'u1', stats: 'u3' })),
    ];
    expect(new Set(folders).size).toBe(3);
    expect(await stateFolder(root, identity('a', { stats: 'u2', leaderboard: 'u1' }))).toBe(folders[0]);
    expect((await stat(folders[0]!)).mode & 0o777).toBe(0o700);
    expect((await stat(path.join(folders[0]!, 'identity.json'))).mode & 0o777).toBe(0o600);
  });
});

describe('where a job starts from', () => {
  it('without state: the start of the topic', async () => {
    expect(await startingPoint(root, identity('a'))).toEqual({ note: 'reading the topic from its start' });
  });

  it('its own last checkpoint, or the state of the SQL before', async () => {
    await saved(identity('a'), 'job1/chk-1', 5);
    expect(await startingPoint(root, identity('a'))).toMatchObject({ from: {}, note: 'resumed from its last checkpoint' });
    expect(await startingPoint(root, identity('b'))).toMatchObject({ from: {}, note: 'resumed from a savepoint' });
  });

  it('the savepoint of a job that somebody submitted by hand, so that no row is written twice', async () => {
    await saved({ sqlHash: 'none', tables: {} }, 'savepoint-1-2', 5);
    expect(await startingPoint(root, identity('a'))).toMatchObject({ from: {}, note: 'resumed from a savepoint' });
  });

  it('state also when some tables are new, which is said; not when all are', async () => {
    await saved(identity('a'), 'job1/chk-1', 5);
    const some = await startingPoint(root, identity('a', { leaderboard: 'u9', stats: 'u2' }));
    expect(some.from).toBeDefined();
    expect(some.note).toMatch(/leaderboard/);
    expect(some.note).not.toMatch(/stats/);
    const all = await startingPoint(root, identity('a', { leaderboard: 'u9', stats: 'u8' }));
    expect(all.from).toBeUndefined();
    expect(all.note).toMatch(/tables are new/);
  });
});
