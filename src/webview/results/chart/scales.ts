/** A place on an axis for a value, and the marks that stand on it. Pure arithmetic; pixels. */
export interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Both ends may be given in either order: an axis that points up runs from its bottom to its top. */
export interface Pixels {
  readonly from: number;
  readonly to: number;
}

const between = ({ from, to }: Pixels, part: number): number => from + (to - from) * part;

/** From 0 or less to `end`: about one tick for each `apart` pixels, at 1, 2 or 5 times a power of ten. */
export function linearScale(start: number, end: number, pixels: Pixels, apart: number): Scale {
  const span = Math.max(end - start, Number.MIN_VALUE);
  const most = Math.max(1, Math.abs(pixels.to - pixels.from) / apart);
  const step = niceStep(span / most);
  const first = Math.ceil(start / step);
  const count = Math.max(0, Math.floor(end / step) - first + 1);
  return {
    at: (value) => between(pixels, (value - start) / span),
    ticks: Array.from({ length: Math.min(count, MOST_TICKS) }, (_, index) => (first + index) * step),
  };
}

const MOST_TICKS = 100;

function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((times) => times * power >= least * 0.999) ?? 10) * power;
}

/**
 * By powers of `base`, from a power at or below `low` to one above `high`. What is smaller, and nothing at all, stands at its beginning.
 * @param strides  powers between ticks; the first that leaves room is taken
 */
export function logScale(
  range: { readonly low: number; readonly high: number },
  base: number,
  strides: readonly number[],
  pixels: Pixels,
  apart: number,
): Scale {
  const log = (value: number): number => Math.log(value) / Math.log(base);
  const most = Math.max(1, Math.abs(pixels.to - pixels.from) / apart);
  const [low, high] = [Math.floor(log(range.low) + 1e-9), Math.ceil(log(range.high) - 1e-9)];
  const stride = strides.find((each) => (high - low) / each <= most) ?? strides.at(-1) ?? 1;
  const end = Math.max(high, low + 1);
  const first = Math.ceil(low / stride) * stride;
  const count = Math.max(0, Math.floor((end - first) / stride) + 1);
  return {
    at: (value) =>
      between(pixels, value <= 0 ? 0 : Math.min(1, Math.max(0, (log(value) - low) / (end - low)))),
    ticks: Array.from(
      { length: Math.min(count, MOST_TICKS) },
      (_, index) => base ** (first + index * stride),
    ),
  };
}
