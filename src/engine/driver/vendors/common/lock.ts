import { type Steps } from '../../../steps';
import { refused, type Outcome } from '../../errno';
import { type SoftwareStep } from '../../softwareStep';

/** Looks at a lock that is held, before the operation gives up: its holder may never go on. */
const MOST_POLLS = 10_000;

/** A lock between operations whose steps run in turn: who does not get it looks again. */
export class Lock {
  #held = false;

  /** Does the steps while no other operation holds the lock. EBUSY: the holder does not end. */
  *hold(name: string, steps: () => Steps<SoftwareStep, Outcome<null>>): Steps<SoftwareStep, Outcome<null>> {
    for (let polls = 0; this.#held; polls++) {
      if (polls === MOST_POLLS)
        return refused('EBUSY', `another operation holds ${name}, and does not go on`);
      yield { kind: 'poll', name: `${name} is free`, done: false };
    }
    this.#held = true;
    try {
      return yield* steps();
    } finally {
      this.#held = false;
    }
  }
}
