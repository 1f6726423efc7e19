import { expect, it } from 'vitest';
import { quantiles } from '../../../src/doctor/probe.js';

it.each([
  [[], { p50: 0, p99: 0 }],
  [[7], { p50: 7, p99: 7 }],
  [[4, 1, 3, 2], { p50: 2, p99: 4 }],
  // Not in the order of the alphabet.
  [[100, 9, 20], { p50: 20, p99: 100 }],
  [Array.from({ length: 200 }, (_, at) => 200 - at), { p50: 100, p99: 198 }],
  // Clocks may be a little apart.
  [[-3, -1], { p50: 0, p99: 0 }],
])('quantiles of %j are %j, by nearest rank', (values, expected) => {
  const before = [...values];
  expect(quantiles(values)).toEqual(expected);
  expect(values).toEqual(before);
});
