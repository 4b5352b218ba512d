import { numberAt, type PackedColumn } from '../model/chunk';
import { type Interval, isWithin } from '../../engine/filter/plan';
import { type Bits, setRange, wordsOf } from './bits';

/** Rows [from, to) of a chunk; `from` is a multiple of 32. */
export interface Scope {
  readonly from: number;
  readonly to: number;
}

type Packed = Uint8Array | Uint16Array | Uint32Array;

/** Sets in `out` the rows of `mask` whose number is in the interval. Only words that the mask has rows in are looked at. */
export function scanInterval(
  column: PackedColumn,
  interval: Interval,
  scope: Scope,
  mask: Bits,
  out: Bits,
): void {
  if ('constant' in column) scanAll(isWithin(interval, column.constant), scope, mask, out);
  else if ('numbers' in column) scanNumbers(column.numbers, interval, scope, mask, out);
  else {
    const { values, base, scale } = column;
    const top = 2 ** (8 * values.BYTES_PER_ELEMENT) - 2;
    const low = packedLow(interval, base, scale);
    const high = Math.min(packedHigh(interval, base, scale), top);
    if (low > high) scanAll(false, scope, mask, out);
    else scanPacked(values, low, high, scope, mask, out);
  }
}

/** The least packed value that is not below the interval, at least 0. */
function packedLow({ low, lowOpen }: Interval, base: number, scale: number): number {
  if (low < base) return 0;
  const value = Math.ceil((low - base) / scale);
  return lowOpen && base + scale * value === low ? value + 1 : value;
}

function packedHigh({ high, highOpen }: Interval, base: number, scale: number): number {
  if (high < base) return -1;
  const value = Math.floor((high - base) / scale);
  return highOpen && base + scale * value === high ? value - 1 : value;
}

/** Without a branch in the loop over rows: whether a row matches cannot be foretold. */
function scanPacked(values: Packed, low: number, high: number, scope: Scope, mask: Bits, out: Bits): void {
  const end = wordsOf(scope.to);
  for (let word = scope.from >> 5; word < end; word++) {
    const rows = mask[word] ?? 0;
    let bits = 0;
    if (rows !== 0) {
      const start = word << 5;
      for (let bit = 31; bit >= 0; bit--) {
        const value = values[start + bit] ?? 0;
        bits = (bits << 1) | (Number(value >= low) & Number(value <= high));
      }
    }
    out[word] = bits & rows;
  }
}

function scanNumbers(numbers: Float64Array, interval: Interval, scope: Scope, mask: Bits, out: Bits): void {
  const end = wordsOf(scope.to);
  for (let word = scope.from >> 5; word < end; word++) {
    const rows = mask[word] ?? 0;
    let bits = 0;
    if (rows !== 0) {
      const start = word << 5;
      for (let bit = 0; bit < 32; bit++) {
        bits |= (isWithin(interval, numbers[start + bit] ?? Number.NaN) ? 1 : 0) << bit;
      }
    }
    out[word] = bits & rows;
  }
}

/** Sets in `out` the rows of `mask` whose number has a yes in `answers`: at the number + 1, and at 0 when it is absent. */
export function scanTable(
  column: PackedColumn,
  answers: Uint8Array,
  scope: Scope,
  mask: Bits,
  out: Bits,
): void {
  const answer = (id: number): boolean => answers[id >= 0 ? id + 1 : 0] === 1;
  if ('constant' in column) scanAll(answer(column.constant), scope, mask, out);
  else if ('numbers' in column || column.values instanceof Uint32Array)
    scanEach((row) => answer(numberAt(column, row)), scope, mask, out);
  else scanSmall(column.values, answersOfPacked(column.values, column.base, answers), scope, mask, out);
}

/** The answers by packed value: ids are packed with a scale of 1, and the highest value is absent. */
function answersOfPacked(values: Uint8Array | Uint16Array, base: number, answers: Uint8Array): Uint8Array {
  const none = 2 ** (8 * values.BYTES_PER_ELEMENT) - 1;
  const packed = new Uint8Array(none + 1);
  packed.set(answers.subarray(base + 1, base + 1 + none));
  packed[none] = answers[0] ?? 0;
  return packed;
}

function scanSmall(
  values: Uint8Array | Uint16Array,
  answers: Uint8Array,
  scope: Scope,
  mask: Bits,
  out: Bits,
): void {
  const end = wordsOf(scope.to);
  for (let word = scope.from >> 5; word < end; word++) {
    const rows = mask[word] ?? 0;
    let bits = 0;
    if (rows !== 0) {
      const start = word << 5;
      for (let bit = 31; bit >= 0; bit--) bits = (bits << 1) | (answers[values[start + bit] ?? 0] ?? 0);
    }
    out[word] = bits & rows;
  }
}

/** Asks each row of `mask` by itself. */
export function scanEach(test: (row: number) => boolean, scope: Scope, mask: Bits, out: Bits): void {
  const end = wordsOf(scope.to);
  for (let word = scope.from >> 5; word < end; word++) {
    let bits = 0;
    for (let rest = mask[word] ?? 0; rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest);
      if (test((word << 5) + bit)) bits |= 1 << bit;
    }
    out[word] = bits;
  }
}

/** The same answer for all rows of `mask`. */
export function scanAll(answer: boolean, { from, to }: Scope, mask: Bits, out: Bits): void {
  if (!answer) out.fill(0, from >> 5, wordsOf(to));
  else if (mask !== out) out.set(mask.subarray(from >> 5, wordsOf(to)), from >> 5);
}

/** The rows of `mask` in [first, last). */
export function scanRange(first: number, last: number, { from, to }: Scope, mask: Bits, out: Bits): void {
  setRange(out, from, to, Math.min(Math.max(first, from), to), Math.max(Math.min(last, to), from));
  for (let word = from >> 5; word < wordsOf(to); word++) out[word] = (out[word] ?? 0) & (mask[word] ?? 0);
}

/** The greatest number of a column among the rows; 0 when all are absent or less. */
export function greatest(column: PackedColumn, { from, to }: Scope): number {
  if ('constant' in column) return Math.max(column.constant || 0, 0);
  let high = 0;
  if ('numbers' in column) {
    for (let row = from; row < to; row++) {
      const value = column.numbers[row] ?? 0;
      if (value > high) high = value;
    }
    return high;
  }
  const { values, base, scale } = column;
  const none = 2 ** (8 * values.BYTES_PER_ELEMENT) - 1;
  for (let row = from; row < to; row++) {
    const value = values[row] ?? 0;
    if (value > high && value !== none) high = value;
  }
  return base + scale * high;
}
