import { type Span } from './problems';

export type Comparator = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'has';

/** A name as written, in lower case; what it names is the vocabulary's affair. */
export interface Name extends Span {
  readonly name: string;
}

export type Value =
  /** `text` as it is written. */
  | (Span & { readonly kind: 'number'; readonly value: bigint; readonly text: string })
  /** A number of seconds that is no integer, `90.5` or `250us`. */
  | (Span & { readonly kind: 'decimal'; readonly text: string })
  | (Span & { readonly kind: 'word'; readonly text: string })
  | (Span & { readonly kind: 'text'; readonly text: string })
  /** A number that is none; reported already. */
  | (Span & { readonly kind: 'invalid' });

/** `a..b`, half-open; either end may be left out. */
export interface Interval extends Span {
  readonly kind: 'interval';
  readonly from?: Value;
  readonly to?: Value;
}

/** `entry & 0x800`: only these bits of the field. */
export interface Subject extends Span {
  readonly field: Name;
  readonly mask?: Value;
}

export type Expression = Span &
  (
    | { readonly kind: 'and' | 'or'; readonly terms: readonly Expression[] }
    | { readonly kind: 'not'; readonly operand: Expression }
    /** A flag, or a masked word that is not zero. */
    | { readonly kind: 'test'; readonly subject: Subject }
    | {
        readonly kind: 'compare';
        readonly subject: Subject;
        readonly comparator: Comparator;
        /** Where the comparator stands. */
        readonly operator: Span;

        readonly value: Value;
      }
    | { readonly kind: 'in'; readonly subject: Subject; readonly items: readonly (Value | Interval)[] }
    /** Reported already. */
    | { readonly kind: 'invalid' }
  );
