/** Numbers from a seed: the same seed gives the same numbers everywhere. Mulberry32. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to `below` - 1; `below` is at most 2^32. */
  below(below: number): number {
    this.#state = (this.#state + STRIDE) >>> 0;
    return scaled(this.#state, below);
  }
}

const STRIDE = 0x6d2b79f5;

/**
 * The number that `new SeededRandom(seed)` gives after `index` others of any kind: each without those before it. They come
 * again after 2^32.
 */
export const drawAt = (seed: number, index: number, below: number): number =>
  scaled((seed + Math.imul(index + 1, STRIDE)) >>> 0, below);

function scaled(state: number, below: number): number {
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
}
