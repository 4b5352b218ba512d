import { type FrameNumber } from '../values';

/**
 * Bytes by physical address, read a frame at a time. The image (src/image) and, later, the arena of emulated frames
 * implement it; decoders know nothing else of where words come from.
 */
export interface PhysicalMemory {
  /**
   * The 1024 little-endian 32-bit words of one 4 KiB frame (entry i is words 2i (lo) and 2i+1 (hi)), or undefined when
   * the frame is not held as a whole. The array may be a view into the source and stays valid and unchanged until the
   * memory is closed, or until `generation` changes and 64 other frames have been read: copy what is kept longer. Never
   * write to it. Where words change (there is a `version`) it shows the words as they are, and a write by anybody may end it:
   * read the frame again after that.
   */
  readFrame(frame: FrameNumber): Uint32Array | undefined;
  /** As the function of this name does, where there is a faster way than a whole frame. */
  readEntry?(table: FrameNumber, index: number, into: { lo: number; hi: number }): boolean;
  /** Changes whenever an array that `readFrame` gave before may be overwritten. */
  readonly generation: number;
  /** Changes whenever a word changes; absent: words never change. */
  readonly version?: number | undefined;
  /** False for word `index` (0..) of the table at `frame` that reads as 0 only because the source does not say it. */
  knows?(frame: FrameNumber, index: number): boolean;
  /** Why `readFrame` gave nothing for this frame, as a sentence for people. */
  explainMissing(frame: FrameNumber): string;
}
