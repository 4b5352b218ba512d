import { checkSpec } from '../../../engine/machine/checkSpec';
import { specOf } from '../../run/specOf';
import { type ScenarioProblem } from '../../outcome';
import { type Scenario } from '../schema/scenario';
import { type SourceMap } from '../source/node';
import { checkActions } from './actions';
import { checkCounts } from './counts';
import { checkMachine } from './machine';
import { checkMigrations } from './migrations';
import { checkNames } from './names';
import { checkNeeds } from './needs';
import { checkTraffic } from './traffic';

/** What the schema cannot say. `scenario` is there when the shape is right. */
export function checkScenario(root: SourceMap, scenario: Scenario | undefined): readonly ScenarioProblem[] {
  const always = [...checkActions(root), ...checkNames(root)];
  if (!scenario) return always;
  const told = [
    ...always,
    ...checkMachine(root, scenario),
    ...checkNeeds(root, scenario),
    ...checkCounts(root, scenario),
  ];
  const checked = checkSpec(specOf(scenario));
  // Without a machine nobody knows what fits into it.
  if (!checked.ok) return told;
  return [
    ...told,
    ...checkTraffic(root, scenario, checked.value),
    ...checkMigrations(root, scenario, checked.value),
  ];
}
