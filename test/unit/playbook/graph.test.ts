import { expect, it } from 'vitest';
import { findCycle, graphOf, reversed } from '../../../src/playbook/graph.js';
import { task } from './fakes.js';

it('names a cycle in order', () => {
  const tasks = [task('x'), task('a', { needs: ['x', 'b'] }), task('b', { needs: ['c'] }), task('c', { needs: ['a'] })];
  expect(findCycle(tasks)).toEqual(['a', 'b', 'c', 'a']);
  expect(findCycle(tasks.slice(0, 3))).toBeUndefined();
  expect(() => graphOf(tasks, () => true)).toThrow('a, b, c, a');
});

it('looks through tasks that take no part', () => {
  const tasks = [task('a'), task('b', { needs: ['a'] }), task('c', { needs: ['b'] }), task('d', { needs: ['c', 'a'] })];
  const needs = Object.fromEntries(graphOf(tasks, ({ id }) => id === 'a' || id === 'd').map((node) => [node.task.id, node.needs]));
  expect(needs).toEqual({ a: [], d: ['a'] });
});

it('turns every arrow round', () => {
  const nodes = reversed(graphOf([task('a'), task('b', { needs: ['a'] }), task('c', { needs: ['a'] })], () => true));
  expect(nodes.map((node) => [node.task.id, node.needs])).toEqual([
    ['c', []],
    ['b', []],
    ['a', ['b', 'c']],
  ]);
});

it('refuses a need that does not exist', () => {
  expect(() => graphOf([task('a', { needs: ['nothing'] })], () => true)).toThrow('task a needs nothing');
});
