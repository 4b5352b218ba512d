import { compileFilter, completeFilter, type Filter } from '../../engine/filter/filter';
import { type Completion, type TextProblem } from '../protocol';
import { refuse } from '../requestError';

/** The compiled filter; undefined for an empty text. Refuses a text with errors, with the first of them. */
export function filterOf(where: string | undefined): Filter | undefined {
  if (where === undefined || where.trim() === '') return undefined;
  const compiled = compileFilter(where);
  if (compiled.ok) return compiled.filter;
  const [first] = compiled.problems;
  const place = first ? ` (at ${first.start + 1})` : '';
  return refuse(
    first?.code ?? 'filter/invalid',
    `Filter: ${first?.message ?? 'cannot be read'}${place}`,
    first?.hint,
  );
}

export function checkFilter(where: string): readonly TextProblem[] {
  const compiled = compileFilter(where);
  return compiled.ok ? [] : compiled.problems;
}

export function completions(where: string, offset: number): readonly Completion[] {
  return completeFilter(where, offset);
}
