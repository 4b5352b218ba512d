import { type Steps } from '../steps';
import { type Outcome } from './errno';
import { type SoftwareStep } from './softwareStep';

/** What a change of a table makes stale. */
export interface FlushRange {
  /** Half-open, pages of 4 KiB of input address. */
  readonly startPage: number;
  readonly endPage: number;
  /** log2 bytes of the smallest and of the largest leaf that may be cached there. */
  readonly smallestShift: number;
  readonly largestShift: number;
  /** Table pointers changed too, not only leaves: walk caches go as well. */
  readonly tables: boolean;
}

/** Removes from all caches what a domain's tables no longer say, and waits for completion: IOTLB first, then device TLBs. */
export interface Flusher {
  flush(range: FlushRange): Steps<SoftwareStep, Outcome<null>>;
  /** Everything of the domain. */
  flushAll(): Steps<SoftwareStep, Outcome<null>>;
  /** Where caches hold what is not present, too (VT-d caching mode, AMD NpCache): removes that of a range just mapped. */
  mapped?(range: FlushRange): Steps<SoftwareStep, Outcome<null>>;
  /** Devices of an IOMMU that walks without snooping need a written entry cleaned out of the CPU's cache; else does nothing. */
  clean(address: number, words: number): void;
  /** The root table or the number of levels changed: rewrites the entries of the devices that use it. */
  changeTop(): Steps<SoftwareStep, Outcome<null>>;
}
