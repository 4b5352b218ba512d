import { type ScenarioProblem } from '../outcome';
import { type TextRange } from './source/node';

/** Problems that are told at once. */
export const MOST_PROBLEMS = 200;
/** Problems of one kind that are worth working out: more of them are told when these are gone. */
export const MOST_LOOKED_AT = 250;
/** Names among which the nearest is looked for. */
const MOST_COMPARED = 200;

/** Texts that a file quotes may have any length. */
const MOST_LETTERS = 600;
const bounded = (text: string): string =>
  text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;

const problem =
  (severity: ScenarioProblem['severity']) =>
  ({ start, end }: TextRange, message: string, hint?: string): ScenarioProblem => ({
    severity,
    start,
    end,
    message: bounded(message),
    ...(hint !== undefined && hint !== '' && { hint: bounded(hint) }),
  });

export const error = problem('error');
export const warning = problem('warning');

export const isError = ({ severity }: ScenarioProblem): boolean => severity === 'error';

export const inOrder = (problems: readonly ScenarioProblem[]): readonly ScenarioProblem[] =>
  [...problems].sort((one, other) => one.start - other.start || one.end - other.end).slice(0, MOST_PROBLEMS);

/** Names up to here are listed one by one. */
const MOST_LISTED = 16;

/** Did you mean the one that is nearest, or which ones there are. */
export function suggest(given: string, known: readonly string[], what: string, more = ''): string {
  const near = nearest(given, known);
  if (near !== undefined) return `Did you mean "${near}"?`;
  if (known.length === 0) return `There are no ${what}.`;
  const shown = known.slice(0, MOST_LISTED).join(', ');
  const rest = known.length > MOST_LISTED ? ` and ${known.length - MOST_LISTED} more` : '';
  return `There are ${what}: ${shown}${rest}.${more === '' ? '' : ` ${more}`}`;
}

/** The name that someone may have meant: other case, or a few letters off. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const wanted = given.toLowerCase();
  const same = known.find((name) => name.toLowerCase() === wanted);
  if (same !== undefined || given.length > 64 || given.length < 2) return same;
  const most = Math.min(3, Math.max(1, Math.floor(given.length / 3)));
  let best: { readonly name: string; readonly off: number } | undefined;
  for (const name of known.slice(0, MOST_COMPARED)) {
    if (Math.abs(name.length - given.length) > most) continue;
    const off = editDistance(wanted, name.toLowerCase());
    if (off <= most && (!best || off < best.off)) best = { name, off };
  }
  return best?.name ?? known.find((name) => wanted.length > 2 && name.toLowerCase().startsWith(wanted));
}

/** Letters to insert, remove, replace or swap with their neighbour (optimal string alignment). */
function editDistance(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[other.length] ?? 0;
}
