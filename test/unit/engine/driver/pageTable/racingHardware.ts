import assert from 'node:assert/strict';
import { type DomainTables } from '../../../../../src/engine/driver/pageTable/domainTables';
import { type Flusher, type FlushRange } from '../../../../../src/engine/driver/flusher';
import { done } from '../../../../../src/engine/driver/errno';
import { levelOf } from '../../../../../src/engine/formats/compile';
import { type RangeAllocator } from '../../../../../src/engine/memory/frameAllocator';
import { type EntryHalves } from '../../../../../src/engine/memory/words';
import { classify, entryFrame, nextDepth, pageShift } from '../../../../../src/engine/pageTable/entry';
import { LEAF, TABLE } from '../../../../../src/engine/pageTable/entryClass';
import { isDirty, markedHalves } from '../../../../../src/engine/pageTable/marks';
import { DIRTY } from '../../../../../src/engine/pageTable/runColumns';
import { indexOf } from '../../../../../src/engine/driver/pageTable/tableTree';
import { type FrameNumber } from '../../../../../src/engine/values';

/** A leaf as a walk found it. */
interface Walked extends EntryHalves {
  readonly table: FrameNumber;
  readonly depth: number;
  readonly index: number;
}

/** A cached leaf. */
interface Cached {
  readonly start: number;
  readonly end: number;
  readonly dirtyDone: boolean;
}

/**
 * The least hardware that can lose a dirty mark: one cached leaf, one cached table, one write that has walked and not marked
 * yet. It acts when it is told to. `update`: how a mark meets a word that changed since.
 */
export class RacingHardware {
  /** Pages that were written, and pages for which a write faulted. */
  readonly written: Set<number>;
  readonly faulted = new Set<number>();
  usedFreed = false;
  readonly flusher: Flusher;
  readonly #update: 'compare' | 'blind';
  #tables: DomainTables | undefined;
  #frames: RangeAllocator | undefined;
  #leaf: Cached | undefined;
  #table:
    | { readonly table: FrameNumber; readonly depth: number; readonly start: number; readonly end: number }
    | undefined;
  #pending: { readonly page: number; readonly walked: Walked } | undefined;

  constructor(update: 'compare' | 'blind', written = new Set<number>()) {
    this.#update = update;
    this.written = written;
    const flush = (range: FlushRange): void => {
      this.finish();
      this.#leaf = undefined;
      if (range.tables) this.#table = undefined;
    };
    this.flusher = {
      *flush(range) {
        yield { kind: 'submit', name: 'flush', command: 'flush' };
        flush(range);
        yield { kind: 'poll', name: 'flushed', done: true };
        return done(null);
      },
      *flushAll() {
        yield { kind: 'poll', name: 'flushed', done: true };
        return done(null);
      },
      clean() {
        // It snoops.
      },
      *changeTop() {
        yield { kind: 'software', name: 'no device' };
        return done(null);
      },
    };
  }

  watch(tables: DomainTables, frames: RangeAllocator): void {
    this.#tables = tables;
    this.#frames = frames;
  }

  /** A whole write. */
  write(page: number): void {
    this.begin(page);
    this.finish();
  }

  /** A write up to the moment before its mark: through a cached leaf that is marked it is done. */
  begin(page: number): void {
    this.finish();
    if (this.#leaf && page >= this.#leaf.start && page < this.#leaf.end && this.#leaf.dirtyDone) {
      this.written.add(page);
      return;
    }
    this.#leaf = undefined;
    const walked = this.#walk(page);
    if (walked) this.#pending = { page, walked };
    else this.faulted.add(page);
  }

  /** The mark of a write that began, and the write. */
  finish(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!pending) return;
    const tables = this.#held();
    const { page, walked } = pending;
    const { format } = tables;
    const now: EntryHalves = { lo: 0, hi: 0 };
    tables.words.peek(walked.table, walked.index, now);
    const same = now.lo === walked.lo && now.hi === walked.hi;
    if (isDirty(format, walked.lo, walked.hi)) {
      this.#land(page, walked);
      return;
    }
    if (!same && this.#update === 'compare') {
      this.begin(page);
      this.finish();
      return;
    }
    const marked = same
      ? markedHalves(format, now, DIRTY)
      : { lo: now.lo | format.dirtyMarkLo, hi: now.hi | format.dirtyMarkHi };
    tables.words.fill(walked.table, walked.index, marked.lo, marked.hi);
    this.#land(page, walked);
  }

  /** Caches the leaf of a page as it stands, without a write. */
  prefetch(page: number): void {
    this.finish();
    const walked = this.#walk(page);
    if (walked) this.#fill(page, walked, isDirty(this.#held().format, walked.lo, walked.hi));
  }

  evict(): void {
    this.#leaf = undefined;
    this.#table = undefined;
  }

  #land(page: number, walked: Walked): void {
    this.written.add(page);
    this.#fill(page, walked, true);
  }

  #fill(page: number, { depth, lo, hi }: Walked, dirtyDone: boolean): void {
    const { format } = this.#held();
    const pages = 2 ** (pageShift(format, levelOf(format, depth), lo, hi) - 12);
    const start = page - (page % pages);
    this.#leaf = { start, end: start + pages, dirtyDone };
  }

  #walk(page: number): Walked | undefined {
    const { format, root, words } = this.#held();
    const isCached = this.#table && page >= this.#table.start && page < this.#table.end;
    let { table, depth } = isCached && this.#table ? this.#table : { table: root, depth: format.rootDepth };
    const halves: EntryHalves = { lo: 0, hi: 0 };
    for (;;) {
      if (this.#frames?.isFreed(table) === true) this.usedFreed = true;
      const index = indexOf(format, depth, page);
      words.peek(table, index, halves);
      const level = levelOf(format, depth);
      const found = classify(format, level, halves.lo, halves.hi);
      if (found === LEAF) return { table, depth, index, ...halves };
      if (found !== TABLE) return undefined;
      table = entryFrame(format, halves.lo, halves.hi);
      depth = nextDepth(format, level, halves.lo);
      const start = page - (page % level.pagesPerEntry);
      this.#table = { table, depth, start, end: start + level.pagesPerEntry };
    }
  }

  #held(): DomainTables {
    assert.ok(this.#tables);
    return this.#tables;
  }
}
