import { FRAME_ENTRIES, frameOf, type EntryHalves } from '../../memory/words';
import { type WritableMemory } from '../../memory/writableMemory';
import { type SeededRandom } from '../../random';
import { FRAME_BYTES, type FrameNumber } from '../../values';

/** 64-bit words, and bytes, of a cache line. */
const LINE_ENTRIES = 8;
const LINE_BYTES = 64;
const LINES_OF_A_FRAME = FRAME_BYTES / LINE_BYTES;

/** Lines by number (byte address / 64) that memory has not seen yet: what memory still holds there. */
type StaleLines = Map<number, Uint32Array>;

/**
 * Physical memory as the CPUs see it, when some IOMMU walks without snooping their caches (VT-d ECAP.C and SMPWC clear, AMD
 * Control.Coherent clear): what software stores through this stays in a cache until its line is cleaned, or evicted. `behind`
 * is memory without the caches, as such a walker sees it; what it writes to a line that a cache holds is lost when that line
 * is written back.
 */
export class CpuCache implements WritableMemory {
  readonly behind: WritableMemory;
  readonly #memory: WritableMemory;
  readonly #stale: StaleLines = new Map();
  readonly #cleaned = { times: 0 };

  constructor(memory: WritableMemory) {
    this.#memory = memory;
    this.behind = new Behind(memory, this.#stale, this.#cleaned);
  }

  get generation(): number {
    return this.#memory.generation;
  }

  get version(): number {
    return this.#memory.version;
  }

  /** Lines that memory has not seen. */
  get dirtyLines(): number {
    return this.#stale.size;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    return this.#memory.readFrame(frame);
  }

  explainMissing(frame: FrameNumber): string {
    return this.#memory.explainMissing(frame);
  }

  readEntry(frame: FrameNumber, index: number, into: EntryHalves): boolean {
    return this.#memory.readEntry(frame, index, into);
  }

  writeEntry(frame: FrameNumber, index: number, lo: number, hi: number): boolean {
    this.#hold(frame, index);
    return this.#memory.writeEntry(frame, index, lo, hi);
  }

  casEntry(
    frame: FrameNumber,
    index: number,
    expectedLo: number,
    expectedHi: number,
    lo: number,
    hi: number,
  ): boolean {
    this.#hold(frame, index);
    return this.#memory.casEntry(frame, index, expectedLo, expectedHi, lo, hi);
  }

  /** Writes the lines of these words back. `address`: in bytes. */
  clean(address: number, words: number): void {
    const end = address + words * 8;
    for (let line = Math.floor(address / LINE_BYTES); line * LINE_BYTES < end; line++)
      this.#stale.delete(line);
    this.#cleaned.times++;
  }

  /** A cache may write any line back by itself: one by seed; false when there is none. */
  evictLine(random: SeededRandom): boolean {
    const line = [...this.#stale.keys()][random.below(this.#stale.size)];
    if (line === undefined) return false;
    this.clean(line * LINE_BYTES, 1);
    return true;
  }

  /** Takes the line of a word into the cache. */
  #hold(table: FrameNumber, index: number): void {
    const line = lineOf(table, index);
    if (this.#stale.has(line)) return;
    const words = this.#memory.readFrame(frameOf(table, index));
    const start = 2 * firstOf(index);
    if (words) this.#stale.set(line, words.slice(start, start + 2 * LINE_ENTRIES));
  }
}

class Behind implements WritableMemory {
  readonly #memory: WritableMemory;
  readonly #stale: StaleLines;
  readonly #cleaned: { readonly times: number };
  #writes = 0;

  constructor(memory: WritableMemory, stale: StaleLines, cleaned: { readonly times: number }) {
    this.#memory = memory;
    this.#stale = stale;
    this.#cleaned = cleaned;
  }

  get generation(): number {
    return this.#memory.generation;
  }

  get version(): number {
    return this.#memory.version + this.#cleaned.times + this.#writes;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const words = this.#memory.readFrame(frame);
    if (!words) return undefined;
    let view = words;
    for (let line = 0; line < LINES_OF_A_FRAME; line++) {
      const old = this.#stale.get(frame * LINES_OF_A_FRAME + line);
      if (!old) continue;
      if (view === words) view = words.slice();
      view.set(old, line * 2 * LINE_ENTRIES);
    }
    return view;
  }

  explainMissing(frame: FrameNumber): string {
    return this.#memory.explainMissing(frame);
  }

  readEntry(frame: FrameNumber, index: number, into: EntryHalves): boolean {
    const old = this.#stale.get(lineOf(frame, index));
    if (!old) return this.#memory.readEntry(frame, index, into);
    const at = 2 * (index % LINE_ENTRIES);
    into.lo = old[at] ?? 0;
    into.hi = old[at + 1] ?? 0;
    return true;
  }

  writeEntry(frame: FrameNumber, index: number, lo: number, hi: number): boolean {
    const old = this.#stale.get(lineOf(frame, index));
    if (!old) return this.#memory.writeEntry(frame, index, lo, hi);
    const at = 2 * (index % LINE_ENTRIES);
    old[at] = lo;
    old[at + 1] = hi;
    this.#writes++;
    return true;
  }

  casEntry(
    frame: FrameNumber,
    index: number,
    expectedLo: number,
    expectedHi: number,
    lo: number,
    hi: number,
  ): boolean {
    const old = this.#stale.get(lineOf(frame, index));
    if (!old) return this.#memory.casEntry(frame, index, expectedLo, expectedHi, lo, hi);
    const at = 2 * (index % LINE_ENTRIES);
    const isSame = old[at] === expectedLo >>> 0 && old[at + 1] === expectedHi >>> 0;
    return isSame && this.writeEntry(frame, index, lo, hi);
  }
}

const lineOf = (table: FrameNumber, index: number): number =>
  frameOf(table, index) * LINES_OF_A_FRAME + Math.floor((index % FRAME_ENTRIES) / LINE_ENTRIES);

/** First word of a word's line, within its frame. */
const firstOf = (index: number): number => (index % FRAME_ENTRIES) - (index % LINE_ENTRIES);

/** Memory as the walker of an IOMMU sees it. Without snooping software has to go through a `CpuCache`. */
export function walkedMemory(memory: WritableMemory, snoops: boolean): WritableMemory {
  return !snoops && memory instanceof CpuCache ? memory.behind : memory;
}
