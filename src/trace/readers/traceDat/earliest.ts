/** What stands at a time. */
interface Timed {
  readonly time: number;
  readonly done: boolean;
}

/** Readers in a heap: the one that stands at the earliest event is first, of equally early ones the one that was given first. */
export class Earliest {
  readonly #heap: number[] = [];

  constructor(private readonly readers: readonly Timed[]) {
    readers.forEach(({ done }, index) => {
      if (!done) this.#heap.push(index);
    });
    for (let at = this.#heap.length >> 1; at >= 0; at--) this.#sink(at);
  }

  /** The number of the first reader; -1 when none has an event. */
  get first(): number {
    return this.#heap[0] ?? -1;
  }

  /** To be called when the first reader stands at another event, or at none. */
  moved(): void {
    const heap = this.#heap;
    if (this.readers[this.first]?.done === true) {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      heap[0] = last;
    }
    this.#sink(0);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    for (let at = from; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (this.#before(child, least)) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least] ?? 0, heap[at] ?? 0];
      at = least;
    }
  }

  #before(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one] ?? -1, this.#heap[other] ?? -1];
    const [first, second] = [this.readers[a], this.readers[b]];
    if (!first || !second) return false;
    return first.time < second.time || (first.time === second.time && a < b);
  }
}
