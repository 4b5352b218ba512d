import { type Failure } from '../../engine/result';

/** A problem with its place in the text: UTF-16 units, half-open. */
export interface TextProblem extends Failure {
  readonly start: number;
  readonly end: number;
  readonly severity: 'error' | 'warning';
}
