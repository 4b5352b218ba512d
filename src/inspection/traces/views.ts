import { type RowSpaces } from '../../trace/model/spaces';
import { type TraceTable } from '../../trace/model/table';
import { compileTraceFilter, type TraceFilter } from '../../trace/query/traceFilter';
import { TraceView } from '../../trace/query/traceView';
import { type TextProblem, type TraceViewId } from '../protocol';
import { refuse } from '../requestError';

/** Views that one trace has at most: a page has one, and what else is asked needs none for long. */
const MOST_VIEWS = 64;

const NO_SPACES = 'Address spaces have to be told apart first: split the trace by address spaces (--spaces).';

/** What is wrong with a filter over a trace's rows. */
export function traceFilterProblems(
  where: string,
  table: TraceTable,
  spaces: RowSpaces | undefined,
): readonly TextProblem[] {
  const compiled = compileTraceFilter(where, table, spaces);
  if (compiled.ok) return [];
  return compiled.problems.map((problem) =>
    !spaces && where.slice(problem.start, problem.end).toLowerCase() === 'space'
      ? { ...problem, hint: NO_SPACES }
      : problem,
  );
}

/** A compiled filter over a trace's rows. Refuses a text with errors, with the first of them. */
export function traceFilterOf(where: string, table: TraceTable, spaces: RowSpaces | undefined): TraceFilter {
  const compiled = compileTraceFilter(where, table, spaces);
  if (compiled.ok) return compiled.filter;
  const [first] = traceFilterProblems(where, table, spaces);
  const place = first ? ` (at ${first.start + 1})` : '';
  return refuse(
    first?.code ?? 'filter/invalid',
    `Filter: ${first?.message ?? 'cannot be read'}${place}`,
    first?.hint,
  );
}

interface NamedView {
  readonly where: string;
  readonly spaces: RowSpaces | undefined;
  readonly view: TraceView;
}

/** The views of one trace by the names that the client chose. The empty name is the view of all rows. */
export class TraceViews {
  readonly #table: TraceTable;
  readonly #all: TraceView;
  readonly #named = new Map<TraceViewId, NamedView>();

  constructor(table: TraceTable) {
    this.#table = table;
    this.#all = new TraceView(table);
  }

  /** Refuses a name that no view has. */
  get(id: TraceViewId): TraceView {
    if (id === '') return this.#all;
    const found = this.#named.get(id);
    return found?.view ?? refuse('trace/no-view', `The trace has no view "${id}".`, 'Filter the rows again.');
  }

  /** The view with this filter, which takes the name; one that is there already goes on with what it found. */
  make(id: TraceViewId, where: string, spaces: RowSpaces | undefined): TraceView {
    if (id === '') return refuse('trace/view', 'The view of all rows takes no filter.', 'Name the view.');
    const known = this.#named.get(id);
    if (known?.where === where && known.spaces === spaces) return known.view;
    const view = new TraceView(this.#table, traceFilterOf(where, this.#table, spaces));
    if (!known && this.#named.size >= MOST_VIEWS) {
      refuse(
        'trace/views',
        `A trace has ${MOST_VIEWS} views at most.`,
        'Drop one that is not needed any more.',
      );
    }
    this.#named.set(id, { where, spaces, view });
    return view;
  }

  drop(id: TraceViewId): void {
    this.#named.delete(id);
  }

  /** Whether the name still is this view's. */
  has(id: TraceViewId, view: TraceView): boolean {
    return id === '' || this.#named.get(id)?.view === view;
  }

  /** Views whose first scan is done, and that have not seen what was read since: as the trace grows they grow along. */
  growing(): readonly TraceView[] {
    const isBehind = (view: TraceView): boolean => view.wasAsked && view.chunks < this.#table.chunks.length;
    return [...this.#named.values()].flatMap(({ view }) => (isBehind(view) ? [view] : []));
  }
}
