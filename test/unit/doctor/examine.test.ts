import { describe, expect, test } from 'vitest';
import { doctorText } from '../../../src/cli/doctor-text.js';
import { Behind, UP, type Check, type Group, type Trouble } from '../../../src/doctor/check.js';
import { stackChecks, placeChecks } from '../../../src/doctor/checks/index.js';
import { examine, type Examination, type Report } from '../../../src/doctor/examine.js';
import { placeOf } from '../../helpers/doctor-place.js';

const trouble: Trouble = { title: 'it is down', cause: 'killed', remedy: 'start it', fix: UP };
const check = (id: string, group: Group, more: Partial<Check> = {}): Check => ({
  id,
  group,
  title: id,
  look: () => Promise.resolve([]),
  ...more,
});
const down = check('server-down', 'servers', { look: () => Promise.resolve([trouble]) });
const behind = (id: string) => () => Promise.reject(new Behind(id, `needs ${id}`));

function look(stack: Check[], more: Partial<Examination> = {}, group?: Group): Promise<Report> {
  const { signal, share: _share, ...place } = placeOf({});
  const only = group === undefined ? {} : { only: (one: { group: Group }) => one.group === group };
  return examine({ checks: { place: [], stack }, place, stack: place, signal, ...only, ...more });
}
const idsOf = ({ findings, passed, couldNotRun }: Report): string[][] =>
  [findings, couldNotRun].map((list) => list.map(({ id }) => id)).concat([passed]);

describe('one group of a stack that is broken elsewhere', () => {
  test('the root is told, though it is of another group: by what a check needs, and by what it finds itself behind', async () => {
    expect(idsOf(await look([down, check('topic', 'kafka', { needs: ['server-down'] })], {}, 'kafka'))).toEqual([
      ['server-down'],
      ['topic'],
      [],
    ]);
    expect(idsOf(await look([down, check('topic', 'kafka', { look: behind('server-down') })], {}, 'kafka'))).toEqual([
      ['server-down'],
      ['topic'],
      [],
    ]);
  });

  test('also through checks that could not run themselves', async () => {
    const checks = [down, check('answers', 'kafka', { look: behind('server-down') }), check('stop', 'pipeline', { needs: ['answers'] })];
    expect(idsOf(await look(checks, {}, 'pipeline'))).toEqual([['server-down'], ['stop'], []]);
  });

  test('what keeps nothing of it from looking is not told, and a needed check that passed is not mentioned', async () => {
    const checks = [down, check('lists', 'servers'), check('topic', 'kafka', { needs: ['lists'] })];
    expect(idsOf(await look(checks, {}, 'kafka'))).toEqual([[], [], ['topic']]);
  });

  test('a stack that cannot be opened: what is wrong with its settings is told', async () => {
    const config = check('config-invalid', 'workspace', { look: () => Promise.resolve([trouble]) }) as never;
    const stack = { why: 'the stack cannot be opened', behind: ['config-invalid'] };
    const checks = { place: [config], stack: [check('topic', 'kafka')] };
    expect(idsOf(await look([], { checks, stack }, 'kafka'))).toEqual([['config-invalid'], ['topic'], []]);
  });

  test('the checks of every server find themselves behind a server that is down, which is a check', async () => {
    const place = placeOf({ shared: { 'unwell servers': [{ id: 'server-down', trouble }] } });
    for (const id of ['kafka-answers', 's3-answers', 'postgresql-answers', 'catalog-answers', 'flink-slots', 'table-objects'])
      await expect(stackChecks.find((one) => one.id === id)!.look(place), id).rejects.toMatchObject({ id: 'server-down' });
    const ids = [...placeChecks, ...stackChecks].map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['server-down', 'bucket-missing', 'catalog-objects', 'config-invalid', 'state-damaged']));
  });
});

test('what is told better elsewhere is not looked at where it was found, and is where that could not be told', async () => {
  const stop = check('stop', 'pipeline', { unless: ['lag'] });
  const lag = (more: Partial<Check>): Check => check('lag', 'engine', more);
  expect(idsOf(await look([lag({ look: down.look }), stop]))).toEqual([['lag'], ['stop'], []]);
  expect(idsOf(await look([lag({ look: () => Promise.reject(new Error('not told')) }), stop]))).toEqual([[], ['lag'], ['stop']]);
  expect(idsOf(await look([lag({ look: down.look }), stop], {}, 'pipeline'))).toEqual([['lag'], ['stop'], []]);
});

describe('what a person is told in the end', () => {
  const verdict = (report: Report): string =>
    doctorText({ ...report, healthy: true, seconds: 1, findings: report.findings.map((finding) => ({ ...finding, fixable: false })) })
      .split('\n')
      .at(-1)!;

  test('all is well only when everything could be looked at', async () => {
    expect(verdict(await look([check('a', 'kafka'), check('b', 'kafka')]))).toBe('Nothing is wrong: 2 checks passed, in 1.0 s.');
    const blind = check('b', 'kafka', { look: () => Promise.reject(new Error('it does not tell')) });
    expect(verdict(await look([check('a', 'kafka'), blind]))).toBe('Nothing was found, but 1 check could not run: 1 passed, in 1.0 s.');
  });

  test('before the first up there is no stack that could be wrong', async () => {
    const { signal: _signal, share: _share, ...place } = placeOf({});
    const report = await look([check('disk', 'machine'), check('topic', 'kafka')], { stack: { ...place, isKnown: false } });
    expect(report.couldNotRun).toEqual([{ id: 'topic', reason: expect.stringContaining('no stack here yet') as string }]);
    expect(verdict(report)).toBe('Nothing is wrong so far: 1 check passed, in 1.0 s.');
  });
});
