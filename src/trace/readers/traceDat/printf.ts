/** A value of a print format's argument: a number, a text, or bytes that a helper has printed already. */
export type PrintValue = bigint | string;

/** A conversion of a format string (C11 §7.21.6.1, and %p of Linux Documentation/core-api/printk-formats.rst). */
interface Conversion {
  readonly flags: string;
  /** -1: the next argument says it. */
  readonly width: number;
  readonly precision: number | undefined;
  readonly bits: number;
  readonly type: string;
}

const CONVERSION =
  /%(?<flags>[-+ #0]*)(?<width>\*|\d+)?(?:\.(?<precision>\*|\d*))?(?<length>hh|h|ll|l|z|t|j|L|q)?(?<type>[diuxXocsp%])(?<extension>(?<=p)[A-Za-z]*)?/g;
/** Wider fields are not of events, but of damaged files. */
const MOST_WIDTH = 512;
const BITS: Readonly<Record<string, number>> = {
  hh: 8,
  h: 16,
  l: 64,
  ll: 64,
  z: 64,
  t: 64,
  j: 64,
  q: 64,
  L: 64,
};

/** A format string, taken apart once for all records. */
export function compilePrintf(format: string): (values: readonly PrintValue[]) => string {
  const parts: (string | Conversion)[] = [];
  let from = 0;
  for (const match of format.matchAll(CONVERSION)) {
    parts.push(format.slice(from, match.index));
    from = match.index + match[0].length;
    const { flags = '', width, precision, length, type = '' } = match.groups ?? {};
    if (type === '%') parts.push('%');
    else {
      parts.push({
        ...{ flags, type, width: sizeOf(width) ?? 0, bits: BITS[length ?? ''] ?? 32 },
        precision: precision === '' ? 0 : sizeOf(precision),
      });
    }
  }
  parts.push(format.slice(from));
  return (values) => print(parts, values);
}

const sizeOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : text === '*' ? -1 : Math.min(Number(text), MOST_WIDTH);

function print(parts: readonly (string | Conversion)[], values: readonly PrintValue[]): string {
  let next = 0;
  let text = '';
  const take = (): PrintValue => values[next++] ?? 0n;
  const size = (): number => Math.min(Math.max(Number(numberOf(take())), 0), MOST_WIDTH);
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    else {
      const width = part.width < 0 ? size() : part.width;
      const precision = part.precision !== undefined && part.precision < 0 ? size() : part.precision;
      text += convert(part, take(), width, precision);
    }
  }
  return text;
}

const numberOf = (value: PrintValue): bigint => (typeof value === 'string' ? 0n : value);

function convert(
  { flags, bits, type }: Conversion,
  value: PrintValue,
  width: number,
  precision: number | undefined,
): string {
  const left = flags.includes('-');
  if (type === 's') {
    const text = typeof value === 'string' ? value : `0x${BigInt.asUintN(64, value).toString(16)}`;
    return pad(precision === undefined ? text : text.slice(0, precision), width, left);
  }
  // A helper's text stands for itself whatever the conversion says.
  if (typeof value === 'string') return pad(value, width, left);
  if (type === 'c') return pad(String.fromCharCode(Number(value & 0xffn)), width, left);
  if (type === 'p') return pad(BigInt.asUintN(64, value).toString(16).padStart(16, '0'), width, left);
  const signed = type === 'd' || type === 'i';
  const number = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const negative = number < 0n;
  let digits = (negative ? -number : number).toString(
    type === 'x' || type === 'X' ? 16 : type === 'o' ? 8 : 10,
  );
  if (type === 'X') digits = digits.toUpperCase();
  digits = digits.padStart(precision ?? 0, '0');
  const sign = negative
    ? '-'
    : signed && flags.includes('+')
      ? '+'
      : signed && flags.includes(' ')
        ? ' '
        : '';
  const prefix =
    flags.includes('#') && number !== 0n ? (type === 'o' ? '0' : /x/i.test(type) ? `0${type}` : '') : '';
  if (flags.includes('0') && !left && precision === undefined) {
    return sign + prefix + digits.padStart(width - sign.length - prefix.length, '0');
  }
  return pad(sign + prefix + digits, width, left);
}

const pad = (text: string, width: number, left: boolean): string =>
  left ? text.padEnd(width) : text.padStart(width);
