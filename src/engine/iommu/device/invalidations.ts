import { overlapsBlock } from '../caches/selection';
import { type PageRange } from '../cacheOperation';

/** What an Invalidate Request means. `space` undefined: of every PASID; -1: of requests without one. */
interface Range {
  readonly space: number | undefined;
  readonly pages: PageRange;
}

/** A request on its way, and what was invalidated meanwhile. */
export interface Flight {
  readonly space: number;
  readonly page: number;
  readonly meanwhile: Range[];
}

interface Invalidation {
  readonly completed: () => void;
  readonly waitsFor: Set<Flight>;
  calls: number;
}

/** Invalidations that a device has not answered yet, and the requests that they wait for. */
export class Invalidations {
  /** Calls of `complete` that an answer takes at least. */
  delay = 0;
  readonly #flights = new Set<Flight>();
  #open: Invalidation[] = [];

  get pending(): number {
    return this.#open.length;
  }

  takeOff(space: number, page: number): Flight {
    const flight = { space, page, meanwhile: [] };
    this.#flights.add(flight);
    return flight;
  }

  land(flight: Flight): void {
    this.#flights.delete(flight);
    for (const { waitsFor } of this.#open) waitsFor.delete(flight);
  }

  start(range: Range, completed: () => void): void {
    const waitsFor = new Set<Flight>();
    for (const flight of this.#flights) {
      flight.meanwhile.push(range);
      if (isIn(range, flight.space, flight.page, 12)) waitsFor.add(flight);
    }
    this.#open.push({ completed, waitsFor, calls: 0 });
  }

  /** Answers those that are complete by now, in order. */
  complete(): void {
    for (const each of this.#open) each.calls++;
    const isDone = ({ waitsFor, calls }: Invalidation): boolean => waitsFor.size === 0 && calls > this.delay;
    const done = this.#open.filter(isDone);
    this.#open = this.#open.filter((each) => !isDone(each));
    for (const { completed } of done) completed();
  }
}

/** Whether a part of these 2^shift bytes was invalidated while a request was on its way. */
export const wasInvalidated = ({ meanwhile, space }: Flight, page: number, shift: number): boolean =>
  meanwhile.some((range) => isIn(range, space, page, shift));

const isIn = (range: Range, space: number, page: number, shift: number): boolean =>
  (range.space ?? space) === space && overlapsBlock(range.pages, page, shift);
