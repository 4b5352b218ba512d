import { keep } from './chunkRows';
import { LiveMappings } from './liveMappings';
import { type SpaceIndex } from './spaceIndex';

/** Spaces without a name at most: each map that no space can hold asks all of them. */
const MOST_UNNAMED = 64;

/** Spaces with a name that an unmap without one may go from: those mapped in last. */
const MOST_NAMED = 256;

/** How well what a space maps fits an unmap: it is one mapping, several end to end, more than that, or only a part. */
const [PART, MORE, SEVERAL, ONE] = [0, 1, 2, 3];

/**
 * Spaces of a trace that does not name them. What is mapped at the same time at the same IOVA is in different spaces, so a map that
 * meets a live mapping goes to another space: the one that its task used last, if it is free there; else the first that is free;
 * else a new one. An unmap goes to the space that holds exactly its range; of several to the one that mapped it last, as
 * buffers that live long are mapped before those that come and go.
 */
export class Overlays {
  readonly live: LiveMappings[] = [];
  /** Unmaps that more than one space fits equally well, with other frames: which one went is not known. */
  ambiguous = 0;
  /** Maps that stand where something was mapped: there are no more spaces. */
  crowded = 0;
  readonly #index: SpaceIndex;
  readonly #unnamed: number[] = [];
  /** Spaces that something was mapped in, the last behind all others: a few hundred. */
  readonly #mapped = new Set<number>();
  #last = -1;
  readonly #used = new Map<number, number>();

  constructor(index: SpaceIndex) {
    this.#index = index;
  }

  get unnamed(): number {
    return this.#unnamed.length;
  }

  /** Spaces that an unmap asks. */
  get asked(): number {
    return this.#mapped.size;
  }

  /** Maps a range in a space. */
  map(space: number, start: number, end: number, frame: number, row: number): void {
    this.at(space).map(start, end, frame, row);
    if (space === this.#last) return;
    this.#last = space;
    this.#mapped.delete(space);
    this.#mapped.add(space);
    if (this.#mapped.size <= MOST_NAMED + MOST_UNNAMED) return;
    for (const oldest of this.#mapped) {
      if (this.#unnamed.includes(oldest)) continue;
      this.#mapped.delete(oldest);
      break;
    }
  }

  /** What a space maps. */
  at(space: number): LiveMappings {
    for (let missing = this.live.length; missing <= space; missing++) this.live.push(new LiveMappings());
    return this.live[space] ?? new LiveMappings();
  }

  /** The space that this range can be mapped in. */
  spaceToMap(start: number, end: number, task: number): number {
    const used = this.#used.get(task);
    const isFree = (space: number): boolean => !this.at(space).meets(start, end);
    let space = used !== undefined && isFree(used) ? used : this.#unnamed.find(isFree);
    if (space === undefined && this.#unnamed.length < MOST_UNNAMED) {
      space = this.#index.add(`space ${this.#unnamed.length + 1}`);
      this.#unnamed.push(space);
    }
    if (space === undefined) this.crowded++;
    space ??= this.#oldest(start, end);
    keep(this.#used, task, space);
    return space;
  }

  /** The space that this range goes from; -1: no space maps any of it. Of those with a name the last that were mapped in are asked. */
  spaceToUnmap(start: number, end: number): number {
    let [best, bestFit, bestRow, bestFrame] = [-1, -1, -1, Number.NaN];
    let others = false;
    for (const space of this.#mapped) {
      const live = this.at(space);
      const first = live.first(start, end);
      if (!first) continue;
      const fit = fitOf(live, first.start, first.end, start, end);
      if (fit < bestFit) continue;
      others = fit === bestFit && (others || first.frame !== bestFrame);
      if (fit === bestFit && first.row < bestRow) continue;
      [best, bestFit, bestRow, bestFrame] = [space, fit, first.row, first.frame];
    }
    if (others) this.ambiguous++;
    return best;
  }

  /** The space of whatever this task did last; -1. */
  lastOf(task: number): number {
    return this.#used.get(task) ?? this.#unnamed[0] ?? -1;
  }

  #oldest(start: number, end: number): number {
    let [oldest, row] = [0, Infinity];
    for (const space of this.#unnamed) {
      const met = this.at(space).first(start, end);
      if (met && met.row < row) [oldest, row] = [space, met.row];
    }
    return oldest;
  }
}

function fitOf(live: LiveMappings, first: number, firstEnd: number, start: number, end: number): number {
  if (first === start && firstEnd === end) return ONE;
  let at = start;
  let last = start;
  for (const mapping of live.within(start, end)) {
    if (mapping.start > at) return PART;
    at = mapping.end;
    last = mapping.end;
  }
  if (at < end) return PART;
  return first === start && last === end ? SEVERAL : MORE;
}
