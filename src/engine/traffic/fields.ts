import { failure, success, type Result } from '../result';
import { formatSize, hex, parseInteger } from '../values';
import { type TrafficKind } from './spec';

/** Where a field is not what it must be: a sentence that goes on after the field's name, and what to do. */
type Problem = { readonly says: string; readonly hint: string } | undefined;

/** A value as a message has it, whatever it is. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}

/** A whole number of a range, both ends included. */
export function whole(value: unknown, least: number, most: number): Problem {
  if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) return undefined;
  const not = Number.isSafeInteger(value) ? 'within its bounds' : 'a whole number';
  return {
    says: `is ${shown(value)}, and not ${not}`,
    hint: `It is from ${least} to ${most}.`,
  };
}

export function powerOfTwo(value: unknown, least: number, most: number): Problem {
  const isOne = Number.isSafeInteger(value) && Number.isInteger(Math.log2(Number(value)));
  if (isOne && Number(value) >= least && Number(value) <= most) return undefined;
  return {
    says: `is ${shown(value)}, and not a power of two`,
    hint: `It is one of ${least}, ${least * 2}, ${least * 4}, to ${most}.`,
  };
}

/** A number from 0 to 1. */
export function share(value: unknown): Problem {
  if (typeof value === 'number' && value >= 0 && value <= 1) return undefined;
  return { says: `is ${shown(value)}, and not a share`, hint: 'It is a number from 0 to 1.' };
}

export function oneOf(value: unknown, ...names: readonly string[]): Problem {
  if (names.some((name) => name === value)) return undefined;
  return { says: `is ${shown(value)}`, hint: `It is ${names.join(' or ')}.` };
}

/** The first field with a problem; the names are those of the specification. */
export function checkFields(
  kind: TrafficKind['kind'],
  fields: Readonly<Record<string, Problem>>,
): Result<null> {
  for (const [name, problem] of Object.entries(fields))
    if (problem) return failure('traffic/field', `${kind}: "${name}" ${problem.says}.`, problem.hint);
  return success(null);
}

/** Bytes. Numbers are exact: everything ends below 2^53. */
export interface MemoryBytes {
  readonly start: number;
  readonly end: number;
}

const PAGE = 4096n;
const END = 1n << 53n;

/** Where a generator reads and writes. */
export function memoryOf(kind: TrafficKind['kind'], memory: unknown): Result<MemoryBytes> {
  const wrong = (says: string, hint: string) => failure('traffic/memory', `${kind}: ${says}.`, hint);
  const isRecord = typeof memory === 'object' && memory !== null;
  const given: { readonly start?: unknown; readonly length?: unknown } = isRecord ? memory : {};
  const start = typeof given.start === 'string' ? parseInteger(given.start) : undefined;
  const length = typeof given.length === 'string' ? parseInteger(given.length) : undefined;
  if (start === undefined)
    return wrong(`"memory.start" is ${shown(given.start)}, and no address`, 'Write an IOVA as text: "4G".');
  if (length === undefined || length === 0n)
    return wrong(`"memory.length" is ${shown(given.length)}, and no size`, 'Write a size as text: "64M".');
  if (start % PAGE !== 0n)
    return wrong(`"memory.start" is ${hex(start)}, and no multiple of 4K`, 'Begin at a page.');
  if (start + length > END)
    return wrong(`memory ends at ${hex(start + length)}`, `It ends at ${hex(END)} or below.`);
  return success({ start: Number(start), end: Number(start + length) });
}

/** Refuses memory that ends before what has to be in it. */
export function checkRoom(
  kind: TrafficKind['kind'],
  { start, end }: MemoryBytes,
  needed: number,
  what: string,
): Result<null> {
  if (end - start >= needed) return success(null);
  return failure(
    'traffic/memory',
    `${kind}: memory of ${formatSize(end - start)} has no room for ${what}, which take ${formatSize(needed)}.`,
    'Give it more memory, or less to hold.',
  );
}

/** Places are drawn from 32 bits. */
const MOST_PLACES = 2 ** 32;

export function checkPlaces(kind: TrafficKind['kind'], places: number): Result<null> {
  if (places <= MOST_PLACES) return success(null);
  return failure(
    'traffic/memory',
    `${kind}: memory holds ${places} places, and at most ${MOST_PLACES} can be told apart.`,
    'Make memory smaller, or what it is cut into larger.',
  );
}

/** The next page boundary. */
export const pageUp = (bytes: number): number => Math.ceil(bytes / 4096) * 4096;
