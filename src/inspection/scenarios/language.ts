import { completeScenario } from '../../scenario/language/help/complete';
import { hoverScenario } from '../../scenario/language/help/hover';
import { needsOf } from '../../scenario/language/outline';
import { readScenario } from '../../scenario/language/read';
import { scenarioJsonSchema } from '../../scenario/language/jsonSchema';
import { TEMPLATES } from '../../scenario/templates/index';
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

export const scenarioCompletions = (text: string, offset: number): ResultOf<'completeScenario'> =>
  completeScenario(text, offset);

export const scenarioHover = (text: string, offset: number): ResultOf<'hoverScenario'> =>
  hoverScenario(text, offset);

export const scenarioSchema = (): ResultOf<'scenarioSchema'> => ({ schema: scenarioJsonSchema() });

export const scenarioTemplates = (): ResultOf<'scenarioTemplates'> => TEMPLATES;
