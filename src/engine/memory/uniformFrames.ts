import { type FrameNumber } from '../values';

/**
 * 512 entries of a frame: entry i is base + i * step (modulo 2^64), XOR the accessed mask or the dirty mask where the bit
 * of entry i says so. Unsigned halves; the masks have no bit in common.
 */
export interface UniformEntries {
  readonly baseLo: number;
  readonly baseHi: number;
  /** 0: all entries are equal. */
  readonly stepLo: number;
  readonly stepHi: number;
  /** What hardware changes when it marks an entry accessed; 0: it does not. */
  readonly accessedLo: number;
  readonly accessedHi: number;
  /** What hardware changes when it marks an entry dirty; Arm clears a bit. */
  readonly dirtyLo: number;
  readonly dirtyHi: number;
}

/**
 * Frames of like entries, which are held small. They read and write as any other: what is here only does for many entries at
 * once what `readEntry` and `writeEntry` do one by one, each entry one atomic access. All give false, or undefined, and do
 * nothing for a frame that is not held this way now.
 */
export interface UniformFrames {
  /** Sets all words of a held frame of any kind; no entry is marked then. False when it is not held or memory is full. */
  writeUniform(frame: FrameNumber, entries: UniformEntries): boolean;
  /** What the entries have in common. */
  uniformEntries(frame: FrameNumber): UniformEntries | undefined;
  /**
   * Reads which entries differ from the pattern by the dirty mask: bit i % 32 of word i / 32, 16 words from `into[at]` on.
   */
  dirtyWords(frame: FrameNumber, into: Uint32Array, at?: number): boolean;
  /** Writes entries [from, to) so that they do not (do) differ from the pattern by the dirty mask. */
  clearDirty(frame: FrameNumber, from?: number, to?: number): boolean;
  setDirty(frame: FrameNumber, from?: number, to?: number): boolean;
}
