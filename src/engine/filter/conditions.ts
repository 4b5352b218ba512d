import { type Comparator } from './syntax';
import { type UnitRange } from './unitRanges';
import { type IntegerField, type RangeField, type WordField } from './vocabulary';

/** Answers for one row without allocating. */
export type Predicate<Row> = (row: Row) => boolean;

/** What numbers are compared by; `has` is for sets and texts. */
export type Order = Exclude<Comparator, 'has'>;
/** Half-open bounds of `in a..b`; a missing end is open. */
export interface Bounds {
  readonly from: bigint;
  readonly to: bigint;
}
export const WHOLE: Bounds = { from: 0n, to: 1n << 64n };

const never = (): boolean => false;
const always = (): boolean => true;

/** floor(value / 2^shift) and ceil(value / 2^shift) as numbers, exact below 2^53 and never less than 2^53 above. */
const floorUnits = (value: bigint, shift: number): number => Number(value >> BigInt(shift));
const ceilUnits = (value: bigint, shift: number): number =>
  Number((value + (1n << BigInt(shift)) - 1n) >> BigInt(shift));

export function compareInteger<Row>(
  field: IntegerField<Row>,
  order: Exclude<Order, '!='>,
  value: bigint,
): Predicate<Row> {
  const { read, shift } = field;
  const floor = floorUnits(value, shift);
  const ceil = ceilUnits(value, shift);
  switch (order) {
    case '=':
      return floor === ceil ? (row) => read(row) === floor : never;
    case '<':
      return (row) => read(row) < ceil;
    case '<=':
      return (row) => read(row) <= floor;
    case '>':
      return (row) => read(row) > floor;
    case '>=':
      return (row) => read(row) >= ceil;
  }
}

export function integerWithin<Row>(field: IntegerField<Row>, { from, to }: Bounds): Predicate<Row> {
  const { read, shift } = field;
  const first = ceilUnits(from, shift);
  const end = ceilUnits(to, shift);
  return (row) => {
    const value = read(row);
    return value >= first && value < end;
  };
}

/** Addresses below 2^64 as units of the field: the units that `order value` touches. `!=` is the negation of `=`. */
export function touchedUnits(shift: number, order: Exclude<Order, '!='>, value: bigint): UnitRange {
  const end = Number(WHOLE.to >> BigInt(shift));
  switch (order) {
    case '=':
      return unitsOf(shift, { from: value, to: value + 1n });
    case '<':
      return { start: 0, end: ceilUnits(value, shift) };
    case '<=':
      return { start: 0, end: floorUnits(value, shift) + 1 };
    case '>':
      return { start: floorUnits(value + 1n, shift), end };
    case '>=':
      return { start: floorUnits(value, shift), end };
  }
}

/** The same to the byte. */
export function touchedBytes(order: Exclude<Order, '!='>, value: bigint): Bounds {
  switch (order) {
    case '=':
      return { from: value, to: value + 1n };
    case '<':
      return { from: 0n, to: value };
    case '<=':
      return { from: 0n, to: value + 1n };
    case '>':
      return { from: value + 1n, to: WHOLE.to };
    case '>=':
      return { from: value, to: WHOLE.to };
  }
}

export const unitsOf = (shift: number, { from, to }: Bounds): UnitRange => ({
  start: floorUnits(from, shift),
  end: ceilUnits(to, shift),
});

/** The row's range has a unit in [start, end). */
export function overlaps<Row>(field: RangeField<Row>, range: UnitRange): Predicate<Row> {
  const { start: startOf, length } = field;
  const { start, end } = range;
  if (start >= end) return never;
  return (row) => {
    const first = startOf(row);
    return first < end && first + length(row) > start;
  };
}

export function compareWord<Row>(
  field: WordField<Row>,
  mask: bigint,
  order: Order,
  value: bigint,
): Predicate<Row> {
  const { low, high } = field;
  const maskLow = Number(mask & 0xffffffffn) | 0;
  const maskHigh = Number(mask >> 32n) | 0;
  const valueLow = Number(value & 0xffffffffn);
  const valueHigh = Number(value >> 32n);
  const equal: Predicate<Row> = (row) =>
    (low(row) & maskLow) >>> 0 === valueLow && (high(row) & maskHigh) >>> 0 === valueHigh;
  const less: Predicate<Row> = (row) => {
    const upper = (high(row) & maskHigh) >>> 0;
    return upper === valueHigh ? (low(row) & maskLow) >>> 0 < valueLow : upper < valueHigh;
  };
  switch (order) {
    case '=':
      return equal;
    case '!=':
      return (row) => !equal(row);
    case '<':
      return less;
    case '<=':
      return (row) => less(row) || equal(row);
    case '>':
      return (row) => !less(row) && !equal(row);
    case '>=':
      return (row) => !less(row);
  }
}

export function wordWithin<Row>(field: WordField<Row>, mask: bigint, { from, to }: Bounds): Predicate<Row> {
  const first = compareWord(field, mask, '>=', from);
  if (to === WHOLE.to) return first;
  const end = compareWord(field, mask, '<', to);
  return (row) => first(row) && end(row);
}

/** One of them answers yes. Balanced, so that a long list is not a deep one. */
export function anyOf<Row>(predicates: readonly Predicate<Row>[]): Predicate<Row> {
  return fold(predicates, never, (a, b) => (row) => a(row) || b(row));
}

/** All of them answer yes. */
export function allOf<Row>(predicates: readonly Predicate<Row>[]): Predicate<Row> {
  return fold(predicates, always, (a, b) => (row) => a(row) && b(row));
}

function fold<Row>(
  predicates: readonly Predicate<Row>[],
  none: Predicate<Row>,
  join: (a: Predicate<Row>, b: Predicate<Row>) => Predicate<Row>,
): Predicate<Row> {
  const [first, second] = predicates;
  if (!first) return none;
  if (!second) return first;
  const middle = predicates.length >> 1;
  return join(fold(predicates.slice(0, middle), none, join), fold(predicates.slice(middle), none, join));
}
