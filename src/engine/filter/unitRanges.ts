/** Units (pages) of a bounded range field, half-open. */
export interface UnitRange {
  readonly start: number;
  readonly end: number;
}

/** Ordered, disjoint, none empty, none touching the next. Means: a matching row overlaps one of them. */
export type UnitRanges = readonly UnitRange[];

/** Beyond this many pairs the narrower operand alone is taken: still true, only less narrow. */
const MAX_PAIRS = 1 << 16;

export function normalise(ranges: readonly UnitRange[]): UnitRanges {
  const result: UnitRange[] = [];
  for (const range of ranges.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && range.start <= last.end) {
      result[result.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    } else {
      result.push(range);
    }
  }
  return result;
}

/** A row overlaps one of `a` or one of `b`. */
export const either = (a: UnitRanges, b: UnitRanges): UnitRanges => normalise([...a, ...b]);

/**
 * A row overlaps one of `a` and one of `b`. A row is one range: when its two partners meet, it overlaps what they have
 * in common; when they do not, it reaches from one to the other, so it holds the last unit of the lower one.
 */
export function both(a: UnitRanges, b: UnitRanges): UnitRanges {
  if (a.length * b.length > MAX_PAIRS) return width(a) <= width(b) ? a : b;
  const result: UnitRange[] = [];
  for (const one of a) {
    for (const other of b) {
      const start = Math.max(one.start, other.start);
      const end = Math.min(one.end, other.end);
      result.push(start < end ? { start, end } : { start: end - 1, end });
    }
  }
  return normalise(result);
}

const width = (ranges: UnitRanges): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0);
