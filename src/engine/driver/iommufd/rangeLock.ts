import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';

/** Looks at a lock that is held, before a writer gives up: a reader may never go on. */
const MOST_POLLS = 10_000;

/**
 * The lock of an address space's areas: many readers or one writer. A section is held between two steps only by readers, so
 * that writers wait by polling.
 */
export class RangeLock {
  #readers = 0;

  /** Runs steps as a reader: dirty reads run beside each other and beside maps of other areas. */
  *read<R>(steps: Steps<SoftwareStep, R>): Steps<SoftwareStep, R> {
    this.#readers++;
    try {
      return yield* steps;
    } finally {
      this.#readers--;
    }
  }

  /** Waits until no reader is left. EBUSY: one does not end. */
  *write(): Steps<SoftwareStep, Outcome<null>> {
    for (let polls = 0; this.#readers > 0; polls++) {
      if (polls === MOST_POLLS)
        return refused('EBUSY', 'a dirty read holds the lock of the areas, and does not go on');
      yield { kind: 'poll', name: 'wait for the lock of the areas', done: false };
    }
    return done(null);
  }
}
