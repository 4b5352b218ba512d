import { type Failure } from '../result';

/** A place in the text, in UTF-16 units, half-open. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A problem of a filter text: what is wrong, where, and what to write instead. */
export interface FilterProblem extends Failure, Span {
  readonly severity: 'error' | 'warning';
}

/** More problems than this help nobody. */
const MAX_PROBLEMS = 20;

/** Collects the problems of one text. */
export class ProblemList {
  readonly #problems: FilterProblem[] = [];

  add(span: Span, code: string, message: string, hint?: string): void {
    if (this.#problems.length >= MAX_PROBLEMS) return;
    const { start, end } = span;
    // One complaint a place: the parser may come to the same token on two ways.
    if (this.#problems.some((known) => known.start === start && known.end === end)) return;

    const problem = { code: `filter/${code}`, message, start, end, severity: 'error' } as const;
    this.#problems.push(hint === undefined ? problem : { ...problem, hint });
  }

  get empty(): boolean {
    return this.#problems.length === 0;
  }

  /** In the order of the text. */
  list(): readonly FilterProblem[] {
    return [...this.#problems].sort((a, b) => a.start - b.start || a.end - b.end);
  }
}

/** The candidate a mistyped word most likely meant: it begins with the word, or at most a third of it differs. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().slice(0, 40);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const begins = wanted.length >= 2 && candidate.startsWith(wanted);
    const distance = begins ? 1 : editDistance(wanted, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
