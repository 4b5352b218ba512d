import * as z from 'zod';
import { parseInteger } from '../../../engine/values';

/**
 * Values with units. YAML's integers come in as bigint, so that 64 bits stay exact; texts carry units. Each schema takes both, and
 * gives what is computed with: addresses and sizes in bytes as bigint, rates in bytes a second, times in seconds.
 */
const written = z.union([z.bigint(), z.number(), z.string()]);
type Written = z.infer<typeof written>;

interface Meta {
  readonly description: string;
  readonly examples?: readonly string[];
  /** What names in the file it may be: completion offers those. */
  readonly refers?: Refers;
  /** How a JSON schema says it, where editors can check more than the type. */
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Names that a file gives; `attachments`: what a device can be attached to. */
export type Refers = 'devices' | 'domains' | 'guests' | 'viommus' | 'attachments';

/** A value that is read by `read`; undefined: it is not one. `what` completes "… is no …". */
function value<T>(what: string, read: (given: Written) => T | undefined, meta: Meta) {
  return written
    .transform((given, context): T => {
      const found = read(given);
      if (found !== undefined) return found;
      context.addIssue({ code: 'custom', message: `this is no ${what}`, params: { what } });
      return z.NEVER;
    })
    .meta({ ...meta, what });
}

const wholeOf = (given: Written): bigint | undefined => {
  if (typeof given === 'bigint') return given >= 0n && given < 1n << 64n ? given : undefined;
  // As times and rates may have it, a unit may stand off its number.
  if (typeof given === 'string') return parseInteger(given.replace(/^\s*(\d[\d_]*)\s+(?=[KMGTPE])/i, '$1'));
  return Number.isSafeInteger(given) && given >= 0 ? BigInt(given) : undefined;
};

export const address = (description: string) =>
  value('address: 0x… or a number with a unit (4G)', wholeOf, {
    description,
    examples: ['0x1000', '4G'],
  });

export const size = (description: string) =>
  value('size: 4096, 4K, 2M, 1G', wholeOf, { description, examples: ['4K', '2M', '1G'] });

/** A 64-bit word. */
export const word = (description: string) =>
  value('number of at most 64 bits', wholeOf, { description, examples: ['0x0'] });

/** A count as a JS number; `most` bounds it. */
export const count = (description: string, most = Number.MAX_SAFE_INTEGER, least = 0) =>
  value(
    most === Number.MAX_SAFE_INTEGER
      ? 'whole number'
      : `whole number from ${least.toLocaleString('en')} to ${most.toLocaleString('en')}`,
    (given) => {
      const whole = wholeOf(given);
      return whole !== undefined && whole >= BigInt(least) && whole <= BigInt(most)
        ? Number(whole)
        : undefined;
    },
    { description, type: ['integer', 'string'], minimum: least, maximum: most },
  );

/** What a unit's prefix stands for, in small letters: powers of 1000, as rates of links and disks have them, or of 1024. */
const PREFIXES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ...['k', 'm', 'g', 't'].flatMap((prefix, index): [string, number][] => [
    [prefix, 1000 ** (index + 1)],
    [`${prefix}i`, 1024 ** (index + 1)],
  ]),
]);

/** What digits and a scale come to; undefined: more than a number holds. */
function scaled(digits: string, scale: number | undefined): number | undefined {
  const result = scale === undefined ? undefined : Number(digits) * scale;
  return Number.isFinite(result) ? result : undefined;
}

/** Bits or bytes a second as bytes a second: `100Gbps`, `12.5GB/s`, `1GiB/s`. Prefixes in either case: SI has kB/s. */
export function parseRate(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGTkmgt]i?)?(bps|bit\/s|b\/s|B\/s)$/.exec(text.trim());
  if (!match) return undefined;
  const [, digits = '', prefix = '', unit = ''] = match;
  const rate = scaled(digits, PREFIXES.get(prefix.toLowerCase()));
  return rate === undefined || unit === 'B/s' ? rate : rate / 8;
}

export const rate = (description: string) =>
  value(
    'rate: 100Gbps, 12.5GB/s, 1GiB/s',
    (given) => (typeof given === 'string' ? parseRate(given) : undefined),
    {
      description,
      examples: ['100Gbps', '12.5GB/s', '1GiB/s'],
      type: 'string',
    },
  );

const SECONDS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-9],
  ['us', 1e-6],
  ['µs', 1e-6],
  ['ms', 1e-3],
  ['s', 1],
  ['min', 60],
  ['h', 3600],
]);

/** `300ms`, `62ns`, `10min` as seconds. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zµ]+)$/.exec(text.trim());
  const [, digits = '', unit = ''] = match ?? [];
  return scaled(digits, SECONDS.get(unit));
}

export const time = (description: string) =>
  value(
    'time: 300ms, 2us, 62ns, 30s, 10min',
    (given) => (typeof given === 'string' ? parseTime(given) : undefined),
    {
      description,
      examples: ['300ms', '30s'],
      type: 'string',
    },
  );

/** 0 to 1, or `30%`. */
export const share = (description: string) =>
  value(
    'share: 0 to 1, or 30%',
    (given) => {
      const [, digits = '', percent] = /^\s*([\d.]+(?:e-?\d+)?)\s*(%)?\s*$/.exec(String(given)) ?? [];
      const number = digits === '' ? NaN : Number(digits) / (percent === undefined ? 1 : 100);
      return number >= 0 && number <= 1 ? number : undefined;
    },
    { description, examples: ['0.3', '30%'], type: ['number', 'integer', 'string'] },
  );

export const text = (description: string) => z.string().min(1).max(10_000).meta({ description });
export const flag = (description: string) => z.boolean().meta({ description });
/** One of some ids, which completion offers; `what` is what hover says of each. */
export const oneOf = <const Ids extends readonly [string, ...string[]]>(
  ids: Ids,
  description: string,
  what: Readonly<Record<string, string>> = {},
) => z.enum(ids).meta({ description, enumDescriptions: ids.map((id) => what[id] ?? '') });

/** A name that the file gives: letters, digits, dashes. */
export const name = () =>
  z
    .string()
    .regex(/^[A-Za-z][\w-]{0,63}$/, 'a name has letters, digits, - and _, and begins with a letter')
    .meta({ what: 'name: letters, digits, - and _, beginning with a letter' });

const reference = (refers: Refers, description: string) => z.string().min(1).meta({ description, refers });

export const deviceName = (description = 'A device of `devices`.') => reference('devices', description);
export const domainName = (description = 'A domain of `domains`, or one that a step made.') =>
  reference('domains', description);
export const guestName = (description = 'A guest that a step `guest` made.') =>
  reference('guests', description);
export const viommuName = (description = 'A vIOMMU that a step made.') => reference('viommus', description);

export const attachmentName = (description: string) => reference('attachments', description);

/** `00:02.0`, or an id. */
export const requester = (description: string) =>
  z
    .union([z.string(), z.bigint()])
    .transform((given) => String(given))
    .meta({ description, examples: ['00:02.0'], what: 'requester: 00:02.0, or an id' });

/** A number that is expected: exactly, or between bounds. `bytes`: sizes with units. */
export interface Expected {
  readonly atLeast: number;
  readonly atMost: number;
}

const bounds = (of: z.ZodType<number>, description: string) =>
  z
    .union([
      of.transform((exact): Expected => ({ atLeast: exact, atMost: exact })),
      z
        .strictObject({ atLeast: of.optional(), atMost: of.optional() })
        .transform(({ atLeast = 0, atMost = Infinity }): Expected => ({ atLeast, atMost })),
    ])
    .meta({ description });

const asNumber = (description: string) =>
  value('count, or a size: 0, 12, 4K', wholeOf, { description, examples: ['0'] }).transform(Number);

export const expectedCount = (description: string) => bounds(asNumber(description), description);
export const expectedTime = (description: string) => bounds(time(description), description);
export const expectedNumber = (description: string) =>
  bounds(
    value('number', (given) => (String(given).trim() === '' ? undefined : scaled(String(given), 1)), {
      description,
    }),
    description,
  );
