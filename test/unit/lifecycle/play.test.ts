import { expect, it } from 'vitest';
import { playing } from '../../../src/lifecycle/play.js';

it('the game tells how far it is: the seconds that went by, of those that it was given', () => {
  const progress = { acknowledged: 513, seconds: 10.258562588, totalScore: 41_000 };
  expect(playing(progress, 30)).toBe('Playing: 513 events in 10 of 30 s, total score 41000');
});
