import { FAULTS, type Fault } from '../faults';
import { assert } from '../result';

/** Requests of one address space and their answers, struct of arrays. Row i of each array belongs to request i. */
export interface TranslationBatch {
  readonly count: number;
  readonly addressLo: Uint32Array;
  readonly addressHi: Uint32Array;
  /** 1 = write. */
  readonly write: Uint8Array;
  /** 0 = translated, else 1 + index in FAULTS. */
  readonly status: Uint8Array;
  /** Of a fault: the stage that refused. */
  readonly stage: Uint8Array;
  /** Of the leaf, or of the entry at fault (1 = leaf-most); 0 = before any table. With two stages a leaf's is that of stage 1. */
  readonly depth: Uint8Array;
  /** log2 of the bytes of the leaf's page. */
  readonly pageShift: Uint8Array;
  /** READ | WRITE, effective. */
  readonly permission: Uint8Array;
  readonly paddrLo: Uint32Array;
  readonly paddrHi: Uint32Array;
  /** The leaf's word. */
  readonly entryLo: Uint32Array;
  readonly entryHi: Uint32Array;
}

export function makeBatch(count: number): TranslationBatch {
  return {
    count,
    addressLo: new Uint32Array(count),
    addressHi: new Uint32Array(count),
    write: new Uint8Array(count),
    status: new Uint8Array(count),
    stage: new Uint8Array(count),
    depth: new Uint8Array(count),
    pageShift: new Uint8Array(count),
    permission: new Uint8Array(count),
    paddrLo: new Uint32Array(count),
    paddrHi: new Uint32Array(count),
    entryLo: new Uint32Array(count),
    entryHi: new Uint32Array(count),
  };
}

export const TRANSLATED = 0;

/** The status of a row that is refused. */
export const statusOf = (fault: Fault): number => 1 + FAULTS.indexOf(fault);

/** The fault of a refused row. */
export function faultOf(status: number): Fault {
  const fault = FAULTS[status - 1];
  assert(fault, `${status} is the status of no fault`);
  return fault;
}
