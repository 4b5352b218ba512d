/** Measured figures for people: three digits and a unit. */

const TIMES: readonly (readonly [number, string])[] = [
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
  [1e-9, 'ns'],
];

/** `12.3 s`, `300 ms`; 0 is `0 s`. */
export function timeText(seconds: number): string {
  const [scale, unit] = TIMES.find(([scale]) => Math.abs(seconds) >= scale) ?? [1, 's'];
  return `${digits(seconds / scale)} ${unit}`;
}

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'];

/** `4K`, `1.42G`: by 1024, as elsewhere on the command line. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; Math.abs(value) >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${digits(value)}${UNITS[unit] ?? ''}`;
}

/** Three digits where that says it, never fewer than stand before the point. */
const digits = (value: number): string =>
  Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
