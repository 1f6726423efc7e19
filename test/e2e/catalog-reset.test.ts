import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { ErrorResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import { makeFakeDistribution } from '../helpers/fake-polaris/distribution.js';
import { sandbox, type Sandbox } from '../helpers/forge.js';
import { changedOf } from '../helpers/sums.js';

// One stack for the whole file; each test goes on from what the one before has left, so none can be tried again.
const ONCE = { retry: 0 };
const UP = ['up', '--catalog', 'polaris'];
let box: Sandbox;
beforeAll(async () => {
  box = await sandbox();
  const home = join(box.root, 'polaris-bin-1.4.1');
  await makeFakeDistribution(home);
  await writeFile(join(box.root, 'forge.yaml'), stringify({ components: { polaris: { home } } }));
  await box.ok<UpResult>(UP);
});
afterAll(() => box.remove());

/** `up` makes catalog, tables and job anew, keeps the servers, and then has nothing more to do. */
async function expectAnew(): Promise<void> {
  const changed = changedOf(await box.ok<UpResult>(UP));
  expect(changed).toEqual(expect.arrayContaining(['polaris-catalog', 'polaris-principal', 'table-leaderboard', 'job']));
  expect(changed.filter((id) => /kafka|localstack|postgresql|flink|topic|bucket|view/.test(id))).toEqual([]);
  expect(changedOf(await box.ok<UpResult>(UP))).toEqual([]);
  const { legs } = await box.ok<VerifyResult>(['verify', '--probe']);
  expect(legs.filter(({ ok }) => !ok)).toEqual([]);
}

test('nobody who can answer: asks for --yes and changes nothing', ONCE, async () => {
  const ran = await box.forge<ErrorResult>(['catalog', 'reset', '--json']);
  expect([ran.code, ran.json.error.hint]).toEqual([2, expect.stringContaining('--yes')]);
  expect(changedOf(await box.ok<UpResult>(UP))).toEqual([]);
});

test('reset: the realm is there and empty; up makes the rest anew', ONCE, async () => {
  expect(await box.ok(['catalog', 'reset', '--yes'])).toEqual({ realm: 'POLARIS' });
  const would = changedOf(await box.ok<UpResult>([...UP, '--check'], 5));
  expect(would).toEqual(expect.arrayContaining(['polaris-catalog', 'polaris-principal']));
  expect(would.filter((id) => ['polaris-realm', 'polaris', 'catalog-ready'].includes(id))).toEqual([]);
  await expectAnew();
});

test('root credentials that are lost: up says what helps, and it does', ONCE, async () => {
  await rm(join(box.root, '.forge', 'credentials', 'polaris-root.json'));
  const ran = await box.forge<ErrorResult>([...UP, '--json']);
  expect([ran.code, ran.json.error.code]).toEqual([4, 'POLARIS_ROOT_LOST']);
  expect(ran.json.error.hint).toContain('forge catalog reset');
  await box.ok(['catalog', 'reset', '--yes']);
  await expectAnew();
});

test('a stack with the other catalog has nothing to reset', ONCE, async () => {
  const other = await sandbox();
  try {
    const ran = await other.forge<ErrorResult>(['catalog', 'reset', '--yes', '--json']);
    expect([ran.code, ran.json.error.code]).toEqual([2, 'NO_POLARIS']);
  } finally {
    await other.remove();
  }
});
