import { completeScenario } from '../../scenario/language/help/complete';
import { hoverScenario } from '../../scenario/language/help/hover';
import { needsOf } from '../../scenario/language/outline';
import { readInSlices, readVariant } from '../../scenario/language/read';
import { scenarioJsonSchema } from '../../scenario/language/jsonSchema';
import { TEMPLATES } from '../../scenario/templates/index';
import { type Params, type ResultOf } from '../protocol';
import { type Work } from '../work';

/** What is wrong with a scenario's text, and what an editor shows of it. */
export function* checkedScenario({
  text,
  variant = null,
  set,
}: Params<'checkScenario'>): Work<ResultOf<'checkScenario'>> {
  if (!set) {
    const { problems, outline } = yield* readInSlices(text);
    return { problems, outline };
  }
  const { scenario, problems, outline } = readVariant(text, variant, set);
  const needs = scenario ? needsOf([scenario]) : {};
  return { problems, outline: outline && { ...outline, ...needs } };
}

export const scenarioCompletions = (text: string, offset: number): ResultOf<'completeScenario'> =>
  completeScenario(text, offset);

export const scenarioHover = (text: string, offset: number): ResultOf<'hoverScenario'> =>
  hoverScenario(text, offset);

export const scenarioSchema = (): ResultOf<'scenarioSchema'> => ({ schema: scenarioJsonSchema() });

export const scenarioTemplates = (): ResultOf<'scenarioTemplates'> => TEMPLATES;
