import { levelOf, type CompiledLevel } from '../../formats/compile';
import { FRAME_ENTRIES, type EntryHalves } from '../../memory/words';
import { classify, nextDepth } from '../../pageTable/entry';
import { LEAF, TABLE } from '../../pageTable/entryClass';
import { cleanedHalves, isDirty } from '../../pageTable/marks';
import { FRAME_BYTES, type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { type Gather } from './gather';
import { corrupt, indexOf, runOf, tableBelow, type FoundEntry, type TableTree } from './tableTree';

/**
 * What is said of a dirty leaf that sticks out of the range.
 * exact: the part in the range; it stays dirty, as nobody would hear of the rest.
 * part: the part in the range, and it is clean then: the rest is lost.
 * generic-pt: as many pages as the leaf has, but from the beginning of the range on, beyond the leaf (iommu_pt.h).
 * arm-lpae: so, and each later leaf is taken to follow there; a page that is not mapped ends it (io-pgtable-arm.c).
 */
export type DirtyReporting = 'exact' | 'part' | 'generic-pt' | 'arm-lpae';

export interface DirtyRequest {
  readonly startPage: number;
  readonly pages: number;
  /** Dirty leaves are made clean; a flush is due then. */
  readonly clear: boolean;
  /** Hears of runs of dirty pages; absent: only to clear. */
  readonly sink?: (startPage: number, pages: number) => void;
  readonly reporting?: DirtyReporting;
  /** How marks are taken away; absent: as the tables' own choice is. */
  readonly clearing?: 'plain' | 'atomic';
}

/** Reads and clears dirty marks of a range, with what must be flushed in the gather. Returns the pages that were reported. */
export function* readDirty(
  tree: TableTree,
  request: DirtyRequest,
  gather: Gather,
): Steps<SoftwareStep, Outcome<number>> {
  const reader = new DirtyReader(tree, request, gather);
  const { root, format } = tree.top;
  const outcome = yield* reader.table(root, format.rootDepth);
  return outcome.ok ? done(reader.reported) : outcome;
}

class DirtyReader {
  reported = 0;
  readonly #tree: TableTree;
  readonly #request: DirtyRequest;
  readonly #gather: Gather;
  readonly #reporting: DirtyReporting;
  readonly #end: number;
  /** The page that the next entry is taken to begin at. */
  #page: number;
  readonly #halves: EntryHalves = { lo: 0, hi: 0 };
  readonly #bits = new Uint32Array(FRAME_ENTRIES / 32);

  constructor(tree: TableTree, request: DirtyRequest, gather: Gather) {
    this.#tree = tree;
    this.#request = request;
    this.#gather = gather;
    this.#reporting = request.reporting ?? 'exact';
    this.#page = request.startPage;
    this.#end = request.startPage + request.pages;
  }

  *table(table: FrameNumber, depth: number): Steps<SoftwareStep, Outcome<null>> {
    const { words, top, granularity } = this.#tree;
    const { format } = top;
    const level = levelOf(format, depth);
    let index = indexOf(format, depth, this.#page);
    if (depth === 1 && granularity === 'table' && this.#isWhole(level, index)) {
      yield* this.#sweep(table, level);
      return done(null);
    }
    while (index <= level.indexMask && this.#page < this.#end) {
      yield words.load('read the entry', table, index, this.#halves);
      const { lo, hi } = this.#halves;
      const found: FoundEntry = { depth, table, index, lo, hi, class: classify(format, level, lo, hi) };
      if (found.class === TABLE) {
        const at = tableBelow(this.#tree, depth, found);
        if (at === undefined) return corrupt(this.#page);
        const below = yield* this.table(at, nextDepth(format, level, lo));
        if (!below.ok) return below;
        index++;
      } else if (found.class === LEAF) {
        index += yield* this.#leaf(found, level);
      } else if (this.#reporting === 'arm-lpae') {
        return refused('EINVAL', 'a page of the range is not mapped');
      } else {
        this.#skip(level);
        index++;
      }
    }
    return done(null);
  }

  #skip({ pagesPerEntry }: CompiledLevel): void {
    this.#page += pagesPerEntry - (this.#page % pagesPerEntry);
  }

  #isWhole(level: CompiledLevel, index: number): boolean {
    return index === 0 && this.#page + level.pagesPerEntry * (level.indexMask + 1) <= this.#end;
  }

  /** A leaf with all its entries; returns how many of them to pass over. */
  *#leaf(found: FoundEntry, level: CompiledLevel): Steps<SoftwareStep, number> {
    const { words, top, faults } = this.#tree;
    const { format } = top;
    const alone = this.#reporting === 'arm-lpae';
    const run = alone ? { first: found.index, count: 1, shift: level.shift } : runOf(format, found);
    const entries = faults.has('one-replica') ? 1 : run.count;
    const dirty: FoundEntry[] = [];
    for (let index = run.first; index < run.first + entries; index++) {
      if (index !== found.index) yield words.load('read the entry', found.table, index, this.#halves);
      const { lo, hi } = index === found.index ? found : this.#halves;
      if (classify(format, level, lo, hi) === LEAF && isDirty(format, lo, hi))
        dirty.push({ ...found, index, lo, hi });
    }
    const length = level.pagesPerEntry * run.count;
    const start = alone ? this.#page : this.#page - (this.#page % length);
    const skipped = alone ? 1 : run.count - (found.index - run.first);
    if (dirty.length > 0)
      yield* this.#dirtyLeaf(dirty, start, length, run.count, skipped * level.pagesPerEntry);
    this.#page = start + length;
    return skipped;
  }

  /** A page of which `dirty` are the dirty entries. `left`: pages of the entries from the one the range begins in. */
  *#dirtyLeaf(
    dirty: readonly FoundEntry[],
    start: number,
    length: number,
    count: number,
    left: number,
  ): Steps<SoftwareStep, void> {
    const end = start + length;
    const sticksOut = start < this.#page || end > this.#end;
    if (this.#reporting === 'generic-pt') {
      // Only pages of several entries are cut off at the end of the range.
      const reach = count > 1 ? Math.min(left, this.#end - this.#page) : left;
      this.#report(this.#page, this.#page + reach);
    } else if (this.#reporting === 'arm-lpae') this.#report(start, end);
    else this.#report(Math.max(start, this.#page), Math.min(end, this.#end));
    if (!this.#request.clear || (sticksOut && this.#reporting === 'exact')) return;
    yield* clearMarks(this.#tree, dirty, this.#request.clearing ?? this.#tree.clearing);
    if (!this.#tree.faults.has('no-flush-after-clear')) this.#gather.add(start, end, Math.log2(length) + 12);
  }

  #report(startPage: number, endPage: number): void {
    this.reported += endPage - startPage;
    this.#request.sink?.(startPage, endPage - startPage);
  }

  /** All entries of a leaf-most table in one step. */
  *#sweep(table: FrameNumber, level: CompiledLevel): Steps<SoftwareStep, void> {
    const entries = level.indexMask + 1;
    const { words } = this.#tree;
    const start = this.#page;
    for (let first = 0; first < entries; first += FRAME_ENTRIES) {
      const part = start + first * level.pagesPerEntry;
      if (!this.#sweepUniform(table, first, part, level))
        this.#sweepEntries(table, first, Math.min(first + FRAME_ENTRIES, entries), start, level);
    }
    this.#page = start + entries * level.pagesPerEntry;
    const address = words.frameHolding(table, 0) * FRAME_BYTES;
    yield { kind: 'sweep', name: 'read the dirty marks of the table', address, entries };
  }

  /** A frame of like leaves of one entry each; false when it is none. */
  #sweepUniform(table: FrameNumber, first: number, page: number, level: CompiledLevel): boolean {
    const { words, top, faults } = this.#tree;
    const { format } = top;
    const memory = words.memory.uniformFrames;
    const frame = words.frameHolding(table, first);
    const pattern = memory?.uniformEntries(frame);
    if (!memory || !pattern) return false;
    const { baseLo, baseHi } = pattern;
    const found = classify(format, level, baseLo, baseHi);
    const isMarked =
      (pattern.dirtyLo | 0) === format.dirtyMarkLo && (pattern.dirtyHi | 0) === format.dirtyMarkHi;
    if (found !== LEAF || !isMarked || isDirty(format, baseLo, baseHi)) return false;
    if (
      runOf(format, { depth: level.depth, table, index: 0, lo: baseLo, hi: baseHi, class: found }).count > 1
    )
      return false;
    if (!memory.dirtyWords(frame, this.#bits)) return false;
    const any = forRuns(this.#bits, (from, to) => {
      const start = page + from * level.pagesPerEntry;
      const end = page + to * level.pagesPerEntry;
      this.#report(start, end);
      if (this.#request.clear && !faults.has('no-flush-after-clear'))
        this.#gather.add(start, end, level.shift);
    });
    if (any && this.#request.clear) {
      memory.clearDirty(frame);
      words.cleanFrame(frame);
    }
    return true;
  }

  #sweepEntries(table: FrameNumber, first: number, end: number, start: number, level: CompiledLevel): void {
    const { words, top, faults } = this.#tree;
    const { format } = top;
    const halves = this.#halves;
    let index = first;
    while (index < end) {
      words.peek(table, index, halves);
      const found = classify(format, level, halves.lo, halves.hi);
      if (found !== LEAF) {
        index++;
        continue;
      }
      const { count, shift } = runOf(format, { depth: level.depth, table, index, class: found, ...halves });
      const entries = faults.has('one-replica') ? 1 : count;
      let any = false;
      for (let each = index; each < index + entries; each++) {
        words.peek(table, each, halves);
        if (!isDirty(format, halves.lo, halves.hi)) continue;
        any = true;
        const clean = cleanedHalves(format, halves);
        if (this.#request.clear) words.fill(table, each, clean.lo, clean.hi);
      }
      if (any) {
        const page = start + index * level.pagesPerEntry;
        const pages = count * level.pagesPerEntry;
        this.#report(page, page + pages);
        if (this.#request.clear && !faults.has('no-flush-after-clear'))
          this.#gather.add(page, page + pages, shift);
      }
      index += count;
    }
  }
}

/** Visits runs of set bits, half-open; false when there is none. */
function forRuns(bits: Uint32Array, visit: (from: number, to: number) => void): boolean {
  if (bits.every((word) => word === 0)) return false;
  let from = -1;
  for (let word = 0; word < bits.length; word++) {
    const value = bits[word] ?? 0;
    if (value === 0 && from < 0) continue;
    for (let bit = 0; bit < 32; bit++) {
      const isSet = ((value >>> bit) & 1) === 1;
      if (isSet && from < 0) from = 32 * word + bit;
      if (!isSet && from >= 0) {
        visit(from, 32 * word + bit);
        from = -1;
      }
    }
  }
  if (from >= 0) visit(from, 32 * bits.length);
  return true;
}

/** Takes the dirty marks of leaves that were read. */
function* clearMarks(
  { words, top }: TableTree,
  dirty: readonly FoundEntry[],
  clearing: 'plain' | 'atomic',
): Steps<SoftwareStep, void> {
  const { format } = top;
  const old: EntryHalves = { lo: 0, hi: 0 };
  for (const { table, index, lo, hi } of dirty) {
    const clean = cleanedHalves(format, { lo, hi });
    if (clearing === 'plain')
      yield words.store('store the leaf without its dirty mark', table, index, clean.lo, clean.hi);
    else {
      const keep = { lo: ~format.dirtyMarkLo, hi: ~format.dirtyMarkHi };
      const set = { lo: clean.lo & format.dirtyMarkLo, hi: clean.hi & format.dirtyMarkHi };
      yield words.modify('take the dirty mark', table, index, keep, set, old);
    }
  }
}
