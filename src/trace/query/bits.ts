/** Rows of a chunk as bits, 32 to a word: bit `row & 31` of word `row >> 5`. Bits behind the last row are clear. */
export type Bits = Int32Array;

export const wordsOf = (rows: number): number => (rows + 31) >>> 5;

/** How many bits of a word are set. Counted in parallel: pairs, nibbles, bytes. */
export function popcount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export function countBits(bits: Bits, words = bits.length): number {
  let count = 0;
  for (let word = 0; word < words; word++) count += popcount(bits[word] ?? 0);
  return count;
}

/** Sets the bits [from, to) and clears all else of the words that [start, end) has; `start` is a multiple of 32. */
export function setRange(bits: Bits, start: number, end: number, from: number, to: number): void {
  const [first, last] = [start >> 5, wordsOf(end)];
  bits.fill(0, first, last);
  if (from >= to) return;
  const [low, high] = [from >> 5, (to - 1) >> 5];
  bits.fill(-1, low, high + 1);
  bits[low] = (bits[low] ?? 0) & (-1 << (from & 31));
  bits[high] = (bits[high] ?? 0) & (-1 >>> (31 - ((to - 1) & 31)));
}

/** How many bits are set before this row. */
export function bitsBefore(bits: Bits, row: number): number {
  const word = row >> 5;
  const inside = (bits[word] ?? 0) & ~(-1 << (row & 31));
  return countBits(bits, Math.min(word, bits.length)) + popcount(inside);
}

/** The row of the set bit with this index; -1 when there are fewer. */
export function selectBit(bits: Bits, index: number): number {
  let left = index;
  for (let word = 0; word < bits.length; word++) {
    let rest = bits[word] ?? 0;
    const here = popcount(rest);
    if (left >= here) {
      left -= here;
      continue;
    }
    for (; left > 0; left--) rest &= rest - 1;
    return (word << 5) + lowestBit(rest);
  }
  return -1;
}

/** Number of the lowest set bit of a word that is not 0. */
export const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);

/** The first set bit in [from, to), or the last one; -1 when there is none. */
export function firstBit(bits: Bits, from: number, to: number): number {
  for (let word = from >> 5; word << 5 < to; word++) {
    const rest = (bits[word] ?? 0) & (word === from >> 5 ? -1 << (from & 31) : -1);
    if (rest === 0) continue;
    const row = (word << 5) + lowestBit(rest);
    return row < to ? row : -1;
  }
  return -1;
}

export function lastBit(bits: Bits, from: number, to: number): number {
  if (from >= to) return -1;
  for (let word = (to - 1) >> 5; word >= from >> 5; word--) {
    const rest = (bits[word] ?? 0) & (word === (to - 1) >> 5 ? -1 >>> (31 - ((to - 1) & 31)) : -1);
    if (rest === 0) continue;
    const row = (word << 5) + 31 - Math.clz32(rest);
    return row >= from ? row : -1;
  }
  return -1;
}
