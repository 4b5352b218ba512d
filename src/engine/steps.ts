/**
 * Work as atomic steps: each `next()` does exactly one atomic action (one access to a 64-bit word, to a cache or to a queue)
 * and yields what it was; the return value is the result. Others may act between two steps.
 */
export type Steps<Step, Result> = Generator<Step, Result, void>;

/** Does all steps in one go. */
export function runSteps<Result>(steps: Generator<unknown, Result, void>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
