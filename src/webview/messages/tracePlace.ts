import { type TracePlaceModel } from './traceMessages';

const UNITS: Readonly<Record<string, number>> = { s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 };

/** What is needed to read a time: nanoseconds that rows count from, and those of the first row. */
export interface PlaceContext {
  readonly origin: string;
  readonly firstTime: number | null;
}

/**
 * A place as people write it: `1234` is a row (from 1), `0xfffe0000` an IOVA, `90.125` or `90.125s` a time as the trace writes it,
 * `+0.5`, `+30ms` a time since the first row. Undefined for anything else.
 */
export function readPlace(text: string, { origin, firstTime }: PlaceContext): TracePlaceModel | undefined {
  const written = text
    .trim()
    .toLowerCase()
    .replaceAll(/[,_](?=\d{3})/g, '');
  if (/^\d{1,15}$/.test(written)) return Number(written) > 0 ? { row: Number(written) - 1 } : undefined;
  if (/^0x[0-9a-f]{1,16}$/.test(written)) return { iova: `0x${written.slice(2).replace(/^0+(?=.)/, '')}` };
  const match = /^(\+?)(\d{1,15})(?:\.(\d{1,12}))?\s*(s|ms|us|µs|ns)?$/.exec(written);
  if (!match) return undefined;
  const [, plus = '', whole = '', fraction = '', unit = 's'] = match;
  const scale = UNITS[unit] ?? 1;
  // Seconds since 1970 have more digits of nanoseconds than a number.
  const time = BigInt(whole) * BigInt(scale) + BigInt(Math.round(Number(`0.${fraction || '0'}`) * scale));
  if (plus !== '') return { time: Number(time) + (firstTime ?? 0) };
  return { time: Number(time - BigInt(origin)) };
}
