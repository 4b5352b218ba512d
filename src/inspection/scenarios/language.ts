import { readScenario } from '../../scenario/language/read';
import { needsOf } from '../../scenario/language/outline';
import { type Params, type ResultOf } from '../protocol';

/** What is wrong with a scenario's text, and what an editor shows of it. */
export function checkedScenario({
  text,
  variant = null,
  set,
}: Params<'checkScenario'>): ResultOf<'checkScenario'> {
  const { problems, outline, variant: read } = readScenario(text);
  if (!set) return { problems, outline };
  const one = read(variant, set);
  const needs = one.scenario ? needsOf([one.scenario]) : {};
  return { problems: one.problems, outline: outline && { ...outline, ...needs } };
}
