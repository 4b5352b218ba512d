import { type Steps } from '../../steps';
import { type SoftwareStep } from '../softwareStep';

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

  /** Waits until no reader is left. */
  *write(): Steps<SoftwareStep, void> {
    while (this.#readers > 0) yield { kind: 'poll', name: 'wait for the lock of the areas', done: false };
  }
}
