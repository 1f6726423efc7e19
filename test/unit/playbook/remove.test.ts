import { expect, it } from 'vitest';
import { removeGraph, runGraph } from '../../../src/playbook/run.js';
import { setup, task } from './fakes.js';

const removals = (calls: string[]) => calls.filter((call) => call.startsWith('remove')).map((call) => call.slice(7));

it('removes in reverse order, across tasks that are not for this selection, and says what was not there', async () => {
  const { options, calls, applied } = setup([
    task('server'),
    task('other', { needs: ['server'], when: { stack: ['other'] } }),
    task('topic', { needs: ['other'] }),
  ]);
  await runGraph({ ...options, mode: 'apply' });
  const first = await removeGraph(options);
  expect(removals(calls)).toEqual(['topic', 'server']);
  expect([...applied]).toEqual([]);
  expect(first).toMatchObject({ mode: 'remove', changed: 2, ok: 0, failed: 0 });
  expect(first.tasks.map(({ id }) => id)).toEqual(['server', 'topic']);
  expect(await removeGraph(options)).toMatchObject({ changed: 0, ok: 2, failed: 0 });
});

it('goes on after a failure and reports it', async () => {
  const { options, calls } = setup([task('server'), task('topic', { needs: ['server'] })], {
    topic: { remove: () => Promise.reject(new Error('will not go')) },
  });
  await runGraph({ ...options, mode: 'apply' });
  const result = await removeGraph(options);
  expect(removals(calls)).toEqual(['topic', 'server']);
  expect(result).toMatchObject({ changed: 1, failed: 1 });
  expect(result.error).toMatchObject({ message: 'will not go' });
});

it('removes only what it is told to, in the same order', async () => {
  const { options, calls } = setup([task('a'), task('b', { needs: ['a'] }), task('c', { needs: ['b'] })]);
  await runGraph({ ...options, mode: 'apply' });
  await removeGraph({ ...options, only: ({ id }) => id !== 'b' });
  expect(removals(calls)).toEqual(['c', 'a']);
});
