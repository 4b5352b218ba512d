import { type WroteListener } from './generator';

/** Places at the same distance from each other that are used in turn, again and again. Bytes. */
export interface Ring {
  readonly start: number;
  /** From one place to the next. */
  readonly stride: number;
  /** Used of each: at most `stride`. */
  readonly size: number;
  readonly count: number;
}

/** Where the place of a turn begins; turns count from 0. */
export const placeOf = ({ start, stride, count }: Ring, turn: number): number =>
  start + (turn % count) * stride;

/** Names the pages in which the places of the turns [from, to) lie. */
export function namePlaces(ring: Ring, from: number, to: number, wrote: WroteListener): void {
  const { count } = ring;
  if (from >= to) return;
  if (to - from >= count) {
    nameRow(ring, 0, count, wrote);
    return;
  }
  const first = from % count;
  const end = first + to - from;
  nameRow(ring, first, Math.min(end, count), wrote);
  if (end > count) nameRow(ring, 0, end - count, wrote);
}

/** Places [first, end) in the order of memory. */
function nameRow({ start, stride, size }: Ring, first: number, end: number, wrote: WroteListener): void {
  // Between two places no page is left out unless a whole one fits there.
  if (stride - size < 4096) nameBytes(start + first * stride, (end - 1 - first) * stride + size, wrote);
  else for (let place = first; place < end; place++) nameBytes(start + place * stride, size, wrote);
}

/** Names the pages of some bytes. */
export function nameBytes(start: number, bytes: number, wrote: WroteListener): void {
  wrote(Math.floor(start / 4096), Math.floor((start + bytes - 1) / 4096) + 1);
}

/**
 * Where accesses come in groups of `group`, the one of each with this place in it makes a turn: the first turn of an access
 * with number `index` or later.
 */
export const turnFrom = (index: number, group: number, place: number): number =>
  Math.max(0, Math.ceil((index - place) / group));
