/** Figures as people read them: three digits, and a unit. */

const digits = (value: number): string => String(Number(value.toPrecision(3)));

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** `1.5 MiB` */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  // 1023.9 of a unit would be rounded to 1020 of it.
  while (value >= 1023.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 1000 ? String(Math.round(value)) : digits(value)} ${BYTE_UNITS[unit] ?? ''}`;
}

/** Largest first. */
const SECOND_UNITS = [
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
  [1e-9, 'ns'],
] as const;

/** `212 ms`; from two minutes on `2 min 5 s`. */
export function secondsText(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds >= 119.5) return longText(Math.round(seconds));
  const [size, unit] = SECOND_UNITS.find(([each]) => seconds >= each * 0.9995) ?? SECOND_UNITS[3];
  return `${digits(seconds / size)} ${unit}`;
}

function longText(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  if (hours > 0) return minutes > 0 ? `${countText(hours)} h ${minutes} min` : `${countText(hours)} h`;
  return rest > 0 ? `${minutes} min ${rest} s` : `${minutes} min`;
}

/** `1,234,567`; less than a hundred with what comes after the point. */
export function countText(count: number): string {
  if (Math.abs(count) >= 1e15) return count.toExponential(2);
  return Math.abs(count) < 100 ? digits(count) : Math.round(count).toLocaleString('en-US');
}

/** `12.5×` */
export const timesText = (ratio: number): string => `${countText(ratio)}×`;

/** `17 %`; what is there, however little, is not 0. */
export function percentText(part: number): string {
  if (part > 0 && part < 0.001) return '< 0.1 %';
  return `${digits(part * 100)} %`;
}
