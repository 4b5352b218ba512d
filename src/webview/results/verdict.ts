import { type RunModel } from '../messages/resultsMessages';
import { type ResultsStrings } from '../messages/resultsStrings';
import { element, icon } from '../shared/dom';

const PATHS: Readonly<Record<RunModel['verdict'], string>> = {
  passed: 'M6.3 12.6 2.4 8.7l1.3-1.3 2.6 2.6 6-6 1.3 1.3z',
  failed: 'm8 6.7 3.6-3.6 1.3 1.3L9.3 8l3.6 3.6-1.3 1.3L8 9.3l-3.6 3.6-1.3-1.3L6.7 8 3.1 4.4l1.3-1.3z',
  cancelled: 'M3 7h10v2H3z',
};

/** A run's verdict: a sign and a word. */
export const verdictMark = (verdict: RunModel['verdict'], strings: ResultsStrings): HTMLElement =>
  element('span', { class: `verdict ${verdict}` }, icon(PATHS[verdict], 'sign'), strings.verdicts[verdict]);

/** Whether a migration converged: the same signs. */
export const convergedMark = (converged: boolean, strings: ResultsStrings): HTMLElement =>
  element(
    'strong',
    { class: `verdict ${converged ? 'passed' : 'failed'}` },
    icon(PATHS[converged ? 'passed' : 'failed'], 'sign'),
    converged ? strings.converged : strings.notConverged,
  );
