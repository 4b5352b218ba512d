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

/** Words of 32 bits from a seed, quickly: Marsaglia's xorshift (Journal of Statistical Software 8(14), 2003). */
export class RandomWords {
  #state: number;

  constructor(seed: number) {
    // It must not be 0, which stays so.
    this.#state = drawAt(seed, 0, 2 ** 32) | 1;
  }

  /** Signed. */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state;
  }

  /** A word of these, turned by any number of bits. `from`: as many as `biased` gives. */
  pick(from: Int32Array): number {
    const random = this.next();
    const word = from[random >>> (32 - PICKED_BITS)] ?? 0;
    const turn = random & 31;
    return (word << turn) | (word >>> (32 - turn));
  }

  /** Words of which each bit is set with a chance from 0 to 1: eight million bits, so that their share is off by some 0.02 %. */
  biased(chance: number): Int32Array {
    const limit = Math.min(2 ** CHANCE_BITS - 1, Math.round(chance * 2 ** CHANCE_BITS));
    const words = new Int32Array(2 ** PICKED_BITS);
    for (let index = 0; index < words.length; index++) {
      let word = 0;
      for (let bit = 0; bit < CHANCE_BITS; bit++) {
        const random = this.next();
        word = ((limit >>> bit) & 1) === 1 ? word | random : word & random;
      }
      words[index] = word;
    }
    return words;
  }
}

const CHANCE_BITS = 31;
const PICKED_BITS = 18;
