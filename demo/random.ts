/** Chance that is the same again for the same seed. */

/** From 0 up to, not including, 1. */
export type Random = () => number;

/** Draws cards, each there so many times, without replacement; from a new deck when it is empty. */
export function deck<T>(random: Random, cards: readonly (readonly [T, number])[]): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = cards.flatMap(([card, count]) => Array.from({ length: count }, () => card));
    return left.splice(Math.floor(random() * left.length), 1)[0] as T;
  };
}

export function pick<T>(random: Random, cards: readonly (readonly [T, number])[]): T {
  return deck(random, cards)();
}

/** Tommy Ettinger's mulberry32: small, good enough for a story, the same everywhere. */
export function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
