import { type FrameNumber } from '../values';
import { type PhysicalMemory } from './physicalMemory';
import { type UniformFrames } from './uniformFrames';
import { type EntryHalves } from './words';

/**
 * Physical memory that software and hardware change. Words are reached by these three only: each is one atomic access to an
 * aligned 64-bit word, entry `index` of the table whose first frame is given (tables may take several frames).
 */
export interface WritableMemory extends PhysicalMemory {
  /** Changes whenever a word or the set of frames changes. */
  readonly version: number;
  /** Many entries at once, of frames that are held as a pattern; absent where none is. */
  readonly uniformFrames?: UniformFrames;
  /** False when the frame is not held. */
  readEntry(frame: FrameNumber, index: number, into: EntryHalves): boolean;
  /** False when the frame is not held: nothing is written. */
  writeEntry(frame: FrameNumber, index: number, lo: number, hi: number): boolean;
  /** Writes when the word is the expected one; false when it is not, or its frame is not held. Halves are compared as 32 bits. */
  casEntry(
    frame: FrameNumber,
    index: number,
    expectedLo: number,
    expectedHi: number,
    lo: number,
    hi: number,
  ): boolean;
}

/** Where software gets frames for tables, queues and structures. */
export interface FrameAllocator {
  /** First of `count` neighbouring frames of zeros, aligned to `count` (a power of two); undefined: memory is full. */
  allocate(count?: number): FrameNumber | undefined;
  /** Gives frames back. What they hold stays readable as poison until they are allocated again, so that a late use is seen. */
  free(frame: FrameNumber, count?: number): void;
  /** Frames that are allocated now. */
  readonly allocated: number;
  /** Whether software has freed this frame, and not allocated it since. */
  isFreed(frame: FrameNumber): boolean;
  /** Whether this frame was allocated here, and is not freed. */
  isAllocated(frame: FrameNumber): boolean;
}
