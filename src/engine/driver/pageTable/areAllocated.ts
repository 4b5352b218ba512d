import { type FrameAllocator } from '../../memory/writableMemory';
import { frameNumber, type FrameNumber } from '../../values';

/** Whether a table's frames are allocated: one that two pointers lead to is freed once. */
export function areAllocated(frames: FrameAllocator, table: FrameNumber, count: number): boolean {
  for (let frame = Number(table); frame < table + count; frame++)
    if (!frames.isAllocated(frameNumber(frame))) return false;
  return true;
}
