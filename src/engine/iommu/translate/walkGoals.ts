import { type Fault } from '../../faults';
import { type WritableMemory } from '../../memory/writableMemory';
import { type TableCache } from '../caches/translationCache';
import { type HardwareRules } from '../rules';
import { type Counters } from './counters';

/** What walks of one IOMMU share. */
export interface WalkUnit {
  /** As the walker sees it. */
  readonly memory: WritableMemory;
  readonly rules: Pick<HardwareRules, 'update'>;
  readonly walkCache: TableCache;
  readonly counters: Counters;
  /** Changes with each invalidation: what a walk has read before is no longer used. */
  readonly epoch: number;
  /** A word of a table that lies in guest memory was marked. */
  markedGuest(guestAddress: number, address: number): void;
}

/**
 * What a walk is for. read, write: the access needs it, and is refused without; both for atomic operations. grant: whatever
 * the tables allow is asked for (ATS), to be used for writes, too, when `write`. prefetch: nothing is used yet.
 */
export interface WalkGoal {
  readonly kind: 'access' | 'grant' | 'prefetch';
  readonly read: boolean;
  readonly write: boolean;
}

export const TO_READ: WalkGoal = { kind: 'access', read: true, write: false };
export const TO_WRITE: WalkGoal = { kind: 'access', read: false, write: true };
export const TO_MODIFY: WalkGoal = { kind: 'access', read: true, write: true };
export const TO_GRANT: WalkGoal = { kind: 'grant', read: true, write: true };
export const TO_GRANT_READS: WalkGoal = { kind: 'grant', read: true, write: false };
export const TO_PREFETCH: WalkGoal = { kind: 'prefetch', read: false, write: false };

export interface WalkRefusal {
  readonly ok: false;
  readonly fault: Fault;
  readonly depth: number;
  readonly stage: 1 | 2;
  /** What stage 2 was asked for, when it refused. */
  readonly guestLo?: number;
  readonly guestHi?: number;
  /** Refused was hardware's own access to a table. */
  readonly implicit?: boolean;
  /** It was one to mark the entry. */
  readonly implicitWrite?: boolean;
}

/** What one stage makes of an address. */
export interface StageLeaf {
  readonly ok: true;
  /** Output address of this stage. */
  readonly lo: number;
  readonly hi: number;
  readonly permission: number;
  /** log2 of the bytes of the page that the leaf is or is a part of, and of what it may be cached for. */
  readonly pageShift: number;
  readonly heldShift: number;
  /** Physical byte address of the leaf, and the leaf as it is after marks. */
  readonly address: number;
  readonly leafLo: number;
  readonly leafHi: number;
  readonly depth: number;
  /** A write needs no change of the leaf, and is not refused for its marks. */
  readonly dirtyDone: boolean;
}

export type StageResult = StageLeaf | WalkRefusal;
