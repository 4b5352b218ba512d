import { assert, failure, type Result, success } from '../../../engine/result';
import { type ByteSource } from '../../../bytes/byteSource';
import { sortedOrder } from '../../sortedOrder';
import { CANCELLED, cancelledMeanwhile, type Task } from '../../../bytes/task';
import { newRecords, push, type Records } from './records';

/** Steps between two pauses. */
const AT_ONCE = 65_536;

/**
 * Puts the records in the order of the dump, disjoint: where records overlap, the one written later counts, since the writer
 * went back to it.
 */
export async function placeRecords(records: Records, name: string, task: Task): Promise<Result<Records>> {
  const cancelled = failure(CANCELLED, `Opening ${name} was cancelled.`);
  const { count, offsets, lengths, places } = records;
  const order = await sortedOrder(offsets.slice(0, count), task);
  if (!order) return cancelled;
  const pieces = newRecords(Math.max(1, count));
  const active = new LatestFirst();
  let next = 0;
  let at = 0;
  for (let step = 1; ; step++) {
    if (step % AT_ONCE === 0 && (await cancelledMeanwhile(task))) return cancelled;
    // Each step takes a record up, drops one, or ends one's piece: three for each record at most.
    const start = next < count ? (offsets[order[next] ?? 0] ?? 0) : Infinity;
    const latest = active.top;
    if (latest < 0) {
      if (next === count) break;
      at = Math.max(at, start);
      active.push(order[next++] ?? 0);
    } else if (start <= at) {
      active.push(order[next++] ?? 0);
    } else {
      const offset = offsets[latest] ?? 0;
      const end = offset + (lengths[latest] ?? 0);
      if (end <= at) {
        active.pop();
        continue;
      }
      const until = Math.min(end, start);
      push(pieces, at, until - at, (places[latest] ?? 0) + at - offset);
      at = until;
    }
  }
  return success(pieces);
}

/** Record numbers, the highest on top: a binary heap. */
class LatestFirst {
  private readonly heap: number[] = [];

  /** The highest number, or -1. */
  get top(): number {
    return this.heap[0] ?? -1;
  }

  push(number: number): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(number);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] ?? 0) > number) break;
      heap[at] = heap[parent] ?? 0;
      at = parent;
    }
    heap[at] = number;
  }

  pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if ((heap[child + 1] ?? -1) > (heap[child] ?? -1)) child++;
      if ((heap[child] ?? -1) < last) break;
      heap[at] = heap[child] ?? 0;
      at = child;
    }
    heap[at] = last;
  }
}

/** The dump as it is when it is put together; what no record wrote reads as zeros, as in a file. */
export class RearrangedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  /** The piece that the last read ended in. */
  private last = 0;

  constructor(
    private readonly file: ByteSource,
    private readonly pieces: Records,
  ) {
    this.name = file.name;
    const { count, offsets, lengths } = pieces;
    this.size = count === 0 ? 0 : (offsets[count - 1] ?? 0) + (lengths[count - 1] ?? 0);
  }

  read(offset: number, target: Uint8Array): number {
    assert(offset >= 0, 'read before the start of the source');
    const { file, pieces } = this;
    const wanted = Math.max(0, Math.min(target.length, this.size - offset));
    let piece = this.pieceAt(offset);
    let done = 0;
    while (done < wanted) {
      const at = offset + done;
      const start = piece < 0 ? 0 : (pieces.offsets[piece] ?? 0);
      const end = piece < 0 ? 0 : start + (pieces.lengths[piece] ?? 0);
      if (at >= end) {
        const next = pieces.offsets[piece + 1] ?? Infinity;
        const until = Math.min(wanted, done + Math.max(0, next - at));
        target.fill(0, done, until);
        done = until;
        piece++;
        continue;
      }
      const part = target.subarray(done, Math.min(wanted, done + end - at));
      const got = file.read((pieces.places[piece] ?? 0) + at - start, part);
      done += got;
      if (got < part.length) break;
    }
    this.last = Math.max(0, piece);
    return done;
  }

  /** Index of the last piece that starts at or below `offset`, or -1. */
  private pieceAt(offset: number): number {
    const { offsets, count } = this.pieces;
    const { last } = this;
    if (offset >= (offsets[last] ?? Infinity) && (last + 1 === count || offset < (offsets[last + 1] ?? 0))) {
      return last;
    }
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((offsets[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  fault(): string | undefined {
    return this.file.fault?.();
  }

  close(): void {
    this.file.close();
  }
}
