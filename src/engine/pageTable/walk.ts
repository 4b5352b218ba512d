import { type AddressSpace, type Fault } from '../directory/deviceDirectory';
import { levelOf } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { readEntry, type EntryHalves } from '../memory/words';
import { FRAME_BYTES, type FrameNumber } from '../values';
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
  type EntryClass,
} from './entry';

/** One entry that a walk read. */
export interface TableStep {
  readonly level: number;
  readonly table: FrameNumber;
  readonly index: number;
  /** Physical byte address of the entry. */
  readonly address: number;
  readonly lo: number;
  readonly hi: number;
  readonly class: EntryClass;
  /** READ | WRITE that is left after this entry. */
  readonly permission: number;
}

export interface TableWalk {
  readonly steps: readonly TableStep[];
  readonly outcome:
    | { readonly ok: true; readonly paddrLo: number; readonly paddrHi: number }
    /** `level`: of the entry at fault, or of the table that cannot be read; null: before any table. */
    | { readonly ok: false; readonly fault: Fault; readonly level: number | null };
}

/** True when the input address has bits above those the address space takes. */
export function beyondWidth(space: AddressSpace, addressLo: number, addressHi: number): boolean {
  const { inputBits } = space;
  if (inputBits >= 64) return false;
  if (inputBits >= 32) return addressHi >>> (inputBits - 32) !== 0;
  return addressHi !== 0 || addressLo >>> inputBits !== 0;
}

/**
 * Walks one address step by step: every entry read, in order, until a leaf or the reason there is none. At most one step
 * a level, whatever the tables say. `translateBatch` gives the same answers without the steps.
 */
export function walkTables(
  memory: PhysicalMemory,
  space: AddressSpace,
  addressLo: number,
  addressHi: number,
  write: boolean,
): TableWalk {
  const { format } = space;
  const steps: TableStep[] = [];
  const refuse = (fault: Fault, level: number | null): TableWalk => ({
    steps,
    outcome: { ok: false, fault, level },
  });
  if (beyondWidth(space, addressLo, addressHi)) return refuse('address-width', null);
  const needed = write ? WRITE : READ;
  const halves: EntryHalves = { lo: 0, hi: 0 };
  let permission = READ_WRITE;
  let table = space.root;
  for (let number = format.rootLevel; number > 0; number--) {
    const level = levelOf(format, number);
    const index = indexAt(level, addressLo, addressHi);
    if (!readEntry(memory, table, index, halves)) return refuse('table-unreadable', number);
    const { lo, hi } = halves;
    const found = classify(format, level, lo, hi);
    if (found !== ABSENT) permission &= entryPermission(format, lo, hi);
    const address = table * FRAME_BYTES + index * 8;
    steps.push({
      level: number,
      table,
      index,
      address,
      lo,
      hi,
      class: found,
      permission: found === ABSENT ? 0 : permission,
    });
    if (found === ABSENT) return refuse('not-present', number);
    if (found === MALFORMED) return refuse('entry-reserved', number);
    if ((permission & needed) === 0) return refuse(write ? 'write-denied' : 'read-denied', number);
    table = entryFrame(format, lo, hi);
    if (found === LEAF) {
      const paddr = leafAddress(table, level.shift, addressLo, addressHi);
      if (isForbiddenOutput(format, paddr.paddrLo, paddr.paddrHi)) return refuse('interrupt-output', number);
      return { steps, outcome: { ok: true, ...paddr } };
    }
  }
  // The lowest level has only leaves, so that the loop always ends above.
  return refuse('table-unreadable', 0);
}

/** The output address: the leaf's base with the offset below `shift` (12 to 63) taken from the input. */
function leafAddress(frame: FrameNumber, shift: number, addressLo: number, addressHi: number) {
  const baseLo = (frame % 0x100000) * FRAME_BYTES;
  const baseHi = Math.floor(frame / 0x100000);
  if (shift < 32) return { paddrLo: (baseLo | (addressLo & (2 ** shift - 1))) >>> 0, paddrHi: baseHi };
  return { paddrLo: addressLo >>> 0, paddrHi: (baseHi | (addressHi & (2 ** (shift - 32) - 1))) >>> 0 };
}
