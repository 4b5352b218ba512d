import { InvalidArgumentError } from 'commander';
import { type Settings } from './settings';

/** Rows of a sweep at most, over all shards. */
export const MOST_ROWS = 100_000;

/** One point of a sweep. */
export interface Row {
  /** From 0: its place in the whole sweep, whatever the shards. */
  readonly index: number;
  readonly variant: string | null;
  readonly set: Readonly<Record<string, string>>;
}

/** Part `index` (from 1) of `of`. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** `2/4`. */
export function parseShard(text: string): Shard {
  const [, index = '', of = ''] = /^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(text) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (shard.of < 1 || shard.of > MOST_ROWS || shard.index > shard.of) {
    throw new InvalidArgumentError(`Write a shard as I/N, I from 1 to N: 1/4 (at most ${MOST_ROWS} shards).`);
  }
  return shard;
}

/** Rows of the whole sweep; a number too large to count exactly is Infinity. */
export const rowCount = (variants: readonly (string | null)[], settings: Settings): number =>
  [...settings.values()].reduce((rows, values) => rows * values.length, variants.length);

/**
 * The rows of a shard: of the product of variants and settings those whose index leaves the shard's rest. The first setting
 * changes slowest, the last one with every row; variants are slower than all.
 */
export function rowsOf(
  variants: readonly (string | null)[],
  settings: Settings,
  shard: Shard,
): readonly Row[] {
  const total = rowCount(variants, settings);
  const keys = [...settings].reverse();
  const rows: Row[] = [];
  for (let index = shard.index - 1; index < total; index += shard.of) {
    let rest = index;
    const set: [string, string][] = [];
    for (const [key, values] of keys) {
      set.unshift([key, values[rest % values.length] ?? '']);
      rest = Math.floor(rest / values.length);
    }
    rows.push({ index, variant: variants[rest] ?? null, set: Object.fromEntries(set) });
  }
  return rows;
}

/** `part-00001-of-00004.parquet`. */
export const partName = ({ index, of }: Shard): string => `part-${padded(index)}-of-${padded(of)}.parquet`;

const padded = (number: number): string => String(number).padStart(5, '0');
