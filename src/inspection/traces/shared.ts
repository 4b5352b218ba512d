import { type Work } from '../work';
import { overRows } from './traceWork';

/**
 * Work that several requests may wait for: each of them carries it on, whoever is cancelled leaves it to the others, and when
 * nobody waits it stands still where it is.
 */
export class Shared<T> {
  readonly #steps: Generator<number, T>;
  /** Rows done so far. */
  #rows = 0;
  #ended: { readonly value: T } | { readonly error: unknown } | undefined;

  constructor(steps: Generator<number, T>) {
    this.#steps = steps;
  }

  /** True once it failed: it has to be begun anew. */
  get failed(): boolean {
    return this.#ended !== undefined && 'error' in this.#ended;
  }

  /** Carries it on to its end. `total`: rows that it goes over in all. */
  *work(message: string, total: number): Work<T> {
    return yield* overRows(message, total, this.#rest());
  }

  *#rest(): Generator<number, T> {
    yield this.#rows;
    for (;;) {
      if (this.#ended) {
        if ('error' in this.#ended) throw this.#ended.error;
        return this.#ended.value;
      }
      const rows = this.#step();
      yield rows;
    }
  }

  #step(): number {
    try {
      const step = this.#steps.next();
      if (step.done !== true) {
        this.#rows += step.value;
        return step.value;
      }
      this.#ended = { value: step.value };
    } catch (error) {
      this.#ended = { error };
    }
    return 0;
  }
}
