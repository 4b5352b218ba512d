import { type Fault } from '../faults';
import { levelOf, type CompiledLevel } from '../formats/compile';
import { readEntry, type EntryHalves } from '../memory/words';
import { FRAME_BYTES, frameHalves, type FrameNumber } from '../values';
import { beyondWidth, isInterruptInput, type AddressSpace } from './addressSpace';
import {
  classify,
  entryFrame,
  entryPermission,
  indexAt,
  isForbiddenOutput,
  leafFrame,
  nextDepth,
  offsetShift,
  pageShift,
  skipsZeros,
} from './entry';
import { ABSENT, LEAF, MALFORMED, READ_WRITE } from './entryClass';
import { accessFault, leafFault, malformedFault } from './entryFaults';
import { marksLeaf, marksTable } from './marks';
import { type TableStep, type TableWalk } from './tableWalk';

/**
 * Walks one address step by step: every entry read, in order, until a leaf or the reason there is none; with a stage 2
 * below, also its walk for each table access and for the result. At most one step a level, whatever the tables say.
 * `translateBatch` gives the same answers without the steps.
 */
export function walkTables(
  space: AddressSpace,
  addressLo: number,
  addressHi: number,
  write: boolean,
): TableWalk {
  return new Walker(space, addressLo, addressHi, write).run();
}

class Walker {
  readonly #space: AddressSpace;
  readonly #lo: number;
  readonly #hi: number;
  readonly #write: boolean;
  readonly #steps: TableStep[] = [];

  constructor(space: AddressSpace, lo: number, hi: number, write: boolean) {
    this.#space = space;
    this.#lo = lo;
    this.#hi = hi;
    this.#write = write;
  }

  run(): TableWalk {
    const space = this.#space;
    const { format, interruptPattern } = space;
    if (interruptPattern && isInterruptInput(interruptPattern, this.#lo, this.#hi))
      return this.#refuse('interrupt-window', 0);
    if (beyondWidth(space, this.#lo, this.#hi)) return this.#refuse('address-width', 0);
    const halves: EntryHalves = { lo: 0, hi: 0 };
    let permission = READ_WRITE;
    let table = space.root;
    let depth = format.rootDepth;
    while (depth > 0) {
      const level = levelOf(format, depth);
      const index = indexAt(level, this.#lo, this.#hi);
      const slot = depth === format.rootDepth ? index + space.rootEntry : index;
      const address = table * FRAME_BYTES + slot * 8;
      const under = this.#under(address, false);
      if (under && !under.outcome.ok) return this.#refusedBelow(under);
      if (!readEntry(space.memory, table, slot, halves)) return this.#refuse('table-unreadable', depth);
      const { lo, hi } = halves;
      const found = classify(format, level, lo, hi);
      if (found !== ABSENT) permission &= entryPermission(format, found, lo, hi);
      const left = found === ABSENT ? 0 : permission;
      this.#steps.push({
        depth,
        table,
        index,
        address,
        lo,
        hi,
        class: found,
        permission: left,
        ...(under ? { under } : {}),
      });
      if (found === ABSENT) {
        const known = space.memory.knows?.(table, slot) ?? true;
        return this.#refuse(known ? 'not-present' : 'entry-unknown', depth);
      }
      if (found === MALFORMED) return this.#refuse(malformedFault(format, level, lo), depth);
      if (found === LEAF) return this.#leaf(level, address, lo, hi, permission);
      const fault = format.deniesAtLeaf ? undefined : accessFault(permission, this.#write);
      if (fault) return this.#refuse(fault, depth);
      const next = nextDepth(format, level, lo);
      if (!skipsZeros(format, level, next, this.#lo, this.#hi)) return this.#refuse('level-skip', depth);
      table = entryFrame(format, lo, hi);
      if (table >= format.outputEnd) return this.#refuse('address-size', depth);
      const refused = marksTable(format, lo, hi) ? this.#refusedMark(address, depth) : undefined;
      if (refused) return refused;
      depth = next;
    }
    return this.#refuse('table-unreadable', 0);
  }

  /** The stage-2 walk to an entry at a byte address of this stage; undefined without a stage 2. */
  #under(address: number, write: boolean): TableWalk | undefined {
    const { stage2 } = this.#space;
    if (!stage2) return undefined;
    return walkTables(stage2.forTables ?? stage2, address % 2 ** 32, Math.floor(address / 2 ** 32), write);
  }

  /**
   * What becomes of a walk for which hardware marks the entry at this address: stage 2 must allow it to write there (Arm IHI
   * 0070 §3.13.5, VT-d 4.1 condition SFS.8, RISC-V IOMMU 1.0 §2.1.3.1). Undefined: it does.
   */
  #refusedMark(address: number, depth: number): TableWalk | undefined {
    if (this.#space.format.refusesMarks) return this.#refuse('marks-refused', depth);
    const under = this.#under(address, true);
    return under && !under.outcome.ok ? this.#refusedBelow(under) : undefined;
  }

  #leaf(level: CompiledLevel, address: number, lo: number, hi: number, permission: number): TableWalk {
    const { format, stage2 } = this.#space;
    const frame = leafFrame(format, level, lo, hi);
    const fault = leafFault(format, level, lo, hi, permission, this.#write);
    if (fault) return this.#refuse(fault, level.depth);
    const output = leafAddress(frame, offsetShift(format, level, lo, hi), this.#lo, this.#hi);
    if (isForbiddenOutput(format, output.paddrLo, output.paddrHi))
      return this.#refuse('interrupt-output', level.depth);
    const refused = marksLeaf(format, lo, hi, this.#write)
      ? this.#refusedMark(address, level.depth)
      : undefined;
    if (refused) return refused;
    const own = { ok: true as const, ...output, pageShift: pageShift(format, level, lo, hi), permission };
    if (!stage2) return this.#walk(own);
    const under = walkTables(stage2, output.paddrLo, output.paddrHi, this.#write);
    if (!under.outcome.ok) return this.#refusedBelow(under);
    const { paddrLo, paddrHi } = under.outcome;
    return this.#walk({ ...own, paddrLo, paddrHi, permission: permission & under.outcome.permission }, under);
  }

  #refuse(fault: Fault, depth: number): TableWalk {
    return this.#walk({ ok: false, fault, depth, stage: this.#space.stage });
  }

  #refusedBelow(under: TableWalk): TableWalk {
    return this.#walk(under.outcome, under);
  }

  #walk(outcome: TableWalk['outcome'], under?: TableWalk): TableWalk {
    const walk = { inputLo: this.#lo, inputHi: this.#hi, steps: this.#steps, outcome };
    return under ? { ...walk, under } : walk;
  }
}

/** The output address: the leaf's base with the offset below `shift` (12 to 63) taken from the input. */
function leafAddress(frame: FrameNumber, shift: number, addressLo: number, addressHi: number) {
  const { lo, hi } = frameHalves(frame);
  if (shift < 32) return { paddrLo: (lo | (addressLo & (2 ** shift - 1))) >>> 0, paddrHi: hi };
  return { paddrLo: addressLo >>> 0, paddrHi: (hi | (addressHi & (2 ** (shift - 32) - 1))) >>> 0 };
}
