import { type ScenarioProblem } from '../../outcome';
import { error } from '../problems';
import { excessOf } from '../../run/bounds';
import { type Scenario } from '../schema/scenario';
import { keyRangeAt, type Path, rangeAt, type SourceMap } from '../source/node';
import { placedSteps } from './placedSteps';

/** Operations in each other. */
const MOST_DEEP = 4;

/** A run comes to its end: what it does is counted before it begins. */
export function checkCounts(root: SourceMap, scenario: Scenario): readonly ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  for (const { path, step } of placedSteps(scenario.steps)) {
    const deep = path.filter((key) => key === 'during').length;
    if (!step.during || deep < MOST_DEEP) continue;
    const message = `during is in ${deep} others; ${MOST_DEEP} may be in each other.`;
    problems.push(error(keyRangeAt(root, [...path, 'during']), message, 'Nest less.'));
  }
  const excess = excessOf(scenario);
  if (!excess) return problems;
  const { path, what, most, hint } = excess;
  const message = `The scenario asks for more than ${most.toLocaleString('en')} ${what}.`;
  return [...problems, error(outerRepeat(root, path), message, hint)];
}

/** How often the outermost repeat around a step goes, or the step. */
function outerRepeat(root: SourceMap, path: Path) {
  const at = path.indexOf('repeat');
  return at < 0 ? keyRangeAt(root, path) : rangeAt(root, [...path.slice(0, at + 1), 'times']);
}
