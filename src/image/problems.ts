import { type Failure } from '../engine/result';

/** A problem that did not stop the reading. */
export interface ImageProblem extends Failure {
  readonly severity: 'error' | 'warning' | 'info';
}

/** Problems of one code that are kept in full; the others are counted. */
const KEPT_PER_CODE = 8;

/** Gathers problems of a source that may have millions of them. */
export class ProblemList {
  private readonly kept: ImageProblem[] = [];
  private readonly counts = new Map<string, number>();

  add(severity: ImageProblem['severity'], code: string, message: string, hint?: string): void {
    const count = (this.counts.get(code) ?? 0) + 1;
    this.counts.set(code, count);
    if (count > KEPT_PER_CODE) return;
    this.kept.push(hint === undefined ? { severity, code, message } : { severity, code, message, hint });
  }

  /** The problems kept, and one line for each code of which there were more. */
  all(): readonly ImageProblem[] {
    const more = [...this.counts].filter(([, count]) => count > KEPT_PER_CODE);
    return [
      ...this.kept,
      ...more.map(([code, count]): ImageProblem => ({
        severity: this.kept.find((problem) => problem.code === code)?.severity ?? 'warning',
        code,
        message: `${count - KEPT_PER_CODE} more problems of this kind (${code}).`,
      })),
    ];
  }
}
