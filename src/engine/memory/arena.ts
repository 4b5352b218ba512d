import { assert } from '../result';
import { FRAME_BYTES, FRAME_WORDS, hex, type FrameNumber } from '../values';
import { type EntryHalves, FRAME_ENTRIES, frameOf } from './words';
import { type WritableMemory } from './writableMemory';

/** The part of the standard that is used here: the engine sees neither the DOM's nor Node's types. */
interface GrowingMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => GrowingMemory;
};

const PAGES_OF_64K = 65536 / FRAME_BYTES;

/** Emulated frames in one WebAssembly.Memory. Frame numbers may lie anywhere; only frames that were added are held. */
export class Arena implements WritableMemory {
  readonly #memory: GrowingMemory;
  /** Physical frame -> slot. */
  readonly #slots = new Map<number, number>();
  #words: Uint32Array;
  #free: number[] = [];
  #used = 0;
  #generation = 0;
  #version = 0;

  /** `mostBytes`: of emulated frames; at most 4 GiB. */
  constructor(mostBytes = 2 ** 32 - 65536) {
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: Math.floor(mostBytes / 65536) });
    this.#words = new Uint32Array(this.#memory.buffer);
  }

  get generation(): number {
    return this.#generation;
  }

  get version(): number {
    return this.#version;
  }

  /** Adds a frame of zeros; false when memory is full. A frame that is there keeps its words. */
  addFrame(frame: FrameNumber): boolean {
    if (this.#slots.has(frame)) return true;
    const slot = this.#free.pop() ?? this.#newSlot();
    if (slot === undefined) return false;
    this.#words.fill(0, slot * FRAME_WORDS, (slot + 1) * FRAME_WORDS);
    this.#slots.set(frame, slot);
    this.#version++;
    return true;
  }

  removeFrame(frame: FrameNumber): void {
    const slot = this.#slots.get(frame);
    if (slot === undefined) return;
    this.#slots.delete(frame);
    this.#free.push(slot);
    this.#version++;
    this.#generation++;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const slot = this.#slots.get(frame);
    return slot === undefined
      ? undefined
      : this.#words.subarray(slot * FRAME_WORDS, (slot + 1) * FRAME_WORDS);
  }

  explainMissing(frame: FrameNumber): string {
    return `physical address ${hex(BigInt(frame) << 12n)} is not in this machine's memory`;
  }

  readEntry(frame: FrameNumber, index: number, into: EntryHalves): boolean {
    const at = this.#at(frame, index);
    if (at < 0) return false;
    into.lo = this.#words[at] ?? 0;
    into.hi = this.#words[at + 1] ?? 0;
    return true;
  }

  writeEntry(frame: FrameNumber, index: number, lo: number, hi: number): boolean {
    const at = this.#at(frame, index);
    if (at < 0) return false;
    this.#words[at] = lo;
    this.#words[at + 1] = hi;
    this.#version++;
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
    const at = this.#at(frame, index);
    if (at < 0) return false;
    const same = this.#words[at] === expectedLo >>> 0 && this.#words[at + 1] === expectedHi >>> 0;
    return same && this.writeEntry(frame, index, lo, hi);
  }

  #at(table: FrameNumber, index: number): number {
    const slot = this.#slots.get(frameOf(table, index));
    return slot === undefined ? -1 : slot * FRAME_WORDS + 2 * (index & (FRAME_ENTRIES - 1));
  }

  #newSlot(): number | undefined {
    const slot = this.#used;
    if ((slot + 1) * FRAME_BYTES > this.#memory.buffer.byteLength) {
      try {
        this.#memory.grow(Math.max(1, Math.min(256, Math.ceil(slot / PAGES_OF_64K))));
      } catch {
        return undefined;
      }
      this.#words = new Uint32Array(this.#memory.buffer);
      this.#generation++;
      assert((slot + 1) * FRAME_BYTES <= this.#memory.buffer.byteLength, 'memory grew by enough');
    }
    this.#used++;
    return slot;
  }
}
