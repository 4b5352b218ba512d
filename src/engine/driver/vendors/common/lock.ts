import { type Steps } from '../../../steps';
import { type SoftwareStep } from '../../softwareStep';

/** A lock between operations whose steps run in turn: who does not get it looks again. */
export class Lock {
  #held = false;

  /** Does the steps while no other operation holds the lock. */
  *hold<Result>(name: string, steps: () => Steps<SoftwareStep, Result>): Steps<SoftwareStep, Result> {
    while (this.#held) yield { kind: 'poll', name: `${name} is free`, done: false };
    this.#held = true;
    try {
      return yield* steps();
    } finally {
      this.#held = false;
    }
  }
}
