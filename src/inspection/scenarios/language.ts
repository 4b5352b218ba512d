import { readScenario } from '../../scenario/language/read';
import { type ResultOf } from '../protocol';

/** What is wrong with a scenario's text, and what an editor shows of it. */
export function checkedScenario(text: string): ResultOf<'checkScenario'> {
  const { problems, outline } = readScenario(text);
  return { problems, outline };
}
