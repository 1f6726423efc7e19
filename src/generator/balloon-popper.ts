/** One balloon popped, without the time: that is what a seed decides. */
export interface BalloonPop {
  player: string;
  balloon_color: string;
  score: number;
  /** The colour is a favourite of the character that was played; the score is doubled. */
  favorite_color_bonus: boolean;
}

/** A record of the topic; its key is the player. */
export interface BalloonEvent extends BalloonPop {
  /** ISO 8601 in UTC, with Z. */
  event_ts: string;
}

export const SCORES: Readonly<Record<string, number>> = {
  red: 100,
  gold: 90,
  white: 80,
  blue: 75,
  grey: 70,
  green: 60,
  pink: 55,
  yellow: 50,
  orange: 45,
  purple: 40,
  brown: 35,
};
export const COLORS = Object.keys(SCORES);

/** Favourite colours by character. `black` of the original demo is left out: it has no score. */
export const FAVORITES: Readonly<Record<string, readonly string[]>> = {
  Jerry: ['brown', 'yellow'],
  Tom: ['grey', 'blue'],
  Mickey: ['red'],
  Donald: ['blue', 'white'],
  Bugs_Bunny: ['grey', 'orange'],
  Daffy_Duck: ['orange'],
  SpongeBob: ['yellow', 'brown'],
  Patrick: ['pink', 'green'],
  Pikachu: ['yellow', 'red'],
  Mario: ['red', 'blue'],
  Sonic: ['blue', 'gold'],
  Woody: ['brown', 'yellow'],
  Buzz: ['green', 'purple'],
  Scooby: ['brown', 'green'],
  Popeye: ['blue', 'red'],
  Pink_Panther: ['pink', 'purple'],
  Road_Runner: ['blue', 'purple'],
  Tweety: ['yellow', 'orange'],
};
const CHARACTERS = Object.values(FAVORITES);

const FIRST = ['Swift', 'Bouncy', 'Cosmic', 'Lucky', 'Mighty', 'Gentle', 'Wild'];
const LAST = ['Balloon', 'Cloud', 'Star', 'Wind', 'Phoenix', 'Dragon', 'Spirit'];
/** Every name that a player can have. */
export const PLAYER_NAMES = FIRST.flatMap((first) => LAST.map((last) => `${first} ${last}`));

/** mulberry32: 32 bits of state, the same numbers on every machine; each is in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface GameOptions {
  players: number;
  /** Chance that a player aims for a favourite colour of the character. */
  bonusProbability: number;
  /** 0 to 2^32 - 1. */
  seed: number;
}

/**
 * The game as an endless sequence of pops; the same options give the same sequence. For each one a player and a character
 * are drawn; the colour is a favourite of the character with the given chance and otherwise any colour (maybe a favourite).
 * Names are different as long as there are any left, and repeat beyond the 49 of them.
 */
export function balloonGame({ players, bonusProbability, seed }: GameOptions): () => BalloonPop {
  const random = randomFrom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const left = [...PLAYER_NAMES];
  const names = Array.from({ length: players }, () =>
    left.length === 0 ? pick(PLAYER_NAMES) : (left.splice(Math.floor(random() * left.length), 1)[0] as string),
  );
  return () => {
    const player = pick(names);
    const favorites = pick(CHARACTERS);
    const color = random() < bonusProbability ? pick(favorites) : pick(COLORS);
    const bonus = favorites.includes(color);
    const score = SCORES[color] as number;
    return { player, balloon_color: color, score: bonus ? score * 2 : score, favorite_color_bonus: bonus };
  };
}
