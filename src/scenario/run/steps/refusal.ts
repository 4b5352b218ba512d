import { type OperationReport } from '../../../engine/machine/operation';
import { type Step } from '../../language/schema/steps';
import { type Mismatch } from '../mismatch';

/** What is wrong with whether the driver refused it; undefined: it did not, as it should. */
export function refusal(step: Step, { errno, summary }: OperationReport): Mismatch[] | undefined {
  if (errno === undefined) {
    if (step.errno === undefined) return undefined;
    return [{ at: ['errno'], what: 'errno', expected: step.errno, actual: `done: ${summary}` }];
  }
  if (errno === step.errno) return [];
  const at = step.errno === undefined ? [] : ['errno'];
  const expected = step.errno ?? 'done';
  return [{ at, what: step.errno === undefined ? '' : 'errno', expected, actual: `${errno}: ${summary}` }];
}
