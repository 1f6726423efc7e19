import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import type { Fix } from '../../../src/doctor/check.js';
import type { Finding, Report } from '../../../src/doctor/examine.js';
import { lackingError } from '../../../src/errors.js';
import { mend, mendedOf, type Mended } from '../../../src/lifecycle/mend.js';
import { bringUp } from '../../../src/lifecycle/up.js';
import { prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

// By itself it is what it is.
vi.mock('../../../src/lifecycle/up.js', async (original) => {
  const up = await original<{ bringUp: typeof bringUp }>();
  return { ...up, bringUp: vi.fn(up.bringUp) };
});

const finding = (id: string, more: Partial<Finding> = {}): Finding => ({
  id,
  group: 'servers',
  severity: 'error',
  title: 'it is broken',
  cause: 'seen',
  remedy: 'mend it',
  page: `docs/troubleshooting.md#${id}`,
  fix: { does: 'mends it', up: true },
  ...more,
});
const report = (more: Partial<Report> = {}): Report => ({ findings: [], passed: [], couldNotRun: [], ...more });

describe('what counts as mended', () => {
  const kafka = finding('server-down', { component: 'kafka' });
  test.each<[string, Partial<Report>, string[]]>([
    ['its check passed', { passed: ['server-down'] }, ['server-down']],
    ['its check found another server', { findings: [finding('server-down', { component: 'polaris' })] }, ['server-down']],
    ['its check could not run', { couldNotRun: [{ id: 'server-down', reason: 'it took longer than 9 s' }] }, []],
    ['its check is not about the stack any more', {}, []],
    ['it is told in other words', { findings: [finding('server-down', { component: 'kafka', title: 'kafka is not ready' })] }, []],
  ])('%s', (_, after, ids) => expect(mendedOf([kafka], report(after)).map(({ id }) => id)).toEqual(ids));
});

let workspace: Workspace;
let done: string[];
let notes: string[];
beforeEach(async () => {
  workspace = workspaceAt(scratch());
  await prepareWorkspace(workspace);
  [done, notes] = [[], []];
});
const refused = lackingError({ code: 'NOT_WRITABLE', message: 'no', hint: 'ask' });
const does = (what: string, more: Partial<Fix> = {}): Partial<Finding> => ({
  title: what,
  fix: { does: what, run: () => Promise.resolve(void done.push(what)), ...more },
});
const fails = (more: Partial<Fix> = {}): Partial<Finding> => does('fails', { run: () => Promise.reject(refused), ...more });
const run = (findings: Finding[], flags: Record<string, string> = {}): Promise<Mended> =>
  mend(report({ findings }), {
    folder: workspace.root,
    cacheDir: path.join(workspace.root, 'cache'),
    packageRoot: packageRoot(),
    flags: { runtime: 'process', catalog: 'iceberg-rest', ...flags },
    only: 'workspace',
    note: (text) => notes.push(text),
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });

test('a fix that fails keeps neither the others nor `forge up` from running, and its error is told', async () => {
  vi.mocked(bringUp).mockImplementationOnce(async ({ prepare }) => {
    await prepare?.();
    done.push('up');
    return { run: {} } as Awaited<ReturnType<typeof bringUp>>;
  });
  const { error } = await run([
    finding('file-modes', fails()),
    finding('lock-stale', does('takes the lock')),
    finding('kafka-advertised', fails({ up: true })),
    finding('server-listens', does('stops kafka', { up: true })),
  ]);
  expect([done, error]).toEqual([['takes the lock', 'stops kafka', 'up'], refused]);
});

test('no server is stopped where `forge up` would refuse to start it again', async () => {
  const found = [finding('server-listens', does('stops kafka', { up: true })), finding('lock-stale', does('takes the lock'))];
  const { error, fixed } = await run(found, { engine: 'risingwave' });
  expect(error).toMatchObject({ code: 'ENGINE_NOT_HERE' });
  expect(done).toEqual(['takes the lock']);
  // Nobody could look at the server before the first `up`.
  expect(fixed.map(({ id }) => id)).toEqual(['lock-stale']);
  expect(notes).toEqual(['takes the lock: takes the lock', 'Running `forge up`']);
});

test('what was mended is looked at again, of whatever group it is', async () => {
  const { report: after, fixed } = await run([
    finding('disk-space', { group: 'machine', fix: { does: 'frees it', run: () => Promise.resolve() } }),
  ]);
  expect([fixed.map(({ id }) => id), after.passed]).toEqual([['disk-space'], expect.arrayContaining(['disk-space', 'config-invalid'])]);
});

test('the lock is held while a fix runs', async () => {
  let holder = '';
  await run([
    finding('file-modes', {
      fix: { does: 'looks', run: () => Promise.resolve(void (holder = readFileSync(path.join(workspace.forgeDir, 'lock'), 'utf8'))) },
    }),
  ]);
  expect(JSON.parse(holder)).toMatchObject({ command: 'doctor --fix' });
});
