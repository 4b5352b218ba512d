/**
 * The words a filter of one kind of row may use. A grid brings its own vocabulary; the language around it is the same.
 * Readers are called once for each row and condition: they allocate nothing and use no bigint.
 */
export interface Vocabulary<Row> {
  readonly fields: readonly Field<Row>[];
  /** Name of the range field whose bounds the compiled filter tells, so that whole parts need not be walked. */
  readonly bounded?: string;
}

export type Field<Row> =
  | IntegerField<Row>
  | SecondsField<Row>
  | WordField<Row>
  | RangeField<Row>
  | SpanField<Row>
  | FlagField<Row>
  | SetField<Row>
  | ChoiceField<Row>
  | TextField<Row>;

interface FieldBase {
  /** Lower case, as are the aliases; unique in the vocabulary. */
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line for completion. */
  readonly doc: string;
  /** Values offered by completion. */
  readonly values?: readonly ValueHelp[];
}

export interface ValueHelp {
  readonly text: string;
  readonly doc: string;
}

/** An integer `read(row) * 2^shift`, where `read` gives less than 2^53; NaN, where the row has none, is equal to nothing. */
export interface IntegerField<Row> extends FieldBase {
  readonly type: 'integer';
  readonly shift: number;
  readonly read: (row: Row) => number;
}

/** A time: `read` gives nanoseconds since `origin`, itself in nanoseconds; NaN where the row has none. */
export interface SecondsField<Row> extends FieldBase {
  readonly type: 'seconds';
  readonly origin: bigint;
  readonly read: (row: Row) => number;
}

/** A 64-bit word as two 32-bit halves, signed or unsigned; the only type that takes a mask. */
export interface WordField<Row> extends FieldBase {
  readonly type: 'word';
  readonly low: (row: Row) => number;
  readonly high: (row: Row) => number;
}

/** A range of addresses in units of 2^shift bytes; unit numbers are at most 2^(64 - shift), which fits 53 bits. */
export interface RangeField<Row> extends FieldBase {
  readonly type: 'range';
  readonly shift: number;
  readonly start: (row: Row) => number;
  readonly length: (row: Row) => number;
}

/** A range of addresses to the byte: the field makes the condition that a row has an address of [from, to), to <= 2^64. */
export interface SpanField<Row> extends FieldBase {
  readonly type: 'span';
  readonly overlaps: (from: bigint, to: bigint) => (row: Row) => boolean;
}

/** Used bare (`dirty`, `not dirty`) or with yes and no (`dirty = yes`). */
export interface FlagField<Row> extends FieldBase {
  readonly type: 'flag';
  readonly read: (row: Row) => boolean;
}

/** A set of bits with names, such as a permission. */
export interface SetField<Row> extends FieldBase {
  readonly type: 'set';
  readonly read: (row: Row) => number;
  /** What each value word means; words in lower case. */
  readonly members: Readonly<Record<string, number>>;
}

/** One of a few values with names. */
export interface ChoiceField<Row> extends FieldBase {
  readonly type: 'choice';
  readonly read: (row: Row) => number;
  /** What each value word means; words in lower case. */
  readonly members: Readonly<Record<string, number>>;
}

/** Compared without regard to case. */
export interface TextField<Row> extends FieldBase {
  readonly type: 'text';
  readonly read: (row: Row) => string;
}

/** The field of this name or alias, in lower case. */
export function findField<Row>(vocabulary: Vocabulary<Row>, name: string): Field<Row> | undefined {
  return vocabulary.fields.find((field) => field.name === name || field.aliases?.includes(name));
}
