import { type ByteSource } from '../../../bytes/byteSource';
import { type Task } from '../../../bytes/task';

/** Pages of a chunk: 4 KiB of bitmap. */
const CHUNK_PAGES = 32_768;
const CHUNK_WORDS = CHUNK_PAGES / 32;
/** Words between two counts inside a mixed chunk. */
const STEP_WORDS = 16;
const STEPS = CHUNK_WORDS / STEP_WORDS;
/** Bitmap bytes read between two pauses. */
const READ_BYTES = 256 * 1024;
const CHUNK_BYTES = CHUNK_PAGES / 8;
/** A chunk without pages, one that holds all of them, and a mixed one that is read again from the file when it is needed. */
const NONE = -1;
const ALL = -2;
const FAR = -3;
/** Mixed chunks kept for good (67 MiB: those of 2 TiB of memory), and of the others at one time (4 MiB). */
const MOST_MIXED = 16_384;
const MOST_FAR = 1024;

/** A chunk in which some pages are held. */
interface Mixed {
  readonly bits: Uint32Array;
  /** Pages held before each step. */
  readonly before: Uint16Array;
}

/** How the loading of a bitmap ended, other than well. */
export type BitmapEnd = { readonly kind: 'cancelled' } | { readonly kind: 'unreadable'; readonly at: number };

/**
 * Which pages a dump holds, and how many come before one. RAM comes in few large pieces: only chunks that hold some of their
 * pages take room (4.1 KiB for 128 MiB of memory), so that the bitmap of 1 TiB takes at most 33 MiB. However large the
 * bitmap is and whatever it says, it takes less than 75 MiB.
 */
export class PageBitmap {
  /** By chunk: NONE, ALL, FAR, or an index into `mixed`. */
  private readonly kinds: Int32Array;
  /** By chunk: pages held before it. */
  private readonly ranks: Float64Array;
  private readonly mixed: Mixed[] = [];
  /** Mixed chunks that were read again, by chunk. */
  private readonly far = new Map<number, Mixed>();
  /** Pages held. */
  count = 0;

  private constructor(
    private readonly source: ByteSource,
    private readonly offset: number,
    readonly pages: number,
    private readonly mostMixed: number,
  ) {
    const chunks = Math.ceil(pages / CHUNK_PAGES);
    this.kinds = new Int32Array(chunks);
    this.ranks = new Float64Array(chunks);
  }

  /**
   * Reads the bitmap of pages 0 to `pages`, bit 0 of byte 0 first, from `offset` of the file on. Chunks that hold some of
   * their pages are kept up to `mostMixed`; the file must stay open for the others.
   */
  static async load(
    source: ByteSource,
    offset: number,
    pages: number,
    task: Task,
    mostMixed = MOST_MIXED,
  ): Promise<PageBitmap | BitmapEnd> {
    const bitmap = new PageBitmap(source, offset, pages, mostMixed);
    const bytes = Math.ceil(pages / 8);
    const buffer = new Uint8Array(Math.min(READ_BYTES, Math.ceil(bytes / CHUNK_BYTES) * CHUNK_BYTES));
    for (let start = 0; start < bytes; start += READ_BYTES) {
      if (task.signal?.aborted) return { kind: 'cancelled' };
      const wanted = Math.min(READ_BYTES, bytes - start);
      if (!bitmap.read(start, wanted, buffer)) return { kind: 'unreadable', at: offset + start };
      for (let at = 0; at < wanted; at += CHUNK_BYTES) {
        bitmap.addChunk((start + at) / CHUNK_BYTES, new Uint32Array(buffer.buffer, at, CHUNK_WORDS));
      }
      if (bytes > READ_BYTES) {
        task.onProgress?.({
          message: `Reading the page bitmap of ${source.name}`,
          fraction: (start + wanted) / bytes,
        });
        await task.pause();
      }
    }
    return bitmap;
  }

  /** Reads `wanted` bytes of the bitmap from its byte `start` on; what is beyond its last page is 0. False: not readable. */
  private read(start: number, wanted: number, buffer: Uint8Array): boolean {
    const { source, offset, pages } = this;
    if (source.read(offset + start, buffer.subarray(0, wanted)) < wanted) return false;
    buffer.fill(0, wanted);
    if (start + wanted === Math.ceil(pages / 8) && pages % 8 !== 0) {
      buffer[wanted - 1] = (buffer[wanted - 1] ?? 0) & ((1 << (pages % 8)) - 1);
    }
    return true;
  }

  private addChunk(chunk: number, words: Uint32Array): void {
    const { before, count } = countBits(words);
    this.ranks[chunk] = this.count;
    this.count += count;
    if (count === 0) this.kinds[chunk] = NONE;
    else if (count === CHUNK_PAGES) this.kinds[chunk] = ALL;
    else if (this.mixed.length >= this.mostMixed) this.kinds[chunk] = FAR;
    else {
      this.kinds[chunk] = this.mixed.length;
      this.mixed.push({ bits: words.slice(), before });
    }
  }

  /** A chunk that is neither NONE nor ALL. One that cannot be read any more holds nothing. */
  private mixedAt(chunk: number, kind: number): Mixed {
    if (kind !== FAR) return this.mixed[kind] ?? EMPTY;
    const known = this.far.get(chunk);
    if (known) return known;
    const start = chunk * CHUNK_BYTES;
    const buffer = new Uint8Array(CHUNK_BYTES);
    const wanted = Math.min(CHUNK_BYTES, Math.ceil(this.pages / 8) - start);
    if (!this.read(start, wanted, buffer)) return EMPTY;
    const bits = new Uint32Array(buffer.buffer);
    const found = { bits, before: countBits(bits).before };
    if (this.far.size >= MOST_FAR) this.far.clear();
    this.far.set(chunk, found);
    return found;
  }

  has(page: number): boolean {
    if (page < 0 || page >= this.pages) return false;
    const chunk = Math.floor(page / CHUNK_PAGES);
    const kind = this.kinds[chunk] ?? NONE;
    if (kind === NONE || kind === ALL) return kind === ALL;
    const word = this.mixedAt(chunk, kind).bits[(page % CHUNK_PAGES) >> 5] ?? 0;
    return ((word >>> (page % 32)) & 1) === 1;
  }

  /** Pages held before `page`. */
  rank(page: number): number {
    const chunk = Math.floor(page / CHUNK_PAGES);
    const inChunk = page % CHUNK_PAGES;
    const rank = this.ranks[chunk] ?? this.count;
    const kind = this.kinds[chunk] ?? NONE;
    if (kind === NONE || kind === ALL) return kind === ALL ? rank + inChunk : rank;
    const { bits, before } = this.mixedAt(chunk, kind);
    const word = inChunk >> 5;
    const step = Math.floor(word / STEP_WORDS);
    let count = before[step] ?? 0;
    for (let i = step * STEP_WORDS; i < word; i++) count += bitCount(bits[i] ?? 0);
    return rank + count + bitCount((bits[word] ?? 0) & ((1 << (inChunk & 31)) - 1));
  }

  /**
   * Calls `add` with each half-open range of pages held, ascending. When there are more than `most` ranges, chunks that hold
   * some of their pages are given as one range from their first page to their last.
   */
  ranges(most: number, add: (start: number, end: number) => void): void {
    let seen = 0;
    const exact = this.walk(true, () => ++seen <= most);
    this.walk(exact, (start, end) => {
      add(start, end);
      return true;
    });
  }

  /** False when `visit` ended it. */
  private walk(exact: boolean, visit: (start: number, end: number) => boolean): boolean {
    for (let chunk = 0; chunk < this.kinds.length; chunk++) {
      const first = chunk * CHUNK_PAGES;
      const kind = this.kinds[chunk] ?? NONE;
      if (kind === NONE) continue;
      if (kind === ALL) {
        if (!visit(first, first + CHUNK_PAGES)) return false;
      } else if (exact) {
        if (!walkBits(this.mixedAt(chunk, kind).bits, first, visit)) return false;
      } else {
        const { bits } = this.mixedAt(chunk, kind);
        if (bits === EMPTY.bits) continue;
        if (!visit(first + firstBit(bits), first + lastBit(bits) + 1)) return false;
      }
    }
    return true;
  }
}

/** Pages held before each step of a chunk, and in all of it. */
function countBits(words: Uint32Array): { readonly before: Uint16Array; readonly count: number } {
  const before = new Uint16Array(STEPS);
  let count = 0;
  for (let i = 0; i < CHUNK_WORDS; i++) {
    if (i % STEP_WORDS === 0) before[i / STEP_WORDS] = count;
    count += bitCount(words[i] ?? 0);
  }
  return { before, count };
}

const EMPTY: Mixed = { bits: new Uint32Array(CHUNK_WORDS), before: new Uint16Array(STEPS) };

function walkBits(bits: Uint32Array, first: number, visit: (start: number, end: number) => boolean): boolean {
  let start = -1;
  for (let at = 0; at < CHUNK_PAGES; at++) {
    const word = bits[at >> 5] ?? 0;
    if ((at & 31) === 0 && word === (start < 0 ? 0 : 0xffff_ffff)) {
      at += 31;
      continue;
    }
    const held = ((word >>> (at & 31)) & 1) === 1;
    if (held && start < 0) start = at;
    if (!held && start >= 0) {
      if (!visit(first + start, first + at)) return false;
      start = -1;
    }
  }
  return start < 0 || visit(first + start, first + CHUNK_PAGES);
}

function firstBit(bits: Uint32Array): number {
  const word = bits.findIndex((value) => value !== 0);
  const value = bits[word] ?? 0;
  return word * 32 + 31 - Math.clz32(value & -value);
}

function lastBit(bits: Uint32Array): number {
  let word = bits.length - 1;
  while (word > 0 && bits[word] === 0) word--;
  return word * 32 + 31 - Math.clz32(bits[word] ?? 0);
}

/** Bits set in 32: sums of pairs, of fours, of bytes, then the bytes' sum by one multiplication. */
function bitCount(word: number): number {
  let sums = word - ((word >>> 1) & 0x5555_5555);
  sums = (sums & 0x3333_3333) + ((sums >>> 2) & 0x3333_3333);
  sums = (sums + (sums >>> 4)) & 0x0f0f_0f0f;
  return Math.imul(sums, 0x0101_0101) >>> 24;
}
