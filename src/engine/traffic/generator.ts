import { type DmaLine } from '../machine/dmaLine';

/** One access of a generator: what a request needs but the device. May run over pages: it is split as a device splits it. */
export type TrafficAccess = Omit<DmaLine, 'sid' | 'pasid'> & { readonly length: number };

/** Takes pages of 4 KiB (by number, of the IOVA) that were written: a half-open range. */
export type WroteListener = (startPage: number, endPage: number) => void;

/**
 * An endless stream of accesses that its specification and its seed determine. One file a generator, listed in index.ts.
 * `next` is one access; `skip` is many of them, without making each.
 */
export interface TrafficGenerator {
  /**
   * Bytes that an access moves, on average over all of them: a rate of so many bytes a second are rate / bytesPerAccess accesses.
   * All of it counts, descriptors and commands, too.
   */
  readonly bytesPerAccess: number;
  /** Of all accesses, how many write memory, atomic ones included: 0 to 1. */
  readonly writeShare: number;
  next(): TrafficAccess;
  /**
   * Goes on by so many accesses, and names every page of 4 KiB (by number, of the IOVA) that they write, as half-open ranges, in
   * any order and more than once. Names exactly the pages that as many calls of `next` would have written.
   *
   * Without `wrote`, and for what goes round in rings, it takes no time to speak of. Where places or directions are drawn it takes
   * a draw a run (a command, of NVMe), about 50 million a second, until all of memory is written: who must not wait that long
   * calls it for a part after the other, which is the same. It is called at most once for each buffer of a ring with pages
   * between its buffers that nobody writes.
   */
  skip(accesses: number, wrote?: WroteListener): void;
  /**
   * As `skip`, where it would draw more than 8 million runs: what is drawn is told as chances of pages instead, all else is named to
   * `wrote`. Undefined, and nothing is done: there is less to draw, or nothing. For models; machines meet every access.
   */
  scatter?(accesses: number, wrote: WroteListener): readonly ScatteredPages[] | undefined;
}

/** Units of some pages each, one after the other, each of which is written whole with a chance. */
export interface ScatteredPages {
  readonly startPage: number;
  readonly unitPages: number;
  readonly units: number;
  readonly chance: number;
}

/** A generator of which every access is known by its number, from 0. */
export interface NumberedAccesses {
  readonly bytesPerAccess: number;
  readonly writeShare: number;
  access(index: number): TrafficAccess;
  /** Names the pages that the accesses [from, to) write. */
  written(from: number, to: number, wrote: WroteListener): void;
  /** As `written` where there is too much to draw; undefined, with nothing named: there is not. */
  scattered?(from: number, to: number, wrote: WroteListener): readonly ScatteredPages[] | undefined;
}

export function inOrder(accesses: NumberedAccesses): TrafficGenerator {
  const { bytesPerAccess, writeShare } = accesses;
  let at = 0;
  return {
    bytesPerAccess,
    writeShare,
    next: () => accesses.access(at++),
    skip(count, wrote) {
      if (wrote && count > 0) accesses.written(at, at + count, wrote);
      at += count;
    },
    scatter(count, wrote) {
      const pages = accesses.scattered?.(at, at + count, wrote);
      if (pages) at += count;
      return pages;
    },
  };
}
