import { type FieldModel } from '../messages/entryMessages';

/** The part of a field that stands in one row of the diagram. Bit positions in the word, inclusive. */
export interface Segment {
  readonly field: number;
  readonly high: number;
  readonly low: number;
  /** True for the part that holds the field's highest bit. */
  readonly first: boolean;
}

export interface BitRow {
  readonly high: number;
  readonly low: number;
  readonly segments: readonly Segment[];
}

/** Cuts the 64 bits of a word into rows of `columns` bits (a divisor of 64), highest bit first. */
export function bitRows(fields: readonly FieldModel[], columns: number): BitRow[] {
  const rows: BitRow[] = [];
  for (let high = 63; high >= 0; high -= columns) {
    const low = high - columns + 1;
    const segments = fields.flatMap((field, index) =>
      field.high < low || field.low > high
        ? []
        : [
            {
              field: index,
              high: Math.min(field.high, high),
              low: Math.max(field.low, low),
              first: field.high <= high,
            },
          ],
    );
    rows.push({ high, low, segments });
  }
  return rows;
}

/** How many bits fit in a row of this many CSS pixels, so that each bit is wide enough for its number. */
export function columnsFor(width: number): number {
  if (width >= 960) return 32;
  return width >= 440 ? 16 : 8;
}
