import { type Fault } from '../faults';
import { type FrameNumber } from '../values';
import { type EntryClass } from './entryClass';

/** One entry that a walk read. */
export interface TableStep {
  /** 1 = leaf-most. */
  readonly depth: number;
  /** First frame of the table. */
  readonly table: FrameNumber;
  readonly index: number;
  /** Byte address of the entry, as the tables give it: guest physical when there is a stage 2 below. */
  readonly address: number;
  readonly lo: number;
  readonly hi: number;
  readonly class: EntryClass;
  /** READ | WRITE that is left after this entry. */
  readonly permission: number;
  /** The stage-2 walk that found the entry. */
  readonly under?: TableWalk;
}

/** A walk of one stage, with the stage-2 walks it needed. */
export interface TableWalk {
  /** The address that was walked. */
  readonly inputLo: number;
  readonly inputHi: number;
  readonly steps: readonly TableStep[];
  /** The stage-2 walk of the output address, or the one that ended this walk. */
  readonly under?: TableWalk;
  readonly outcome:
    | {
        readonly ok: true;
        /** Physical, after stage 2 where there is one. */
        readonly paddrLo: number;
        readonly paddrHi: number;
        /** log2 of the bytes of the page of this stage. */
        readonly pageShift: number;
        /** READ | WRITE, of both stages. */
        readonly permission: number;
      }
    | {
        readonly ok: false;
        readonly fault: Fault;
        /** Depth of the entry at fault, or of the table that cannot be read, in the stage at fault; 0: before any table. */
        readonly depth: number;
        /** 2: refused by the stage 2 below a stage 1. */
        readonly stage: 1 | 2;
      };
}
