/** Digits of a second below each unit. */
const UNIT_DIGITS = { s: 9, ms: 6, us: 3, ns: 0 } as const;
export type TimeUnit = keyof typeof UNIT_DIGITS;

const HEX = /^0x[0-9a-f]{1,16}$/i;
const DECIMAL = /^\d{1,20}$/;
const TIME = /^(-?)(\d{1,19})(?:\.(\d{0,30}))?$/;
const EXPONENT = /^-?\d+(?:\.\d+)?e[-+]?\d{1,2}$/i;
/** Hexadecimal digits of 12 bits. */
const OFFSET_DIGITS = 3;
const PAGE = 4096;
const PAGES = 2 ** 52;

/** A number that is written in decimal, or with `0x` in hexadecimal digits; undefined when it is none, or beyond 2^53. */
export function integerOf(text: string): number | undefined {
  if (!HEX.test(text) && !DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A 64-bit address written likewise, as page number and offset in the page. */
export function addressOf(text: string): readonly [page: number, offset: number] | undefined {
  if (HEX.test(text)) {
    const page = text.slice(2, -OFFSET_DIGITS);
    const offset = text.slice(Math.max(2, text.length - OFFSET_DIGITS));
    return [page === '' ? 0 : Number.parseInt(page, 16), Number.parseInt(offset, 16)];
  }
  if (!DECIMAL.test(text)) return undefined;
  let [page, offset] = [0, 0];
  for (const digit of text) {
    offset = offset * 10 + Number(digit);
    page = page * 10 + Math.floor(offset / PAGE);
    offset %= PAGE;
  }
  return page < PAGES ? [page, offset] : undefined;
}

/** Nanoseconds of a time in a unit; digits below one are dropped. Undefined when it is no time. */
export function nanosecondsOf(text: string, unit: TimeUnit): bigint | undefined {
  const match = TIME.exec(EXPONENT.test(text) ? Number(text).toFixed(UNIT_DIGITS[unit]) : text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  const digits = UNIT_DIGITS[unit];
  const value = BigInt(whole + fraction.slice(0, digits).padEnd(digits, '0'));
  return sign === '-' ? -value : value;
}

/** How many digits of a second a time has that is written like this. */
export function digitsOf(text: string, unit: TimeUnit): number {
  const fraction = TIME.exec(text)?.[3]?.length ?? 0;
  return Math.min(9, 9 - UNIT_DIGITS[unit] + fraction);
}

/** What times count from so that they stay exact: 0, or the whole second of a time long after it. */
export function originOf(first: bigint | undefined): bigint {
  if (first === undefined || (first >= 0n && first < LATE)) return 0n;
  return first - (first % SECOND);
}
const SECOND = 1_000_000_000n;
/** 30 days: no machine's clock since its start, or one that ran for long. */
const LATE = 30n * 86_400n * SECOND;
