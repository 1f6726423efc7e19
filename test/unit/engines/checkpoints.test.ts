import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExecResult, KubeClient } from '../../../src/clients/kubernetes.js';
import { hashOf, newestState, stateFolder, type JobIdentity, type StateStore } from '../../../src/engines/flink/checkpoints.js';
import { startingPoint } from '../../../src/engines/flink/job.js';
import { podStateFiles } from '../../../src/engines/flink/pod-files.js';
import { localStateFiles, type StateFiles } from '../../../src/engines/flink/state-files.js';

/** A pod whose commands run here. */
const pod = { metadata: { name: 'flink-jobmanager-1' }, status: { phase: 'Running' } };
const runHere = (_pod: unknown, [program, ...args]: string[]): Promise<ExecResult> =>
  new Promise((resolve) => {
    execFile(program!, args, (error, stdout, stderr) => resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr }));
  });
const clientOf = (parts: Partial<Record<'list' | 'exec', unknown>>): KubeClient =>
  ({ list: () => Promise.resolve({ items: [pod], resourceVersion: '1' }), exec: runHere, ...parts }) as unknown as KubeClient;
const inPod = (client: KubeClient): StateFiles =>
  podStateFiles({ client, namespace: 'flink', labels: 'a=b', container: 'jobmanager', signal: AbortSignal.timeout(10_000) });

let root: string;
let store: StateStore;
const kinds: [string, StateFiles][] = [
  ['on this machine', localStateFiles],
  ['in a pod', inPod(clientOf({}))],
];
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
  const folder = path.join(await stateFolder(store, of), where);
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, complete ? '_metadata' : '._metadata.inprogress');
  await writeFile(file, '');
  const time = new Date(Date.now() - ageSeconds * 1000);
  await utimes(file, time, time);
  return `file://${folder}`;
}

describe.each(kinds)('saved state %s', (_kind, files) => {
  beforeEach(() => {
    store = { root, files };
  });

  it('is none in an empty or missing folder', async () => {
    expect(await newestState(store)).toBeUndefined();
    expect(await newestState({ ...store, root: path.join(root, 'no such') })).toBeUndefined();
  });

  it('is the newest complete one, checkpoint or savepoint, of any submission, with what it belongs to', async () => {
    const old = identity('a');
    const changed = identity('b');
    await saved(old, 'job1/chk-7', 60);
    const savepoint = await saved(old, 'savepoint-1a2b3c-d4e5f6', 30);
    expect(await newestState(store)).toEqual({ address: savepoint, identity: old });
    const checkpoint = await saved(changed, 'job2/chk-1', 10);
    await saved(changed, 'job2/chk-2', 1, false);
    await mkdir(path.join(root, 'shared'), { recursive: true });
    expect(await newestState(store)).toEqual({ address: checkpoint, identity: changed });
  });

  it('is not used when nobody knows what it belongs to', async () => {
    const known = await saved(identity('a'), 'job1/chk-1', 60);
    await saved(identity('b'), 'job2/chk-1', 1);
    for (const folder of await readdir(root))
      if (folder.startsWith(hashOf('b'))) await writeFile(path.join(root, folder, 'identity.json'), '{"sqlHash": "b1');
    expect((await newestState(store))?.address).toBe(known);
  });

  it('lies in a private folder of its own for each SQL and each set of tables', async () => {
    const folders = [
      await stateFolder(store, identity('a')),
      await stateFolder(store, identity('b')),
      await stateFolder(store, identity('a', { leaderboard: 'u1', stats: 'u3' })),
    ];
    expect(new Set(folders).size).toBe(3);
    expect(await stateFolder(store, identity('a', { stats: 'u2', leaderboard: 'u1' }))).toBe(folders[0]);
    expect((await stat(folders[0]!)).mode & 0o777).toBe(0o700);
    expect((await stat(path.join(folders[0]!, 'identity.json'))).mode & 0o777).toBe(0o600);
  });
});

describe('saved state in a pod that cannot be asked', () => {
  it('is an error, not none: the job would write its rows a second time', async () => {
    const noPod = inPod(clientOf({ list: () => Promise.resolve({ items: [], resourceVersion: '1' }) }));
    await expect(newestState({ root, files: noPod })).rejects.toMatchObject({ code: 'STATE_UNREADABLE' });
    const failing = inPod(clientOf({ exec: () => Promise.resolve({ exitCode: 126, stdout: '', stderr: 'sh: out of memory\n' }) }));
    await expect(newestState({ root, files: failing })).rejects.toMatchObject({
      code: 'STATE_UNREADABLE',
      message: expect.stringContaining('out of memory') as string,
    });
  });
});

describe('where a job starts from', () => {
  beforeEach(() => {
    store = { root, files: localStateFiles };
  });

  it('names the views that were made anew since, to be filled; of state that knows of none, none', async () => {
    const knowing = (views: Record<string, string>): JobIdentity => ({ ...identity('a'), views });
    await saved(knowing({ board: '7.1', stats: '7.2' }), 'job1/chk-1', 5);
    expect(await startingPoint(store, knowing({ board: '7.1', stats: '7.2' }))).toMatchObject({ refill: [] });
    const { refill, note } = await startingPoint(store, knowing({ board: '7.9', stats: '7.2', more: '7.10' }));
    expect(refill).toEqual(['board']);
    expect(note).toBe('resumed from its last checkpoint; board filled from the topic');
    await saved(identity('a'), 'job2/chk-1', 1);
    expect(await startingPoint(store, knowing({ board: '7.9', stats: '7.2' }))).toMatchObject({ refill: [] });
  });

  it('without state: the start of the topic', async () => {
    expect(await startingPoint(store, identity('a'))).toEqual({ refill: [], note: 'reading the topic from its start' });
  });

  it('its own last checkpoint, or the state of the SQL before', async () => {
    await saved(identity('a'), 'job1/chk-1', 5);
    expect(await startingPoint(store, identity('a'))).toMatchObject({ from: {}, note: 'resumed from its last checkpoint' });
    expect(await startingPoint(store, identity('b'))).toMatchObject({ from: {}, note: 'resumed from a savepoint' });
  });

  it('the savepoint of a job that somebody submitted by hand, so that no row is written twice', async () => {
    await saved({ sqlHash: 'none', tables: {} }, 'savepoint-1-2', 5);
    expect(await startingPoint(store, identity('a'))).toMatchObject({ from: {}, note: 'resumed from a savepoint' });
  });

  it('state also when some tables are new, which is said; not when all are', async () => {
    await saved(identity('a'), 'job1/chk-1', 5);
    const some = await startingPoint(store, identity('a', { leaderboard: 'u9', stats: 'u2' }));
    expect(some.from).toBeDefined();
    expect(some.note).toMatch(/leaderboard/);
    expect(some.note).not.toMatch(/stats/);
    const all = await startingPoint(store, identity('a', { leaderboard: 'u9', stats: 'u8' }));
    expect(all.from).toBeUndefined();
    expect(all.note).toMatch(/tables are new/);
  });
});
