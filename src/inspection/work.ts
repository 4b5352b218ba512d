import { CANCELLED, type CancelSignal, type Progress } from '../bytes/task';
import { RequestError } from './requestError';

/**
 * Work in small steps: yields the number of entries it read since the last yield, or what it does besides reading entries and
 * how far it has come; its return value is the answer.
 */
export type Work<T> = Generator<number | Progress, T>;

/** What the inspection needs of the place it runs in. */
export interface Scheduling {
  /** Milliseconds from any start, never going back. */
  readonly clock: () => number;
  /** Lets the event loop run once: cancel messages and other requests get through. */
  readonly pause: () => Promise<void>;
}

/** Longest stretch without giving way. */
export const SLICE_MS = 20;
/** Between two words on how far long work has come. */
const PROGRESS_MS = 100;

export interface CallContext {
  readonly signal: CancelSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Runs work in slices; between two slices everything else gets its turn, so that several works share the engine. */
export async function runInSlices<T>(
  work: Work<T>,
  { signal, onProgress }: CallContext,
  scheduling: Scheduling,
): Promise<T> {
  let entries = 0;
  let other: Progress | undefined;
  let told = scheduling.clock();
  for (;;) {
    const end = scheduling.clock() + SLICE_MS;
    do {
      if (signal.aborted) {
        work.return(undefined as never);
        throw new RequestError({ code: CANCELLED, message: 'Cancelled.' });
      }
      const step = work.next();
      if (step.done === true) return step.value;
      if (typeof step.value === 'number') {
        entries += step.value;
        other = undefined;
      } else other = step.value;
    } while (scheduling.clock() < end);
    if (scheduling.clock() - told >= PROGRESS_MS) {
      told = scheduling.clock();
      onProgress(other ?? { message: `${entries.toLocaleString('en')} entries read` });
    }
    await scheduling.pause();
  }
}
