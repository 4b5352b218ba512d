/** A small generator with a seed: the same figures come from the same domain on every machine. Returns 32 bits. */
export function makeRandom(seed: number): () => number {
  let state = (seed * 0x9e3779b1) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** 0 to bound - 1. */
export const below = (random: () => number, bound: number): number =>
  Math.floor((random() / 2 ** 32) * bound);
