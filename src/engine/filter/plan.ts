import { type Order, type Predicate } from './conditions';
import { type Field } from './vocabulary';

/** A compiled filter as data: what each condition asks of its field, for those who answer it for many rows at once. */
export type Plan<Row> =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Plan<Row>[] }
  | { readonly kind: 'not'; readonly operand: Plan<Row> }
  | {
      readonly kind: 'ask';
      readonly field: Field<Row>;
      readonly ask: Ask;
      /** The answer for one row. */
      readonly test: Predicate<Row>;
    };

/** What a condition asks; `other` is told by its `test` alone. */
export type Ask =
  | { readonly what: 'number'; readonly interval: Interval }
  /** The value is this one, or has all of these bits. */
  | { readonly what: 'equal' | 'bits'; readonly value: number }
  /** The row has an address of [from, to). */
  | { readonly what: 'addresses'; readonly from: bigint; readonly to: bigint }
  | { readonly what: 'text'; readonly test: (text: string) => boolean }
  | { readonly what: 'other' };

/** Numbers from `low` to `high`; an open end does not belong to it. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly lowOpen: boolean;
  readonly highOpen: boolean;
}

/** The numbers that `order value` lets through. `!=` is the negation of `=`. */
export function intervalOf(order: Exclude<Order, '!='>, value: number): Interval {
  const below = order === '<' || order === '<=';
  const above = order === '>' || order === '>=';
  return {
    low: below ? -Infinity : value,
    high: above ? Infinity : value,
    lowOpen: order === '>',
    highOpen: order === '<',
  };
}

/** In the interval; NaN is in none. */
export const isWithin = ({ low, high, lowOpen, highOpen }: Interval, value: number): boolean =>
  (lowOpen ? value > low : value >= low) && (highOpen ? value < high : value <= high);
