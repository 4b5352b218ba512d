import { drawAt } from '../random';

/** Where runs lie, and which of them write, by the number of the run. */
export interface Runs {
  /** Places of which each run takes one. */
  readonly places: number;
  placeOf(run: number): number;
  isWrite(run: number): boolean;
}

/** One after the other, or anywhere; `share` of them write. Both by seed. */
export function makeRuns(order: 'sequential' | 'random', places: number, share: number, seed: number): Runs {
  const [forPlaces, forDirections] = [streamSeed(seed, 0), streamSeed(seed, 1)];
  const threshold = share * 2 ** 32;
  return {
    places,
    placeOf: order === 'random' ? (run) => drawAt(forPlaces, run, places) : (run) => run % places,
    isWrite:
      share === 1
        ? () => true
        : share === 0
          ? () => false
          : (run) => drawAt(forDirections, run, 2 ** 32) < threshold,
  };
}

/** Of one of the streams of numbers that a seed has: any two seeds begin somewhere in one long circle of them. */
export const streamSeed = (seed: number, index: number): number => drawAt(seed, index, 2 ** 32);

/** A bit each: 16 MiB. */
const MOST_REMEMBERED = 2 ** 27;

/**
 * Names the places that the runs [from, to) write. Where runs go over memory many times it names each place once, and stops to
 * draw when all were named.
 */
export function nameWritten(runs: Runs, from: number, to: number, named: (place: number) => void): void {
  const { places } = runs;
  if (to - from <= places * 4 || places > MOST_REMEMBERED) {
    for (let run = from; run < to; run++) if (runs.isWrite(run)) named(runs.placeOf(run));
    return;
  }
  const known = new Uint32Array(Math.ceil(places / 32));
  let left = places;
  for (let run = from; run < to && left > 0; run++) {
    if (!runs.isWrite(run)) continue;
    const place = runs.placeOf(run);
    const bit = 1 << (place & 31);
    const word = known[place >>> 5] ?? 0;
    if ((word & bit) !== 0) continue;
    known[place >>> 5] = word | bit;
    left--;
    named(place);
  }
}

/** Places [first, end), each of which is written with a chance. */
export interface Scattered {
  readonly first: number;
  readonly end: number;
  readonly chance: number;
}

/** Runs from which on places are not drawn one by one. */
export const MOST_DRAWN = 2 ** 23;

/**
 * What the runs [from, to) write as chances of places, where there are too many of them to draw each: of n runs to anywhere that write
 * with a share s, each of p places is hit with 1 - e^(-ns/p), nearly independently of the others. Undefined: few enough to draw.
 */
export function scatterRuns(
  order: 'sequential' | 'random',
  places: number,
  share: number,
  from: number,
  to: number,
): readonly Scattered[] | undefined {
  const runs = to - from;
  if (runs <= MOST_DRAWN || runs * 64 < places || share === 0) return undefined;
  if (order === 'random') return [{ first: 0, end: places, chance: -Math.expm1((-runs * share) / places) }];
  // Each place is visited so often, and those from the first one on once more.
  const turns = Math.floor(runs / places);
  const [first, more] = [from % places, runs % places];
  const chance = (visits: number): number => 1 - (1 - share) ** visits;
  const end = first + more;
  const around = Math.max(0, end - places);
  return [
    { first: 0, end: around, chance: chance(turns + 1) },
    { first: around, end: first, chance: chance(turns) },
    { first, end: Math.min(end, places), chance: chance(turns + 1) },
    { first: Math.min(end, places), end: places, chance: chance(turns) },
  ].filter((each) => each.first < each.end && each.chance > 0);
}
