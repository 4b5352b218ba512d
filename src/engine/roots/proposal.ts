import { type FoundFrames } from './foundFrames';
import { type FrameSignature, type SignatureId } from './signature';

export type RootKind = 'vt-d' | 'amd-vi' | 'smmuv3' | 'riscv';

/** What the pointers of a root lead to. */
export interface Targets {
  /** Frames of the form that they must have, that hold an entry. */
  good: number;
  /** Frames of zeros: tables without entries. */
  empty: number;
  /** Anything else, and frames that the memory does not hold. */
  bad: number;
  /** Present entries of the good ones. */
  entries: number;
}

export const NO_TARGETS: Readonly<Targets> = { good: 0, empty: 0, bad: 0, entries: 0 };

/** A root that the forms of frames suggest; what it leads to has not been read yet. */
export interface RootProposal {
  readonly kind: RootKind;
  /** Where it begins, and how many frames it takes. */
  readonly frame: number;
  readonly frames: number;
  /** What the registers would say, by the names of the specification. */
  readonly registers: ReadonlyMap<string, bigint>;
  /** What stands there: `root table`. */
  readonly structure: string;
  readonly targets: Readonly<Targets>;
  /** What its pointers must lead to: `context table`. */
  readonly targetName: string;
  /** Present device entries, and how many of them name page tables, where the root itself holds them. */
  readonly entries: number;
  readonly translating?: number;
  /** Frames of the directory below the root: roots of their own they are not. */
  readonly parts: readonly number[];
  /** Registers of which the memory says nothing or not all. */
  readonly assumed: readonly string[];
  /** The more usual of two readings of the same frames. */
  readonly likelier?: boolean;
}

/** One vendor's part of the search. */
export interface RootVendor {
  readonly kind: RootKind;
  readonly signatures: readonly FrameSignature[];
  /** Roots that the frames found suggest. Yields the number of frames looked at since the last yield. */
  propose(found: FoundFrames): Generator<number, RootProposal[]>;
}

/** What the frames that a root points to are. Of those without any good one only the good ones are counted. */
export function countTargets(found: FoundFrames, id: SignatureId, frames: readonly number[]): Targets {
  const targets = { good: 0, empty: 0, bad: 0, entries: 0 };
  const others: number[] = [];
  for (const frame of frames) {
    const entries = found.entries(id, frame, 1);
    if (entries > 0) targets.good++;
    else others.push(frame);
    targets.entries += entries;
  }
  if (targets.good === 0) return targets;
  for (const frame of others) {
    if (found.isZero(frame)) targets.empty++;
    else targets.bad++;
    // It is no root then, whatever the others are.
    if (targets.bad > targets.good) break;
  }
  return targets;
}
