import { type Ask, type Interval, isWithin, type Plan } from '../../engine/filter/plan';
import { type ChunkZone, numberAt } from '../model/chunk';
import { CHUNK_ROWS, type ColumnName } from '../model/columns';
import { type Bits, lowestBit, wordsOf } from './bits';
import { type ChunkContext } from './chunkContext';
import { greatest, scanAll, scanEach, scanInterval, scanRange, scanTable } from './scans';
import { type TraceCursor } from './traceCursor';
import { type Source, touching, type TraceVocabulary } from './traceVocabulary';

/** Sets in `out` (which is not `mask`) the rows of `mask` that match, within the context's rows. */
export type Answer = (context: ChunkContext, mask: Bits, out: Bits) => void;

export interface Answerer {
  readonly answer: Answer;
  /** What a row costs, in conditions on a column; a line that has to be read costs LINE_COST. */
  readonly cost: number;
}

export const LINE_COST = 500;
const EACH_COST = 8;

/** Turns a filter into loops over columns: a condition is one loop over the rows that those before it left. */
export function answererOf(plan: Plan<TraceCursor>, vocabulary: TraceVocabulary): Answerer {
  switch (plan.kind) {
    case 'and':
    case 'or': {
      const terms = plan.terms.map((term) => answererOf(term, vocabulary)).sort((a, b) => a.cost - b.cost);
      const answers = terms.map((term) => term.answer);
      const cost = terms.reduce((sum, term) => sum + term.cost, 0);
      return { answer: plan.kind === 'and' ? allOf(answers) : anyOf(answers), cost };
    }
    case 'not': {
      const { answer, cost } = answererOf(plan.operand, vocabulary);
      return { answer: noneOf(answer), cost };
    }
    case 'ask':
      return asked(plan, vocabulary.sources.get(plan.field));
  }
}

/** Two bitmaps are enough for a chain of conditions: they take turns. Made when they are first needed. */
const scratch = (): (() => Bits) => {
  let bits: Bits | undefined;
  return () => (bits ??= new Int32Array(wordsOf(CHUNK_ROWS)));
};

function allOf(answers: readonly Answer[]): Answer {
  const spare = scratch();
  return (context, mask, out) => {
    if (answers.length === 0) scanAll(true, context, mask, out);
    // The last answer has to end in `out`.
    let [from, to] = answers.length % 2 === 1 ? [mask, out] : [mask, spare()];
    for (const answer of answers) {
      answer(context, from, to);
      [from, to] = [to, to === out ? spare() : out];
    }
  };
}

function anyOf(answers: readonly Answer[]): Answer {
  const [left, found] = [scratch(), scratch()];
  return (context, mask, out) => {
    scanAll(false, context, mask, out);
    scanAll(true, context, mask, left());
    for (const answer of answers) {
      answer(context, left(), found());
      forWords(context, (word) => {
        const bits = found()[word] ?? 0;
        out[word] = (out[word] ?? 0) | bits;
        left()[word] = (left()[word] ?? 0) & ~bits;
      });
    }
  };
}

function noneOf(answer: Answer): Answer {
  const found = scratch();
  return (context, mask, out) => {
    answer(context, mask, found());
    forWords(context, (word) => {
      out[word] = (mask[word] ?? 0) & ~(found()[word] ?? 0);
    });
  };
}

function forWords({ from, to }: ChunkContext, each: (word: number) => void): void {
  for (let word = from >> 5; word < wordsOf(to); word++) each(word);
}

function asked(plan: Extract<Plan<TraceCursor>, { kind: 'ask' }>, source: Source | undefined): Answerer {
  const { ask } = plan;
  if (source?.kind === 'row' && ask.what === 'number') return { answer: ofRows(ask.interval), cost: 0 };
  if (source?.kind === 'numbers' && ask.what === 'number')
    return { answer: ofNumbers(source.column, ask.interval, source.offset), cost: 1 };
  if (source?.kind === 'numbers' && ask.what === 'equal') {
    const interval = { low: ask.value, high: ask.value, lowOpen: false, highOpen: false };
    return { answer: ofNumbers(source.column, interval, source.offset), cost: 1 };
  }
  if (source?.kind === 'addresses' && ask.what === 'addresses')
    return { answer: ofAddresses(source.of, ask), cost: 4 };
  if (source?.kind === 'ids')
    return { answer: ofIds(source, ask), cost: source.column === 'space' ? EACH_COST : 2 };
  const cost = source?.kind === 'each' && source.slow ? LINE_COST : EACH_COST;
  return { answer: ofEach(plan.test), cost };
}

/** Rows are asked for by their numbers from 1. */
function ofRows(interval: Interval): Answer {
  return (context, mask, out) => {
    const { first } = context.info;
    const { low, high, lowOpen, highOpen } = interval;
    const start = lowOpen ? Math.floor(low) + 1 : Math.ceil(low);
    const end = highOpen ? Math.ceil(high) : Math.floor(high) + 1;
    scanRange(start - 1 - first, end - 1 - first, context, mask, out);
  };
}

function ofNumbers(column: ColumnName, interval: Interval, offset: () => number): Answer {
  return (context, mask, out) => {
    const shift = offset();
    const { low, high } = interval;
    const shifted = shift === 0 ? interval : { ...interval, low: low + shift, high: high + shift };
    const known = zoneAnswer(column, shifted, context.info.zone, context.info.rows);
    if (known !== undefined) scanAll(known, context, mask, out);
    else scanInterval(context.columns[column], shifted, context, mask, out);
  };
}

/** The answer for all rows of a chunk, when what is known of the chunk is enough. */
function zoneAnswer(
  column: ColumnName,
  interval: Interval,
  zone: ChunkZone,
  rows: number,
): boolean | undefined {
  if (column === 'time') {
    const [first, last] = zone.time;
    return first <= interval.high && last >= interval.low ? undefined : false;
  }
  if (column !== 'operation') return undefined;
  let matching = 0;
  for (const [code, count] of zone.operations.entries()) if (isWithin(interval, code)) matching += count;
  if (matching === 0) return false;
  return matching === rows ? true : undefined;
}

/**
 * Pages alone tell of most rows that they are inside or outside; only those whose page is at an end, or below it by no more
 * than the longest range, are looked at to the byte.
 */
function ofAddresses(
  of: 'iova' | 'paddr',
  { from, to }: { readonly from: bigint; readonly to: bigint },
): Answer {
  const touches = touching(from, to);
  const [page, offset] = [`${of}Page`, `${of}Offset`] as const;
  const [firstPage, endPage] = [Number(from >> 12n), Number((to + 4095n) >> 12n)];
  const inside = halfOpen(Number((from + 4095n) >> 12n), Number(to >> 12n));
  const none = from >= to;
  const possible = scratch();
  return (context, mask, out) => {
    const [start, end] = context.info.zone[`${of}Pages`];
    if (none || start >= endPage || end <= firstPage) {
      scanAll(false, context, mask, out);
      return;
    }
    const { columns } = context;
    const longest = Math.ceil(greatest(columns.size, context) / 4096) + 1;
    scanInterval(columns[page], halfOpen(firstPage - longest, endPage), context, mask, possible());
    scanInterval(columns[page], inside, context, possible(), out);
    forWords(context, (word) => {
      const sure = out[word] ?? 0;
      for (let rest = (possible()[word] ?? 0) & ~sure; rest !== 0; rest &= rest - 1) {
        const bit = lowestBit(rest);
        const row = (word << 5) + bit;
        const pageOf = numberAt(columns[page], row);
        if (touches(pageOf, numberAt(columns[offset], row), numberAt(columns.size, row)))
          out[word] = (out[word] ?? 0) | (1 << bit);
      }
    });
  };
}

const halfOpen = (low: number, high: number): Interval => ({ low, high, lowOpen: false, highOpen: true });

/** Every id is asked once; ids that came since the last chunk are asked then. */
function ofIds({ column, size, read }: Extract<Source, { kind: 'ids' }>, ask: Ask): Answer {
  let answers = new Uint8Array(0);
  const renew = (): void => {
    const count = size() + 1;
    if (answers.length === count) return;
    const from = answers.length;
    const grown = new Uint8Array(count);
    grown.set(answers);
    for (let at = from; at < count; at++) grown[at] = accepts(ask, read(at - 1)) ? 1 : 0;
    answers = grown;
  };
  return (context, mask, out) => {
    renew();
    if (column !== 'space') {
      scanTable(context.columns[column], answers, context, mask, out);
      return;
    }
    const { first } = context.info;
    const { spaces } = context;
    scanEach((row) => answers[(spaces?.spaceOf(first + row) ?? -1) + 1] === 1, context, mask, out);
  };
}

function accepts(ask: Ask, value: string | number | boolean): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return ask.what === 'text' && ask.test(value);
  if (ask.what === 'number') return isWithin(ask.interval, value);
  if (ask.what === 'equal') return value === ask.value;
  return ask.what === 'bits' && (value & ask.value) === ask.value;
}

function ofEach(test: (row: TraceCursor) => boolean): Answer {
  return (context, mask, out) => {
    const { cursor } = context;
    const asks = (row: number): boolean => {
      cursor.at = row;
      return test(cursor);
    };
    scanEach(asks, context, mask, out);
  };
}
