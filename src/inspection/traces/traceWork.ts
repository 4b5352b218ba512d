import { type Failure } from '../../engine/result';
import { refuse } from '../requestError';
import { type Work } from '../work';

/** What work is about. */
interface Closable {
  readonly name: string;
  readonly closed: boolean;
}

/** Work on a trace: ended with a refusal when the trace is closed, or when `gone` says that nobody wants it any more. */
export function* ofTrace<T>(trace: Closable, work: Work<T>, gone?: () => Failure | undefined): Work<T> {
  try {
    for (;;) {
      if (trace.closed) {
        refuse('trace/closed', `${trace.name} was closed meanwhile.`, 'Open it again.');
      }
      const why = gone?.();
      if (why) refuse(why.code, why.message, why.hint);
      const step = work.next();
      if (step.done === true) return step.value;
      yield step.value;
    }
  } finally {
    work.return(undefined as never);
  }
}

/** Steps that yield rows, as work whose progress says how many of `total` they were. */
export function* overRows<T>(message: string, total: number, steps: Generator<number, T>): Work<T> {
  let rows = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    rows += step.value;
    const shown = `${message}: ${rows.toLocaleString('en')} rows`;
    yield { message: shown, ...(total > 0 ? { fraction: Math.min(1, rows / total) } : {}) };
  }
}
