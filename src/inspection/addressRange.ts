import { parseInteger } from '../engine/values';

/** Half-open range of addresses; `end` may be 2^64. */
interface ParsedRange {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * `0x1000` (one byte), `0x1000..0x2000` (without the end, as lists show ranges) or `0x1000+4K`; undefined when it is none, is
 * empty or goes beyond 2^64.
 */
export function parseRange(text: string): ParsedRange | undefined {
  const [first = '', second, ...more] = text.split('..');
  if (more.length > 0) return undefined;
  const [from = '', length, ...rest] = first.split('+');
  const start = parseInteger(from);
  if (start === undefined || rest.length > 0 || (length !== undefined && second !== undefined))
    return undefined;
  const bytes = length === undefined ? 1n : parseInteger(length);
  const end = second === undefined ? bytes && start + bytes : parseEnd(second);
  return end !== undefined && end > start && end <= 1n << 64n ? { start, end } : undefined;
}

/** The end of a range is one more than the last address: 2^64 at most. */
const parseEnd = (text: string): bigint | undefined =>
  /^\s*(0x1_?(0000_?){3}0000|16E)\s*$/i.test(text) ? 1n << 64n : parseInteger(text);
