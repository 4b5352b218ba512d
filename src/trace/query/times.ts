import { type TraceTable } from '../model/table';

/** Nanoseconds since the trace's origin as absolute seconds, with the digits that the tracer writes. */
export function formatSeconds(
  { origin, timeDigits }: { readonly origin: bigint | string; readonly timeDigits: number },
  time: number,
): string {
  const all = BigInt(origin) + BigInt(Math.round(time));
  const sign = all < 0n ? '-' : '';
  const digits = (all < 0n ? -all : all).toString().padStart(10, '0');
  const below = digits.slice(-9).slice(0, timeDigits);
  return `${sign}${digits.slice(0, -9)}${below === '' ? '' : '.'}${below}`;
}

/** The least and the greatest time of the rows so far, in nanoseconds since the trace's origin; NaN when none has a time. */
export function timesOf({ chunks }: Pick<TraceTable, 'chunks'>): readonly [number, number] {
  let [low, high] = [Number.NaN, Number.NaN];
  for (const { zone } of chunks) {
    const [first, last] = zone.time;
    if (!(low <= first) && first === first) low = first;
    if (!(high >= last) && last === last) high = last;
  }
  return [low, high];
}
