import { complete } from '../../engine/filter/completion';
import { type Compilation, compileRowFilter, type Completion } from '../../engine/filter/filter';
import { quote } from '../../engine/filter/tokens';
import { CHUNK_ROWS } from '../model/columns';
import { type RowSpaces } from '../model/spaces';
import { type TraceTable } from '../model/table';
import { answererOf } from './answers';
import { type Bits, setRange, wordsOf } from './bits';
import { ChunkContext } from './chunkContext';
import { type TraceCursor } from './traceCursor';
import { traceVocabulary } from './traceVocabulary';

/** Conditions times rows that one step of work asks at most: a few milliseconds. */
const STEP_COST = CHUNK_ROWS * 16;

/** A condition on the rows of one trace. */
export interface TraceFilter {
  readonly text: string;
  /** True when it lets every row through because it is empty. */
  readonly empty: boolean;
  /** Rows of a chunk that one step of work may ask; a multiple of 32. */
  readonly stepRows: number;
  /**
   * Which of the rows [from, to) of a chunk match: sets their bits in `out` and clears the other bits of these words. Only rows
   * of `mask` are asked, when there is one. `from` is a multiple of 32; `to` is one too, or the chunk's end.
   */
  readonly ask: (chunk: number, from: number, to: number, mask: Bits | undefined, out: Bits) => void;
  /** Lets go of the columns of the chunk that was asked last. */
  readonly leave: () => void;
}

/**
 * Compiles a filter over the rows of a trace; the empty text lets every row through. The trace may grow meanwhile. Without
 * `spaces` there is no field `space`. Language: docs/filter.md and docs/traces.md.
 */
export function compileTraceFilter(
  text: string,
  table: TraceTable,
  spaces?: RowSpaces,
): Compilation<TraceFilter> {
  const vocabulary = traceVocabulary(table, spaces);
  const compiled = compileRowFilter<TraceCursor>(text, vocabulary);
  if (!compiled.ok) return compiled;
  const { empty, plan } = compiled.filter;
  const { answer, cost } = answererOf(plan, vocabulary);
  const context = new ChunkContext(table, spaces);
  const everything = new Int32Array(wordsOf(CHUNK_ROWS));
  const stepRows = Math.min(CHUNK_ROWS, Math.max(32, (STEP_COST / Math.max(cost, 1)) & ~31));
  const ask: TraceFilter['ask'] = (chunk, from, to, mask, out) => {
    context.enter(chunk, from, to);
    if (!mask) setRange(everything, from, to, from, to);
    answer(context, mask ?? everything, out);
  };
  const leave = (): void => context.leave();
  return { ok: true, filter: { text, empty, stepRows, ask, leave } };
}

/** A filter for lines that contain a text, without regard to case. */
export const compileTextSearch = (text: string, table: TraceTable): Compilation<TraceFilter> =>
  compileTraceFilter(`text has ${quote(text)}`, table);

/** What may stand at `offset` of a filter, best first: fields, operators, and the events, devices and tasks of this trace. */
export const completeTraceFilter = (
  text: string,
  offset: number,
  table: TraceTable,
  spaces?: RowSpaces,
): readonly Completion[] => complete(text, offset, traceVocabulary(table, spaces));
