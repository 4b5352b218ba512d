/** What is dealt to: the rate of a source, and what one access of it moves. */
export interface Dealt {
  /** Bytes a second; 0 or absent: none is given. */
  readonly rate?: number;
  readonly bytesPerAccess: number;
}

/**
 * Says which of several sources makes the next access, so that each moves bytes at its rate: access n of a source (from 1)
 * is due at n x bytesPerAccess / rate, the earliest is next, and of those due at once the source named first. Without
 * rates each makes as many accesses as the others; a source without a rate among others that have one takes turns as the
 * mean of those does.
 */
export class Dealer {
  /** Time between two accesses of each source. */
  readonly periods: readonly number[];
  /** Accesses dealt to each. */
  readonly #dealt: Float64Array;
  readonly #due: Float64Array;
  #total = 0;

  /** At least one source. */
  constructor(sources: readonly Dealt[]) {
    const given = sources.map(({ rate = 0, bytesPerAccess }) => (rate > 0 ? bytesPerAccess / rate : 0));
    const known = given.filter((period) => period > 0);
    const mean = known.length === 0 ? 1 : known.reduce((sum, each) => sum + each, 0) / known.length;
    this.periods = given.map((period) => (period > 0 ? period : mean));
    this.#dealt = new Float64Array(sources.length);
    this.#due = Float64Array.from(this.periods);
  }

  /** The source of the next access, by its place in the list. */
  next(): number {
    const due = this.#due;
    let source = 0;
    let earliest = due[0] ?? 0;
    for (let index = 1; index < due.length; index++) {
      const time = due[index] ?? 0;
      if (time >= earliest) continue;
      earliest = time;
      source = index;
    }
    this.#take(source, (this.#dealt[source] ?? 0) + 1);
    this.#total++;
    return source;
  }

  /** As so many calls of `next`, at once: how many of these accesses each source makes. */
  skip(accesses: number): number[] {
    const before = [...this.#dealt];
    const end = this.#total + accesses;
    const perTime = this.periods.reduce((sum, period) => sum + 1 / period, 0);
    // All that is due before a time comes first in any case; a little is left to be dealt one by one.
    const time = (end - 2 * this.periods.length) / perTime;
    for (const [source, period] of this.periods.entries()) {
      let dealt = Math.max(this.#dealt[source] ?? 0, Math.floor(time / period));
      while (dealt > (before[source] ?? 0) && dealt * period >= time) dealt--;
      this.#total += dealt - (before[source] ?? 0);
      this.#take(source, dealt);
    }
    while (this.#total < end) this.next();
    return [...this.#dealt].map((dealt, source) => dealt - (before[source] ?? 0));
  }

  #take(source: number, dealt: number): void {
    this.#dealt[source] = dealt;
    this.#due[source] = (dealt + 1) * (this.periods[source] ?? 0);
  }
}
