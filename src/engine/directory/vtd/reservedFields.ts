import { mask, type BitField } from '../../bits/bitFields';

/** Fields that are named in one sentence at most. */
const MOST_NAMED = 4;

/**
 * Names the fields of an entry that have a bit of the masks set, lowest first: `PASIDE (bit 3), bits 8:7`. Bits are counted
 * through all words, as the specification does.
 */
export function reservedFields(
  words: readonly bigint[],
  masks: readonly bigint[],
  layouts: readonly (readonly BitField[])[],
): string {
  const named = layouts.flatMap((layout, word) => {
    const wrong = (words[word] ?? 0n) & (masks[word] ?? 0n);
    return [...layout]
      .sort((one, other) => one.low - other.low)
      .filter(({ high, low }) => (wrong & mask(high, low)) !== 0n)
      .map(({ name, kind, high, low }) => {
        const first = 64 * word + low;
        const place = high === low ? `bit ${first}` : `bits ${64 * word + high}:${first}`;
        return kind === 'reserved' ? place : `${name} (${place})`;
      });
  });
  const more = named.length > MOST_NAMED ? ` and ${named.length - MOST_NAMED} more` : '';
  return `${named.slice(0, MOST_NAMED).join(', ')}${more}`;
}
