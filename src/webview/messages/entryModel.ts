import { type EntryDetails, hex } from '../../inspection/protocol';
import { type CopyFormat, type CopyMessage, type EntryModel } from './entryMessages';

/** The entry as the view takes it: every bigint as a hexadecimal string. */
export function entryModel(details: EntryDetails): EntryModel {
  const { target, range } = details;
  return {
    title: details.title,
    address: hex(details.ref.address),
    specification: details.specification,
    ...(target && { target: { address: hex(target.address), what: target.what } }),
    ...(range && { range: { start: hex(range.start), end: hex(range.end) } }),
    words: details.words.map((word, index) => ({
      value: hex(word),
      fields: (details.fields[index] ?? []).map((field) => ({ ...field, value: hex(field.value) })),
    })),
    problems: details.problems.map(({ severity, message, hint, word, high, low }) => ({
      severity,
      message,
      ...(hint !== undefined && { hint }),
      word,
      high,
      low,
    })),
  };
}

/** A value of `bits` bits as text for the clipboard; binary with all its digits. */
export function formatValue(value: bigint, bits: number, format: CopyFormat): string {
  if (format === 'hex') return hex(value);
  return format === 'decimal' ? value.toString() : `0b${value.toString(2).padStart(bits, '0')}`;
}

/** The text a copy request asks for; undefined when the entry has no such word or field. */
export function copyText(details: EntryDetails, request: CopyMessage): string | undefined {
  const word = details.words[request.word];
  if (word === undefined) return undefined;
  if (request.field === null) return formatValue(word, 64, request.format);
  const field = details.fields[request.word]?.[request.field];
  return field && formatValue(field.value, field.high - field.low + 1, request.format);
}
