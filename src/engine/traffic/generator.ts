import { type DmaLine } from '../machine/dmaLine';

/** One access of a generator: what a request needs but the device. */
export type TrafficAccess = Omit<DmaLine, 'sid' | 'pasid'> & { readonly length: number };

/**
 * An endless stream of accesses that its specification and its seed determine. One file a generator, listed in index.ts.
 * `next` is one access; `skip` is many of them, without making each.
 */
export interface TrafficGenerator {
  /** Bytes that an access moves, on average: what a rate counts. */
  readonly bytesPerAccess: number;
  /** Of all accesses, how many write memory: 0 to 1. */
  readonly writeShare: number;
  next(): TrafficAccess;
  /**
   * Goes on by so many accesses, and names every page of 4 KiB (by number, of the IOVA) that they write, as half-open ranges, in
   * any order and more than once. Names exactly the pages that as many calls of `next` would have written.
   */
  skip(accesses: number, wrote: (startPage: number, endPage: number) => void): void;
}
