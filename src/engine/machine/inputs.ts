import { refused, done, type Outcome } from '../driver/errno';
import { failure, success, type Result } from '../result';
import { parseInteger } from '../values';

/** A message of the driver's with one full stop. */
export const sentence = (message: string): string => `${message.replace(/\.$/, '')}.`;

/** Text of an operation; what a file may have in its place is none. */
export const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A number of at most 64 bits as operations have it. */
export function numberIn(text: string, what: string): Outcome<bigint> {
  const value = parseInteger(text);
  return value === undefined
    ? refused('EINVAL', `${what} "${text}" is no number of at most 64 bits`)
    : done(value);
}

export const isPasid = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 2 ** 20;

/** log2 of a page size that is a power of two. */
export function shiftIn(text: string): Outcome<number> {
  const size = parseInteger(text);
  const shift = size === undefined ? -1 : size.toString(2).length - 1;
  if (size === undefined || size === 0n || size !== 1n << BigInt(shift))
    return refused('EINVAL', `"${text}" is no page size: 4K, 2M, 1G`);
  return done(shift);
}

/** log2 sizes of a list of page sizes, each of which the tables have; undefined for an empty list: all of them. */
export function shiftsIn(
  texts: readonly string[],
  possible: readonly number[],
): Result<readonly number[] | undefined> {
  if (texts.length === 0) return success(undefined);
  const shifts: number[] = [];
  for (const text of texts) {
    const shift = shiftIn(text);
    if (!shift.ok) return failure('machine/pages', `${shift.message}.`);
    if (!possible.includes(shift.value)) {
      const sizes = possible.map((each) => sizeText(each)).join(', ');
      return failure('machine/pages', `These tables have no pages of ${text}.`, `They have ${sizes}.`);
    }
    shifts.push(shift.value);
  }
  return success(shifts);
}

const sizeText = (shift: number): string => {
  const units = ['', 'K', 'M', 'G', 'T', 'P'];
  return `${2 ** (shift % 10)}${units[Math.floor(shift / 10)] ?? ''}`;
};
