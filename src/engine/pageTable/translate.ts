import { FAULTS, type AddressSpace, type Fault } from '../directory/deviceDirectory';
import { levelOf, type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { assert } from '../result';
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
  isForbiddenOutput,
} from './entry';
import { LeafTables, LOOKUP_ROWS } from './leafTables';
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

const TRANSLATED = 0;
/** Not a status: the entry points to a table. */
const GO_ON = 255;
const statusOf = (fault: Fault): number => 1 + FAULTS.indexOf(fault);
const ADDRESS_WIDTH = statusOf('address-width');
const TABLE_UNREADABLE = statusOf('table-unreadable');
const NOT_PRESENT = statusOf('not-present');
const ENTRY_RESERVED = statusOf('entry-reserved');
const INTERRUPT_OUTPUT = statusOf('interrupt-output');
const READ_DENIED = statusOf('read-denied');
const WRITE_DENIED = statusOf('write-denied');

/** The fault of a refused row. */
export function faultOf(status: number): Fault {
  const fault = FAULTS[status - 1];
  assert(fault, `${status} is the status of no fault`);
  return fault;
}

/**
 * Translates the rows [from, to) of a batch: `walkTables` fused, equal to it on every input. Who translates many batches of
 * the same address space gives the same `tables` to each.
 */
export function translateBatch(
  memory: PhysicalMemory,
  space: AddressSpace,
  batch: TranslationBatch,
  from = 0,
  to = batch.count,
  tables = new LeafTables(memory, space.format, to - from),
): void {
  const leafMost = levelOf(space.format, 1);
  for (let first = from; first < to; first += LOOKUP_ROWS) {
    const end = Math.min(first + LOOKUP_ROWS, to);
    tables.lookUp(batch.addressLo, batch.addressHi, first, end);
    let current = true;
    for (let row = first; row < end; row++) {
      const needed = batch.write[row] === 1 ? WRITE : READ;
      const permission = tables.permission[row - first] ?? 0;
      if (!current || (permission & needed) === 0) {
        batch.status[row] = walkRow(memory, space, tables, batch, row, needed);
        current = tables.current;
        continue;
      }
      const lo = tables.lo(row - first);
      const hi = tables.hi(row - first);
      batch.level[row] = 1;
      batch.status[row] = takeEntry(space.format, leafMost, batch, row, needed, permission, lo, hi);
    }
  }
}

/** Walks from the root. */
function walkRow(
  memory: PhysicalMemory,
  space: AddressSpace,
  tables: LeafTables,
  batch: TranslationBatch,
  row: number,
  needed: number,
): number {
  const { format } = space;
  const addressLo = batch.addressLo[row] ?? 0;
  const addressHi = batch.addressHi[row] ?? 0;
  batch.level[row] = 0;
  if (beyondWidth(space, addressLo, addressHi)) return ADDRESS_WIDTH;
  let permission = READ_WRITE;
  let table = space.root;
  for (let number = format.rootLevel; number > 0; number--) {
    const level = levelOf(format, number);
    const words = memory.readFrame(table);
    batch.level[row] = number;
    if (!words) return TABLE_UNREADABLE;
    // A kept table answers for all addresses it covers, so it must lie within the width as a whole.
    if (number === 1 && space.inputBits >= levelOf(format, 2).shift) {
      tables.keep(addressLo, addressHi, words, permission);
    }
    const index = indexAt(level, addressLo, addressHi);
    const lo = words[2 * index] ?? 0;
    const hi = words[2 * index + 1] ?? 0;
    const status = takeEntry(format, level, batch, row, needed, permission, lo, hi);
    if (status !== GO_ON) return status;
    permission &= entryPermission(format, lo, hi);
    table = entryFrame(format, lo, hi);
  }
  return TABLE_UNREADABLE;
}

/** What one entry makes of a row: its status, with the answer when it is translated, or GO_ON for a table. */
function takeEntry(
  format: CompiledFormat,
  level: CompiledLevel,
  batch: TranslationBatch,
  row: number,
  needed: number,
  above: number,
  lo: number,
  hi: number,
): number {
  const found = classify(format, level, lo, hi);
  if (found === ABSENT) return NOT_PRESENT;
  if (found === MALFORMED) return ENTRY_RESERVED;
  const permission = above & entryPermission(format, lo, hi);
  if ((permission & needed) === 0) return needed === WRITE ? WRITE_DENIED : READ_DENIED;
  if (found !== LEAF) return GO_ON;
  const { shift } = level;
  // Shifts, not powers: a power in this loop costs as much as all the rest.
  const belowLo = shift >= 32 ? -1 : (1 << shift) - 1;
  const belowHi = shift > 32 ? (1 << (shift - 32)) - 1 : 0;
  const paddrLo = (lo & 0xfffff000 & ~belowLo) | ((batch.addressLo[row] ?? 0) & belowLo);
  const paddrHi = (hi & format.addressHi & ~belowHi) | ((batch.addressHi[row] ?? 0) & belowHi);
  if (isForbiddenOutput(format, paddrLo, paddrHi)) return INTERRUPT_OUTPUT;
  batch.permission[row] = permission;
  batch.paddrLo[row] = paddrLo;
  batch.paddrHi[row] = paddrHi;
  batch.entryLo[row] = lo;
  batch.entryHi[row] = hi;
  return TRANSLATED;
}
