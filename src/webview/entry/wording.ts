import { type EntryStrings, type FieldModel } from '../messages/entryMessages';
import { fill } from '../shared/fill';

/** Bits are numbered over all words of an entry, as specifications number a structure of several words. */
export const bitNumber = (word: number, bit: number): number => word * 64 + bit;

/** `51:12`, or `7` for a single bit. */
export function bitRange(word: number, high: number, low: number): string {
  const first = bitNumber(word, high);
  return high === low ? String(first) : `${first}:${bitNumber(word, low)}`;
}

/** `bits 51:12` in the user's language. */
export function bitsInWords(strings: EntryStrings, word: number, high: number, low: number): string {
  return fill(high === low ? strings.bit : strings.bits, bitRange(word, high, low));
}

export const fieldWidth = (field: FieldModel): number => field.high - field.low + 1;

/** All the bits of the value, in groups of four from the low end. */
export function binaryDigits(field: FieldModel): string {
  const digits = BigInt(field.value).toString(2).padStart(fieldWidth(field), '0');
  return digits.replace(/\B(?=(\d{4})+$)/g, '_');
}

/** A value as it reads best: hexadecimal, and for a few bits binary too. */
export function valueText(field: FieldModel): string {
  const width = fieldWidth(field);
  if (width === 1) return BigInt(field.value).toString();
  return width <= 4 ? `${field.value} (0b${binaryDigits(field)})` : field.value;
}

/** Everything there is to know about a field, as one sentence for a screen reader. */
export function fieldInWords(strings: EntryStrings, word: number, field: FieldModel): string {
  const where = bitsInWords(strings, word, field.high, field.low);
  return [
    field.name,
    where,
    `${strings.value} ${valueText(field)}`,
    field.meaning,
    strings.kinds[field.kind],
    field.section,
  ].join(', ');
}

/** Bits that say nothing: not used and clear. */
export const isQuiet = (field: FieldModel): boolean =>
  (field.kind === 'ignored' || field.kind === 'reserved') && field.value === '0x0';
