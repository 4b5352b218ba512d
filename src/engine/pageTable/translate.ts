import { FAULTS, type AddressSpace, type Fault } from '../directory/deviceDirectory';
import { levelOf } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { readEntry, type EntryHalves } from '../memory/words';
import {
  ABSENT,
  LEAF,
  MALFORMED,
  READ,
  READ_WRITE,
  WRITE,
  classify,
  entryFrame,
  entryPermission,
  indexAt,
} from './entry';
import { beyondWidth } from './walk';

/** Requests of one address space and their answers, struct of arrays. Row i of each array belongs to request i. */
export interface TranslationBatch {
  readonly count: number;
  readonly addressLo: Uint32Array;
  readonly addressHi: Uint32Array;
  /** 1 = write. */
  readonly write: Uint8Array;
  /** 0 = translated, else 1 + index in FAULTS. */
  readonly status: Uint8Array;
  /** Of the leaf, or of the entry at fault; 0 = before any table. */
  readonly level: Uint8Array;
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
    level: new Uint8Array(count),
    permission: new Uint8Array(count),
    paddrLo: new Uint32Array(count),
    paddrHi: new Uint32Array(count),
    entryLo: new Uint32Array(count),
    entryHi: new Uint32Array(count),
  };
}

const statusOf = (fault: Fault): number => 1 + FAULTS.indexOf(fault);
const ADDRESS_WIDTH = statusOf('address-width');
const TABLE_UNREADABLE = statusOf('table-unreadable');
const NOT_PRESENT = statusOf('not-present');
const ENTRY_RESERVED = statusOf('entry-reserved');
const READ_DENIED = statusOf('read-denied');
const WRITE_DENIED = statusOf('write-denied');

/** The fault of a refused row. */
export function faultOf(status: number): Fault {
  return FAULTS[status - 1] ?? 'blocked';
}

/** Translates the rows [from, to) of a batch: `walkTables` fused, equal to it on every input. */
export function translateBatch(
  memory: PhysicalMemory,
  space: AddressSpace,
  batch: TranslationBatch,
  from = 0,
  to = batch.count,
): void {
  const halves: EntryHalves = { lo: 0, hi: 0 };
  for (let row = from; row < to; row++) {
    const addressLo = batch.addressLo[row] ?? 0;
    const addressHi = batch.addressHi[row] ?? 0;
    batch.status[row] = translateRow(memory, space, batch, row, addressLo, addressHi, halves);
  }
}

function translateRow(
  memory: PhysicalMemory,
  space: AddressSpace,
  batch: TranslationBatch,
  row: number,
  addressLo: number,
  addressHi: number,
  halves: EntryHalves,
): number {
  const { format } = space;
  batch.level[row] = 0;
  if (beyondWidth(space, addressLo, addressHi)) return ADDRESS_WIDTH;
  const needed = batch.write[row] === 1 ? WRITE : READ;
  let permission = READ_WRITE;
  let table = space.root;
  for (let number = format.rootLevel; number > 0; number--) {
    const level = levelOf(format, number);
    batch.level[row] = number;
    if (!readEntry(memory, table, indexAt(level, addressLo, addressHi), halves)) return TABLE_UNREADABLE;
    const { lo, hi } = halves;
    const found = classify(format, level, lo, hi);
    if (found === ABSENT) return NOT_PRESENT;
    if (found === MALFORMED) return ENTRY_RESERVED;
    permission &= entryPermission(format, lo, hi);
    if ((permission & needed) === 0) return needed === WRITE ? WRITE_DENIED : READ_DENIED;
    if (found === LEAF) {
      const belowLo = level.shift >= 32 ? 0xffffffff : 2 ** level.shift - 1;
      const belowHi = level.shift > 32 ? 2 ** (level.shift - 32) - 1 : 0;
      batch.permission[row] = permission;
      batch.paddrLo[row] = (lo & 0xfffff000 & ~belowLo) | (addressLo & belowLo);
      batch.paddrHi[row] = (hi & format.addressHi & ~belowHi) | (addressHi & belowHi);
      batch.entryLo[row] = lo;
      batch.entryHi[row] = hi;
      return 0;
    }
    table = entryFrame(format, lo, hi);
  }
  return TABLE_UNREADABLE;
}
