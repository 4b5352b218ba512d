import { type ScenarioProblem } from '../../outcome';
import { type Scenario } from '../schema/scenario';
import { type SourceMap } from '../source/node';
import { checkActions } from './actions';

/** What the schema cannot say. `scenario` is there when the shape is right. */
export function checkScenario(root: SourceMap, scenario: Scenario | undefined): readonly ScenarioProblem[] {
  void scenario;
  return [...checkActions(root)];
}
