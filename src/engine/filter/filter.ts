import { compile } from './compiler';
import { type Completion, complete } from './completion';
import { type LeafFacts, leafVocabulary } from './leafVocabulary';
import { parse } from './parser';
import { type FilterProblem, ProblemList } from './problems';
import { type Plan } from './plan';
import { type UnitRanges } from './unitRanges';
import { type Vocabulary } from './vocabulary';

export type { Completion } from './completion';
export type { LeafFacts } from './leafVocabulary';
export type { FilterProblem } from './problems';

/** A compiled filter over rows of one kind. */
export interface RowFilter<Row> {
  readonly text: string;
  /** True for a filter that lets every row through because it is empty. */
  readonly empty: boolean;
  /** Tens of nanoseconds, allocates nothing. */
  readonly matches: (row: Row) => boolean;
  /** The same condition as data, for who asks many rows at once. */
  readonly plan: Plan<Row>;
  /** A row that overlaps none of these units of the bounded field cannot match. Ordered and disjoint. */
  readonly bounds: UnitRanges;
}

export type Compilation<Filter> =
  | { readonly ok: true; readonly filter: Filter }
  | { readonly ok: false; readonly problems: readonly FilterProblem[] };

/** Compiles a filter over rows of any kind. The empty text lets everything through. */
export function compileRowFilter<Row>(
  text: string,
  vocabulary: Vocabulary<Row>,
): Compilation<RowFilter<Row>> {
  const problems = new ProblemList();
  const expression = parse(text, problems);
  const compiled = compile(expression ?? { kind: 'and', terms: [], start: 0, end: 0 }, vocabulary, problems);
  if (!compiled || !problems.empty) return { ok: false, problems: problems.list() };
  const { test, plan, holds } = compiled;
  return { ok: true, filter: { text, empty: expression === undefined, matches: test, plan, bounds: holds } };
}

/** IOVA pages (IOVA / 4096), half-open. */
export interface PageRange {
  readonly startPage: number;
  readonly endPage: number;
}

/** A compiled filter over the leaves of page tables. */
export interface Filter {
  readonly text: string;
  /** True for a filter that lets every leaf through because it is empty. */
  readonly empty: boolean;
  /** Tens of nanoseconds, allocates nothing. */
  readonly matches: (leaf: LeafFacts) => boolean;
  /** A leaf that overlaps none of these cannot match, so tables that overlap none need not be read. Ordered, disjoint. */
  readonly iovaBounds: readonly PageRange[];
}

/** Compiles a filter over leaves. The empty text lets everything through. Language: docs/filter.md. */
export function compileFilter(text: string): Compilation<Filter> {
  const compilation = compileRowFilter(text, leafVocabulary);
  if (!compilation.ok) return compilation;
  const { text: source, empty, matches, bounds } = compilation.filter;
  const iovaBounds = bounds.map(({ start, end }) => ({ startPage: start, endPage: end }));
  return { ok: true, filter: { text: source, empty, matches, iovaBounds } };
}

/** What may stand at `offset` of a filter over leaves, best first. */
export function completeFilter(text: string, offset: number): readonly Completion[] {
  return complete(text, offset, leafVocabulary);
}
