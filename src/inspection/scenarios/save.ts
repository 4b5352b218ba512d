import { saveMachine } from '../../scenario/save/save';
import { type Inspection } from '../inspection';
import { type ResultOf } from '../protocol';
import { RequestError, refuse } from '../requestError';
import { type Work } from '../work';

const MOST_TITLE = 200;

/** A machine, and all that was done to it, as a scenario's text with the files that it names. */
export function* machineAsScenario(
  inspection: Inspection,
  title: string,
  stem?: string,
): Work<ResultOf<'machineAsScenario'>> {
  const { current, operations } = inspection.emulated;
  if (title === '' || title.length > MOST_TITLE)
    return refuse('scenario/title', `A title has 1 to ${MOST_TITLE} characters.`);
  const saved = yield* saveMachine(current.spec, operations, title, stem);
  if (!saved.ok) throw new RequestError(saved.failure);
  return saved.value;
}
