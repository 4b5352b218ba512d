import { cancelledMeanwhile, type Task } from '../bytes/task';

/** Sorted in one go: a few milliseconds. */
const CHUNK = 16_384;
/** Merged between two pauses. */
const MERGE_SLICE = 262_144;

/**
 * Indices of `keys` by ascending key, equal keys by ascending index. Sorts in slices, so that a million program headers do
 * not hold up the event loop. Undefined when it was cancelled.
 */
export async function sortedOrder(keys: Float64Array, task: Task): Promise<Uint32Array | undefined> {
  const count = keys.length;
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  if (isSorted(keys)) return order;
  const compare = (a: number, b: number): number => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b;
  for (let start = 0; start < count; start += CHUNK) {
    order.subarray(start, start + CHUNK).sort(compare);
    if (await cancelledMeanwhile(task)) return undefined;
  }
  let target = new Uint32Array(count);
  let sincePause = 0;
  for (let width = CHUNK; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count);
      const end = Math.min(start + 2 * width, count);
      let left = start;
      let right = middle;
      for (let at = start; at < end; at++) {
        const takeLeft =
          left < middle && (right >= end || (keys[order[left] ?? 0] ?? 0) <= (keys[order[right] ?? 0] ?? 0));
        target[at] = order[takeLeft ? left++ : right++] ?? 0;
        if (++sincePause >= MERGE_SLICE) {
          sincePause = 0;
          if (await cancelledMeanwhile(task)) return undefined;
        }
      }
    }
    [order, target] = [target, order];
  }
  return order;
}

function isSorted(keys: Float64Array): boolean {
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i - 1] ?? 0) > (keys[i] ?? 0)) return false;
  }
  return true;
}
