/** Decimal digits below a second. */
const DIGITS: Readonly<Record<string, number>> = { s: 9, ms: 6, us: 3, ns: 0 };

/** Nanoseconds of `90`, `90.520583`, `1.5ms`, `250us`: seconds, or the unit that is written; digits below 1 ns are dropped. */
export function parseNanoseconds(text: string): bigint | undefined {
  const match = /^([0-9](?:_?[0-9]){0,30})(?:\.([0-9](?:_?[0-9])*))?(s|ms|us|ns)?$/i.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = '', unit = 's'] = match;
  const digits = DIGITS[unit.toLowerCase()] ?? 0;
  const below = fraction.replaceAll('_', '').padEnd(digits, '0').slice(0, digits);
  return BigInt(whole.replaceAll('_', '') + below);
}
