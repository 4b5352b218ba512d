import { type ScenarioProblem } from '../../outcome';
import { type Scenario } from '../schema/scenario';
import { type SourceMap } from '../source/node';
import { checkActions } from './actions';
import { checkCounts } from './counts';
import { checkMachine } from './machine';
import { checkNames } from './names';
import { checkNeeds } from './needs';

/** What the schema cannot say. `scenario` is there when the shape is right. */
export function checkScenario(root: SourceMap, scenario: Scenario | undefined): readonly ScenarioProblem[] {
  const always = [...checkActions(root), ...checkNames(root)];
  if (!scenario) return always;
  return [
    ...always,
    ...checkMachine(root, scenario),
    ...checkNeeds(root, scenario),
    ...checkCounts(root, scenario),
  ];
}
