import { type FrameNumber } from '../values';
import { type PhysicalMemory } from './physicalMemory';

/** One entry as two unsigned 32-bit halves: the form that loops use. */
export interface EntryHalves {
  lo: number;
  hi: number;
}

/** Reads entry `index` (0..511) of a frame into `into`; false when the frame is not held. */
export function readEntry(
  memory: PhysicalMemory,
  frame: FrameNumber,
  index: number,
  into: EntryHalves,
): boolean {
  const words = memory.readFrame(frame);
  if (!words) return false;
  into.lo = words[2 * index] ?? 0;
  into.hi = words[2 * index + 1] ?? 0;
  return true;
}

/** The 64-bit word `index` (0..511) of a frame. */
export function readWord(frame: Uint32Array, index: number): bigint {
  return joinHalves(frame[2 * index] ?? 0, frame[2 * index + 1] ?? 0);
}

export function joinHalves(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
