import { type Fault } from '../../faults';
import { levelOf, type CompiledFormat, type CompiledLevel } from '../../formats/compile';
import { FRAME_ENTRIES, frameOf, type EntryHalves } from '../../memory/words';
import { beyondWidth, isInterruptInput } from '../../pageTable/addressSpace';
import {
  belowHi,
  belowLo,
  classify,
  entryFrame,
  entryPermission,
  indexAt,
  isForbiddenOutput,
  leafFrame,
  nextDepth,
  offsetShift,
  pageShift,
  powerOfTwo,
  skipsZeros,
} from '../../pageTable/entry';
import { ABSENT, LEAF, MALFORMED, READ, READ_WRITE, WRITE } from '../../pageTable/entryClass';
import { accessFault, leafFault, malformedFault } from '../../pageTable/entryFaults';
import {
  dirtiesByReads,
  isDirty,
  markedHi,
  markedLo,
  marksDirty,
  marksLeaf,
  marksTable,
} from '../../pageTable/marks';
import { type Steps } from '../../steps';
import { FRAME_BYTES, frameHalves, frameNumber, type FrameNumber } from '../../values';
import { type HardwareStep } from '../hardwareStep';
import { type TableWay } from './tableWay';
import {
  TO_READ,
  TO_WRITE,
  type StageResult,
  type WalkGoal,
  type WalkRefusal,
  type WalkUnit,
} from './walkGoals';
import { addressOf, hiOf, loOf } from '../addressHalves';

/** A walk starts again at most so often: software that changes an entry all the time must not hold hardware up for ever. */
const MOST_RESTARTS = 1000;
const AGAIN = Symbol('the walk starts again');

/**
 * Walks one stage, step by step, as `walkTables` does in one go: the same rules of entries in the same order. Marks what it
 * uses; tables above a stage 2 are read and marked through that.
 */
export function* walkStage(
  unit: WalkUnit,
  way: TableWay,
  lo: number,
  hi: number,
  goal: WalkGoal,
): Steps<HardwareStep, StageResult> {
  for (let restarts = 0; restarts < MOST_RESTARTS; restarts++) {
    unit.counters.walks++;
    const result = yield* new StageWalk(unit, way, lo, hi, goal).run();
    if (result !== AGAIN) return result;
    unit.counters.retries++;
  }
  return { ok: false, fault: 'table-unreadable', depth: 0, stage: way.space.stage };
}

class StageWalk {
  readonly #unit: WalkUnit;
  readonly #way: TableWay;
  readonly #lo: number;
  readonly #hi: number;
  readonly #goal: WalkGoal;
  readonly #format: CompiledFormat;
  readonly #epoch: number;
  readonly #halves: EntryHalves = { lo: 0, hi: 0 };
  #permission = READ_WRITE;
  #depth: number;
  /** Where the table is by its own address, and where it is read; -1: not known, stage 2 says it for each of its frames. */
  #table: FrameNumber;
  #frame: number;
  /** log2 bytes of the stage-2 leaf that leads to the table. */
  #guestShift = 0;
  #isCached = false;

  constructor(unit: WalkUnit, way: TableWay, lo: number, hi: number, goal: WalkGoal) {
    this.#unit = unit;
    this.#way = way;
    this.#lo = lo;
    this.#hi = hi;
    this.#goal = goal;
    this.#format = way.space.format;
    this.#epoch = unit.epoch;
    this.#depth = way.space.format.rootDepth;
    this.#table = way.space.root;
    this.#frame = way.tables ? -1 : way.space.root;
  }

  *run(): Steps<HardwareStep, StageResult | typeof AGAIN> {
    const { space, tables } = this.#way;
    const format = this.#format;
    if (space.interruptPattern && isInterruptInput(space.interruptPattern, this.#lo, this.#hi))
      return this.#refuse('interrupt-window', 0);
    if (beyondWidth(space, this.#lo, this.#hi)) return this.#refuse('address-width', 0);
    yield this.#lookUp();
    if (this.#isStale()) return AGAIN;
    while (this.#depth > 0) {
      const depth = this.#depth;
      const level = levelOf(format, depth);
      const index = indexAt(level, this.#lo, this.#hi);
      const slot = depth === format.rootDepth ? index + space.rootEntry : index;
      const address = this.#table * FRAME_BYTES + slot * 8;
      let frame: number = this.#frame;
      if (tables && frame < 0) {
        const under = yield* walkStage(this.#unit, tables, loOf(address), hiOf(address), TO_READ);
        if (this.#isStale()) return AGAIN;
        if (!under.ok) return refusedBelow(under, address);
        frame = under.hi * 0x100000 + (under.lo >>> 12);
        this.#guestShift = under.pageShift;
      } else frame = frameOf(frameNumber(frame), slot);
      const at = slot & (FRAME_ENTRIES - 1);
      if (!this.#unit.memory.readEntry(frameNumber(frame), at, this.#halves))
        return this.#refuse('table-unreadable', depth);
      const { lo, hi } = this.#halves;
      const physical = frame * FRAME_BYTES + at * 8;
      this.#unit.counters.reads++;
      this.#keep(level, frame, slot);
      yield { kind: 'read', stage: space.stage, depth, address: physical, lo, hi };
      if (this.#isStale()) return AGAIN;
      const found = classify(format, level, lo, hi);
      if (found === ABSENT) return this.#refuse('not-present', depth);
      this.#permission &= entryPermission(format, found, lo, hi);
      if (found === MALFORMED) return this.#refuse(malformedFault(format, level, lo), depth);
      if (found === LEAF) return yield* this.#leaf(level, address, physical, lo, hi);
      const fault = format.deniesAtLeaf ? undefined : this.#denied();
      if (fault) return this.#refuse(fault, depth);
      const next = nextDepth(format, level, lo);
      if (!skipsZeros(format, level, next, this.#lo, this.#hi)) return this.#refuse('level-skip', depth);
      const table = entryFrame(format, lo, hi);
      if (table >= format.outputEnd) return this.#refuse('address-size', depth);
      if (marksTable(format, lo, hi)) {
        const marked = yield* this.#mark(address, physical, lo, hi, false);
        if (marked) return marked;
      }
      this.#table = table;
      this.#frame = tables ? -1 : table;
      this.#depth = next;
      this.#isCached = false;
    }
    return this.#refuse('table-unreadable', 0);
  }

  #isStale(): boolean {
    return this.#epoch !== this.#unit.epoch;
  }

  /** Starts at the deepest table that is known. */
  #lookUp(): HardwareStep {
    const { space, tag, implicit } = this.#way;
    const known = this.#unit.walkCache.lookup(tag, space.stage, this.#page);
    // A table entry that takes permission away takes another one away from hardware's own accesses.
    const used = known && (!implicit || known.permission === READ_WRITE) ? known : undefined;
    if (used) {
      this.#depth = used.depth;
      this.#table = frameNumber(used.guestFrame);
      this.#frame = used.frame;
      this.#guestShift = used.guestShift;
      this.#permission = used.permission;
      this.#isCached = true;
    }
    return { kind: 'lookup', cache: 'walk', hit: used !== undefined, tag };
  }

  /** Remembers the table that is read here. */
  #keep({ depth, shift, indexMask }: CompiledLevel, frame: number, slot: number): void {
    const { space, tag, tables, implicit } = this.#way;
    if (this.#isCached || depth === this.#format.rootDepth) return;
    if (implicit && this.#permission !== READ_WRITE) return;
    const bits = shift + 32 - Math.clz32(indexMask);
    const pages = powerOfTwo(bits - 12);
    // Of a table of several frames stage 2 says the place of each for itself.
    const isWhole = !tables || indexMask < FRAME_ENTRIES;
    this.#unit.walkCache.insert({
      tag,
      stage: space.stage,
      depth,
      frame: tables ? (isWhole ? frame : -1) : frame - Math.floor(slot / FRAME_ENTRIES),
      guestFrame: this.#table,
      guestShift: this.#guestShift,
      page: this.#page - (this.#page % pages),
      shift: bits,
      permission: this.#permission,
    });
  }

  get #page(): number {
    const high = this.#way.space.ignoresTopByte === true ? (this.#hi << 8) >> 8 : this.#hi;
    return (high >>> 0) * 0x100000 + (this.#lo >>> 12);
  }

  #denied(): Fault | undefined {
    const { kind, read, write } = this.#goal;
    if (kind !== 'access') return undefined;
    return (
      (read ? accessFault(this.#permission, false) : undefined) ??
      (write ? accessFault(this.#permission, true) : undefined)
    );
  }

  #leafFault(level: CompiledLevel, lo: number, hi: number): Fault | undefined {
    const { kind, read, write } = this.#goal;
    const format = this.#format;
    if (kind !== 'access') return leafFault(format, level, lo, hi, this.#permission | READ, false);
    return (
      (read ? leafFault(format, level, lo, hi, this.#permission, false) : undefined) ??
      (write ? leafFault(format, level, lo, hi, this.#permission, true) : undefined)
    );
  }

  *#leaf(
    level: CompiledLevel,
    address: number,
    physical: number,
    walkedLo: number,
    walkedHi: number,
  ): Steps<HardwareStep, StageResult | typeof AGAIN> {
    const format = this.#format;
    const fault = this.#leafFault(level, walkedLo, walkedHi);
    if (fault) return this.#refuse(fault, level.depth);
    const shift = offsetShift(format, level, walkedLo, walkedHi);
    const base = frameHalves(leafFrame(format, level, walkedLo, walkedHi));
    const lo = (base.lo | (this.#lo & belowLo(shift))) >>> 0;
    const hi = (base.hi | (this.#hi & belowHi(shift))) >>> 0;
    if (isForbiddenOutput(format, lo, hi)) return this.#refuse('interrupt-output', level.depth);
    if (this.#goal.kind === 'grant' && needsDirty(format, walkedLo, walkedHi)) this.#permission &= ~WRITE;
    const writes = this.#goal.write && (this.#permission & WRITE) !== 0;
    if (marksLeaf(format, walkedLo, walkedHi, writes)) {
      const asDirty = writes || dirtiesByReads(format, walkedLo, walkedHi);
      const dirty = asDirty && marksDirty(format, walkedLo, walkedHi);
      const marked = yield* this.#mark(address, physical, walkedLo, walkedHi, true, dirty);
      if (marked) return marked;
    }
    const { lo: leafLo, hi: leafHi } = this.#halves;
    const page = pageShift(format, level, walkedLo, walkedHi);
    return {
      ok: true,
      lo,
      hi,
      permission: this.#permission,
      pageShift: page,
      heldShift: page === shift || this.#isRunTogether(lo, hi, page) ? page : shift,
      address: physical,
      leafLo,
      leafHi,
      depth: level.depth,
      dirtyDone: !marksLeaf(format, leafLo, leafHi, true) && !needsDirty(format, leafLo, leafHi),
    };
  }

  /** Whether the parts of a run are one piece of memory, as far as this one says: else each is cached for itself. */
  #isRunTogether(lo: number, hi: number, shift: number): boolean {
    return (((lo ^ this.#lo) & belowLo(shift) & ~0xfff) | ((hi ^ this.#hi) & belowHi(shift))) === 0;
  }

  /**
   * Marks an entry by one atomic update; what the walk goes on with is in `#halves`. Undefined: it did. Stage 2 must allow it
   * to write there (Arm IHI 0070 §3.13.5, VT-d 4.1 condition SFS.8, RISC-V IOMMU 1.0 §2.1.3.1).
   */
  *#mark(
    address: number,
    physical: number,
    lo: number,
    hi: number,
    leaf: boolean,
    dirty = false,
  ): Steps<HardwareStep, WalkRefusal | typeof AGAIN | undefined> {
    const { tables, space } = this.#way;
    const { memory, counters, rules } = this.#unit;
    const format = this.#format;
    if (format.refusesMarks) return this.#refuse('marks-refused', this.#depth);
    let target = physical;
    if (tables) {
      const under = yield* walkStage(this.#unit, tables, loOf(address), hiOf(address), TO_WRITE);
      if (this.#isStale()) return AGAIN;
      if (!under.ok) return { ...refusedBelow(under, address), implicitWrite: true };
      target = addressOf(under);
    }
    const frame = frameNumber(Math.floor(target / FRAME_BYTES));
    const index = (target % FRAME_BYTES) / 8;
    const standing = { lo, hi };
    if (!memory.readEntry(frame, index, standing)) return this.#refuse('table-unreadable', this.#depth);
    const changed = ((standing.lo ^ lo) | (standing.hi ^ hi)) !== 0;
    const before = rules.update === 'blind' ? standing : { lo, hi };
    const afterLo = leaf ? markedLo(format, before.lo, dirty) : before.lo | format.tableMarksLo;
    const afterHi = leaf ? markedHi(format, before.hi, dirty) : before.hi | format.tableMarksHi;
    const done = memory.casEntry(frame, index, before.lo, before.hi, afterLo, afterHi);
    if (done) {
      counters.updates++;
      if (tables) this.#unit.markedGuest(address, target);
    }
    // What a blind update goes on with is what it walked, not what stands there.
    this.#halves.lo = (leaf ? markedLo(format, lo, dirty) : lo | format.tableMarksLo) >>> 0;
    this.#halves.hi = (leaf ? markedHi(format, hi, dirty) : hi | format.tableMarksHi) >>> 0;
    yield {
      kind: 'update',
      stage: space.stage,
      depth: this.#depth,
      address: target,
      beforeLo: standing.lo >>> 0,
      beforeHi: standing.hi >>> 0,
      afterLo: (done ? afterLo : standing.lo) >>> 0,
      afterHi: (done ? afterHi : standing.hi) >>> 0,
      changed,
    };
    return done && !this.#isStale() ? undefined : AGAIN;
  }

  #refuse(fault: Fault, depth: number): WalkRefusal {
    const { stage } = this.#way.space;
    if (stage === 1) return { ok: false, fault, depth, stage };
    return { ok: false, fault, depth, stage, guestLo: this.#lo, guestHi: this.#hi };
  }
}

/** Whether a write would be refused for the dirty mark of the leaf. */
const needsDirty = (format: CompiledFormat, lo: number, hi: number): boolean =>
  format.needsDirty && !isDirty(format, lo, hi);

const refusedBelow = (under: WalkRefusal, address: number): WalkRefusal => ({
  ...under,
  guestLo: loOf(address),
  guestHi: hiOf(address),
  implicit: true,
});
