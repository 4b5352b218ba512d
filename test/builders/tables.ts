import { type PhysicalMemory } from '../../src/engine/memory/physicalMemory';
import { FRAME_WORDS, type FrameNumber, frameNumber } from '../../src/engine/values';

/** Physical memory made of single frames, for tests that write tables word by word. */
export class FrameMemory implements PhysicalMemory {
  readonly frames = new Map<number, Uint32Array>();
  readonly generation = 0;

  /** A new frame of zeros. */
  frame(number: number): FrameNumber {
    this.frames.set(number, new Uint32Array(FRAME_WORDS));
    return frameNumber(number);
  }

  /** Writes entry `index` of a frame. */
  set(frame: number, index: number, word: bigint): void {
    const words = this.frames.get(frame);
    if (!words) throw new Error(`no frame ${frame}`);
    words[2 * index] = Number(word & 0xffffffffn);
    words[2 * index + 1] = Number(word >> 32n);
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    return this.frames.get(frame);
  }

  explainMissing(frame: FrameNumber): string {
    return `physical address 0x${(frame * 4096).toString(16)} is not in the image`;
  }
}

/** Physical byte address of a frame, as the address bits of an entry. */
export const at = (frame: number): bigint => BigInt(frame) << 12n;
