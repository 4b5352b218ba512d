import { addressOf, EVERY_ORDER, wholeLeaves, type Block } from '../vendors/common/ranges';
import { type FlushRange } from '../flusher';

/** Commands that a guest sends by address; where more are needed, it removes all of its space. */
const MOST_ADDRESSES = 512;

/** The smallest aligned power of two around a range, with all of the largest leaves in it. */
export function guestBlock(range: FlushRange | null): Block {
  if (!range) return { startPage: 0, order: EVERY_ORDER };
  const { start, end } = wholeLeaves(range);
  let order = 0;
  while (Math.floor(start / 2 ** order) !== Math.floor((end - 1) / 2 ** order)) order++;
  return { startPage: start - (start % 2 ** order), order };
}

/** An address in each leaf that may be cached, its first or its last page; undefined: they are too many, or no range is given. */
export function oneInEach(range: FlushRange | null, where: 'first' | 'last'): bigint[] | undefined {
  if (!range) return undefined;
  const step = 2 ** (range.smallestShift - 12);
  const start = range.startPage - (range.startPage % step);
  const count = Math.ceil((range.endPage - start) / step);
  if (count > MOST_ADDRESSES) return undefined;
  return Array.from({ length: count }, (_, index) =>
    addressOf(start + index * step + (where === 'last' ? step - 1 : 0)),
  );
}
