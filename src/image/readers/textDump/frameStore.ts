import { frameOf } from '../../../engine/memory/words';
import { FRAME_BYTES, FRAME_WORDS, type FrameNumber } from '../../../engine/values';
import { BlockIndex } from '../../blockIndex';
import { type ByteSource, bytesSource } from '../../../bytes/byteSource';
import { PHYSICAL_END, SegmentList } from '../../segments';

/** Frames at most: 384 MiB. They hold the tables of 128 GiB in 4 KiB pages, of which a dump has 3.9 GB of text. */
const MOST_FRAMES = 65_536;
/** Frames that share a buffer. */
const SLAB_FRAMES = 64;
const FRAME_ENTRIES = FRAME_WORDS / 2;

/** What came of placing a word. */
export type Placed = 'new' | 'same' | 'differs' | 'full';

interface Slab {
  readonly words: Uint32Array;
  /** By entry: the line that said it, 0 for none. */
  readonly lines: Uint32Array;
}

/** Frames of physical memory of which some words are known, each with the line of the text that says it. */
export class FrameStore {
  private readonly index = new BlockIndex();
  private readonly frames: number[] = [];
  private readonly slabs: Slab[] = [];
  private known = 0;

  /** Words that the text says. */
  get count(): number {
    return this.known;
  }

  /** Sets word `index` (0 to 511) of a frame on the word of a line (from 1 on); the first line that says a word is believed. */
  place(frame: number, index: number, lo: number, hi: number, line: number): Placed {
    const slot = this.slotOf(frame);
    if (slot < 0) return 'full';
    const { words, lines } = this.slabOf(slot);
    const entry = (slot % SLAB_FRAMES) * FRAME_ENTRIES + index;
    if (lines[entry] !== 0)
      return words[2 * entry] === lo && words[2 * entry + 1] === hi ? 'same' : 'differs';
    words[2 * entry] = lo;
    words[2 * entry + 1] = hi;
    lines[entry] = line;
    this.known++;
    return 'new';
  }

  /** Makes room for a table of which the text may say nothing more than where it is. */
  hold(frame: number): void {
    this.slotOf(frame);
  }

  /** Sets a word that the text does not say but that must lead where it says: it stays unknown. */
  assume(frame: number, index: number, lo: number, hi: number): void {
    const slot = this.slotOf(frame);
    if (slot < 0) return;
    const { words, lines } = this.slabOf(slot);
    const entry = (slot % SLAB_FRAMES) * FRAME_ENTRIES + index;
    if (lines[entry] !== 0) return;
    words[2 * entry] = lo;
    words[2 * entry + 1] = hi;
  }

  /** A word of a frame, as halves, and the line that says it: 0 when none does. */
  wordAt(frame: number, index: number): { readonly lo: number; readonly hi: number; readonly line: number } {
    const slot = this.index.get(frame);
    if (slot < 0) return { lo: 0, hi: 0, line: 0 };
    const { words, lines } = this.slabOf(slot);
    const entry = (slot % SLAB_FRAMES) * FRAME_ENTRIES + index;
    return { lo: words[2 * entry] ?? 0, hi: words[2 * entry + 1] ?? 0, line: lines[entry] ?? 0 };
  }

  /** True when the text says word `index` of the table whose first frame this is. */
  knows(table: FrameNumber, index: number): boolean {
    return this.wordAt(frameOf(table, index), index % FRAME_ENTRIES).line !== 0;
  }

  /** One more than the highest frame below `limit`. */
  endBelow(limit: number): number {
    return this.frames.reduce((end, frame) => (frame < limit && frame >= end ? frame + 1 : end), 0);
  }

  holds(frame: number): boolean {
    return this.index.get(frame) >= 0;
  }

  /** The frames one after the other, in the order in which they came. */
  source(name: string): ByteSource {
    const { slabs } = this;
    const size = this.frames.length * FRAME_BYTES;
    const slabBytes = SLAB_FRAMES * FRAME_BYTES;
    return {
      ...bytesSource(name, new Uint8Array(0)),
      size,
      read(offset, target) {
        let done = 0;
        while (done < target.length && offset + done < size) {
          const inSlab = (offset + done) % slabBytes;
          const slab = slabs[(offset + done - inSlab) / slabBytes];
          if (!slab) break;
          const left = Math.min(target.length - done, size - offset - done, slabBytes - inSlab);
          target.set(new Uint8Array(slab.words.buffer, inSlab, left), done);
          done += left;
        }
        return done;
      },
      words(offset, count) {
        const inSlab = offset % slabBytes;
        const slab = slabs[(offset - inSlab) / slabBytes];
        if (!slab || inSlab % 4 !== 0 || inSlab + 4 * count > slabBytes || offset + 4 * count > size)
          return undefined;
        return slab.words.subarray(inSlab / 4, inSlab / 4 + count);
      },
    };
  }

  segments(): SegmentList {
    const list = new SegmentList();
    this.frames.forEach((frame, slot) => {
      list.push(frame * FRAME_BYTES, slot * FRAME_BYTES, FRAME_BYTES);
    });
    return list;
  }

  private slotOf(frame: number): number {
    const known = this.index.get(frame);
    if (known >= 0) return known;
    const slot = this.frames.length;
    // Rubbish may put a PASID directory so that it goes on beyond the last physical address.
    if (slot >= MOST_FRAMES || frame >= PHYSICAL_END / FRAME_BYTES) return -1;
    if (slot % SLAB_FRAMES === 0) {
      this.slabs.push({
        words: new Uint32Array(SLAB_FRAMES * FRAME_WORDS),
        lines: new Uint32Array(SLAB_FRAMES * FRAME_ENTRIES),
      });
    }
    this.frames.push(frame);
    this.index.add(frame, slot);
    return slot;
  }

  private slabOf(slot: number): Slab {
    const slab = this.slabs[Math.floor(slot / SLAB_FRAMES)];
    if (!slab) throw new Error('internal error: a slot without a slab');
    return slab;
  }
}
