import { frameNumber, type FrameNumber } from '../values';
import { type PhysicalMemory } from './physicalMemory';

/** One entry as two unsigned 32-bit halves: the form that loops use. */
export interface EntryHalves {
  lo: number;
  hi: number;
}

/** 64-bit words in a frame. */
export const FRAME_ENTRIES = 512;

/** The frame that holds entry `index` of the table whose first frame is `table`: large tables take several. */
export function frameOf(table: FrameNumber, index: number): FrameNumber {
  return index < FRAME_ENTRIES ? table : frameNumber(table + Math.floor(index / FRAME_ENTRIES));
}

/** Reads entry `index` of the table whose first frame this is into `into`; false when its frame is not held. */
export function readEntry(
  memory: PhysicalMemory,
  frame: FrameNumber,
  index: number,
  into: EntryHalves,
): boolean {
  if (memory.readEntry) return memory.readEntry(frame, index, into);
  const words = memory.readFrame(frameOf(frame, index));
  if (!words) return false;
  const word = 2 * (index & (FRAME_ENTRIES - 1));
  into.lo = words[word] ?? 0;
  into.hi = words[word + 1] ?? 0;
  return true;
}

/** The 64-bit word `index` (0..511) of a frame. */
export function readWord(frame: Uint32Array, index: number): bigint {
  return joinHalves(frame[2 * index] ?? 0, frame[2 * index + 1] ?? 0);
}

export function joinHalves(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
