import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  balloonGame,
  COLORS,
  FAVORITES,
  PLAYER_NAMES,
  randomFrom,
  SCORES,
  type GameOptions,
} from '../../../src/generator/balloon-popper.js';

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const options = fc.record({
  players: fc.integer({ min: 1, max: 120 }),
  bonusProbability: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: seeds,
});
const play = (game: GameOptions, length: number) => Array.from({ length }, balloonGame(game));

describe('the numbers of a seed', () => {
  it('are those of mulberry32, so that other tools can replay a game', () => {
    // Computed with a second implementation of the algorithm, in Python.
    const first = (seed: number) => Array.from({ length: 3 }, randomFrom(seed)).map((x) => Math.round(x * 2 ** 32));
    expect(first(0)).toEqual([1144304738, 1416247, 958946056]);
    expect(first(7)).toEqual([50271532, 266108690, 4195786334]);
  });

  it('stay in [0, 1)', () => {
    fc.assert(fc.property(seeds, (seed) => Array.from({ length: 50 }, randomFrom(seed)).every((x) => x >= 0 && x < 1)));
  });
});

describe('the game', () => {
  it('is the same for the same options', () => {
    fc.assert(
      fc.property(options, (game) => {
        expect(play(game, 60)).toEqual(play(game, 60));
      }),
    );
  });

  it('is another one for another seed', () => {
    const game = { players: 10, bonusProbability: 0.15 };
    fc.assert(
      fc.property(seeds, seeds, (a, b) => {
        fc.pre(a !== b);
        expect(play({ ...game, seed: a }, 40)).not.toEqual(play({ ...game, seed: b }, 40));
      }),
    );
  });

  it('scores a colour, twice when it is a favourite of somebody', () => {
    const favorites = new Set(Object.values(FAVORITES).flat());
    fc.assert(
      fc.property(options, (game) => {
        for (const pop of play(game, 40)) {
          const score = SCORES[pop.balloon_color];
          expect(pop.score).toBe(pop.favorite_color_bonus ? 2 * (score ?? NaN) : score);
          if (pop.favorite_color_bonus) expect(favorites).toContain(pop.balloon_color);
          expect(PLAYER_NAMES).toContain(pop.player);
        }
      }),
    );
  });

  it('has as many players as asked for, up to the 49 names', () => {
    for (const players of [1, 10, 49, 200]) {
      const names = new Set(play({ players, bonusProbability: 0.15, seed: 7 }, 20_000).map(({ player }) => player));
      expect(names.size).toBe(Math.min(players, 49));
    }
  });

  it('gives favourites with the chance asked for, plus those that any colour gives', () => {
    // Without aiming, a character's favourites are 34 of 18 × 11 pairs; black is none of them.
    const byChance = Object.values(FAVORITES).reduce((sum, colors) => sum + colors.length, 0) / (18 * COLORS.length);
    const size = 40_000;
    for (const bonusProbability of [0, 0.15, 0.5, 1]) {
      const share = play({ players: 10, bonusProbability, seed: 42 }, size).filter((pop) => pop.favorite_color_bonus).length / size;
      const expected = bonusProbability + (1 - bonusProbability) * byChance;
      // Five standard deviations.
      expect(Math.abs(share - expected)).toBeLessThanOrEqual(5 * Math.sqrt((expected * (1 - expected)) / size));
    }
  });

  it('without aiming, pops every colour and every player about equally often, and never black', () => {
    const size = 44_000;
    const pops = play({ players: 10, bonusProbability: 0, seed: 3 }, size);
    const count = (key: 'balloon_color' | 'player') => [
      ...pops.reduce((all, pop) => all.set(pop[key], (all.get(pop[key]) ?? 0) + 1), new Map<string, number>()).values(),
    ];
    for (const [key, kinds] of [
      ['balloon_color', COLORS.length],
      ['player', 10],
    ] as const) {
      expect(count(key)).toHaveLength(kinds);
      for (const events of count(key)) expect(Math.abs(events - size / kinds)).toBeLessThan(5 * Math.sqrt(size / kinds));
    }
    expect(COLORS).not.toContain('black');
  });
});
