import { hex } from '../engine/values';
import { type ByteSource } from '../bytes/byteSource';
import { type MemoryImage } from './memoryImage';
import { type ProblemList } from './problems';
import { type Overlap, ZEROS } from './segments';
import { type Task } from '../bytes/task';

const CHUNK = 64 * 1024;
/** Bytes compared of one overlap, and in all: enough to tell a second mapping of the same memory from a conflict. */
const COMPARED_EACH = 1024 * 1024;
const COMPARED_IN_ALL = 16 * 1024 * 1024;

/**
 * Compares overlapping segments that stand at different places of the file and reports those that differ: /proc/vmcore
 * holds the kernel's text twice, with the same bytes, and that is no conflict.
 */
export async function reportOverlaps(
  overlaps: readonly Overlap[],
  count: number,
  memory: MemoryImage,
  source: ByteSource,
  problems: ProblemList,
  task: Task,
): Promise<void> {
  let budget = COMPARED_IN_ALL;
  let unchecked = count - overlaps.length;
  for (const overlap of overlaps) {
    if (budget <= 0 || task.signal?.aborted) {
      unchecked++;
      continue;
    }
    const length = Math.min(overlap.length, COMPARED_EACH, budget);
    budget -= length;
    const difference = await firstDifference(overlap, length, memory, source, task);
    if (difference === undefined) continue;
    problems.add(
      'warning',
      'image/overlap',
      `Physical ${hex(overlap.paddr)}-${hex(overlap.paddr + overlap.length)} is in the file twice with different bytes ` +
        `(first at ${hex(difference)}); the segment that starts lower is shown.`,
      'The headers name the same memory twice: at least one of the two is wrong.',
    );
  }
  if (unchecked > 0) {
    problems.add(
      'warning',
      'image/overlap-unchecked',
      `${unchecked} more overlaps of segments were not compared.`,
    );
  }
}

/** Physical address of the first byte that differs among the first `length` ones. */
async function firstDifference(
  overlap: Overlap,
  length: number,
  memory: MemoryImage,
  source: ByteSource,
  task: Task,
): Promise<number | undefined> {
  const shown = new Uint8Array(CHUNK);
  const other = new Uint8Array(CHUNK);
  for (let done = 0; done < length; done += CHUNK) {
    const part = Math.min(CHUNK, length - done);
    const [a, b] = [shown.subarray(0, part), other.subarray(0, part)];
    memory.read(overlap.paddr + done, a);
    if (overlap.offset === ZEROS) b.fill(0);
    else source.read(overlap.offset + done, b);
    const at = a.findIndex((byte, i) => byte !== b[i]);
    if (at >= 0) return overlap.paddr + done + at;
    await task.pause();
  }
  return undefined;
}
