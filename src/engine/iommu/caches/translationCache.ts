import { type Fault } from '../../faults';
import { type CacheTag, type TranslationSelection, type TableSelection } from '../cacheOperation';

/** A finished translation as an IOTLB holds it. Pages are of 4 KiB. */
export interface CachedTranslation {
  readonly tag: CacheTag;
  /** Good for all spaces of its vm. */
  readonly global: boolean;
  /** First input page, and log2 of the bytes the entry is good for. */
  readonly page: number;
  readonly shift: number;
  /** First output page. */
  readonly outputPage: number;
  /** READ | WRITE of all stages; 0 with `fault`. */
  readonly permission: number;
  /** A (D) is set already in the leaf of every stage where hardware sets it: an access (a write) touches no table. */
  readonly accessedDone: boolean;
  readonly dirtyDone: boolean;
  /** log2 bytes of the leaf of each stage; 0: no such stage. An invalidation by address reaches all of these bytes. */
  readonly stage1Shift: number;
  readonly stage2Shift: number;
  /** First guest page of the stage-2 part; -1 without a stage 2. */
  readonly guestPage: number;
  /** Byte addresses of the leaf entries it was made from (host physical); -1: no such stage. */
  readonly stage1Leaf: number;
  readonly stage2Leaf: number;
  /** A cached refusal, where not-present entries are cached. */
  readonly fault?: Fault;
}

/** IOTLB or device TLB. */
export interface TranslationCache {
  /** The smallest entry around a page, of this tag or global in its vm. */
  lookup(tag: CacheTag, page: number): CachedTranslation | undefined;
  /** Puts an entry in the place of one with the same page, shift and tag, of a free way, or of one by seed. */
  insert(entry: CachedTranslation): void;
  /** An entry of another size that covers a part of these bytes: Arm raises a conflict fault for such (BBML 0 and 1). */
  conflicting(entry: CachedTranslation): CachedTranslation | undefined;
  drop(entry: CachedTranslation): void;
  /**
   * `removesLarger`: also entries larger than what the selection says was changed. `ofLeaves` false: by address only what is
   * cached around it, a mistake. Returns how many went.
   */
  invalidate(selection: TranslationSelection, removesLarger: boolean, ofLeaves?: boolean): number;
  /** Drops one entry by seed; false when there is none. */
  evictOne(): boolean;
  clear(): void;
  entries(): IterableIterator<CachedTranslation>;
  readonly size: number;
}

/** A pointer to a table, as walk caches hold it: what a walk up to there has found. */
export interface CachedTable {
  readonly tag: CacheTag;
  readonly stage: 1 | 2;
  /** Depth of the table pointed to (1 = leaf-most), its first frame where it is read (host physical), and that of the tables' own address. */
  readonly depth: number;
  readonly frame: number;
  readonly guestFrame: number;
  /** log2 bytes of the stage-2 leaf that translated the tables' own address; 0 without a stage 2. */
  readonly guestShift: number;
  /** First input page and log2 of the bytes of input address that the table covers. */
  readonly page: number;
  readonly shift: number;
  /** READ | WRITE that the entries above leave. */
  readonly permission: number;
}

export interface TableCache {
  /** The deepest table known for a page. */
  lookup(tag: CacheTag, stage: 1 | 2, page: number): CachedTable | undefined;
  insert(entry: CachedTable): void;
  invalidate(selection: TableSelection): number;
  evictOne(): boolean;
  clear(): void;
  entries(): IterableIterator<CachedTable>;
  readonly size: number;
}
