import { type WritableMemory } from '../../src/engine/memory/writableMemory';
import { FRAME_ENTRIES, frameOf, type EntryHalves } from '../../src/engine/memory/words';
import { type FrameNumber } from '../../src/engine/values';
import { FrameMemory } from './tables';

/** Single frames that hardware writes to, too. */
export class WritableFrames extends FrameMemory implements WritableMemory {
  version = 0;

  /** The same words in frames of their own. */
  copy(): WritableFrames {
    const copy = new WritableFrames();
    for (const [frame, words] of this.frames) copy.frames.set(frame, words.slice());
    return copy;
  }

  readEntry(frame: FrameNumber, index: number, into: EntryHalves): boolean {
    const words = this.frames.get(frameOf(frame, index));
    if (!words) return false;
    const at = 2 * (index % FRAME_ENTRIES);
    into.lo = words[at] ?? 0;
    into.hi = words[at + 1] ?? 0;
    return true;
  }

  writeEntry(frame: FrameNumber, index: number, lo: number, hi: number): boolean {
    const words = this.frames.get(frameOf(frame, index));
    if (!words) return false;
    const at = 2 * (index % FRAME_ENTRIES);
    words[at] = lo;
    words[at + 1] = hi;
    this.version++;
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
    const read = { lo: 0, hi: 0 };
    if (!this.readEntry(frame, index, read)) return false;
    const same = read.lo === expectedLo >>> 0 && read.hi === expectedHi >>> 0;
    return same && this.writeEntry(frame, index, lo, hi);
  }

  /** Entry `index` of a frame. */
  get(frame: number, index: number): bigint {
    const words = this.frames.get(frame);
    if (!words) throw new Error(`no frame ${frame}`);
    return (BigInt(words[2 * index + 1] ?? 0) << 32n) | BigInt(words[2 * index] ?? 0);
  }
}
