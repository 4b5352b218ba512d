/**
 * What passes between the host and the page of the trace editor. Both sides check every message on the way in. Data is JSON; a message
 * takes 256 KiB at most (traceModel.ts cuts pages of rows to that). Rows and indexes count from 0 here, and from 1 where people see them.
 *
 * The page asks with an `id`, and the host answers with the same one. `gen` numbers the page's filters: the page raises it with every
 * `filter`, indexes are those of that filter's view, and what comes back for another `gen` is dropped. What the host sends of itself
 * has neither.
 */
import * as z from 'zod/mini';
import type { FlagName, Operation, TraceGroupBy } from '../../inspection/protocol';
import { traceStrings } from './traceStrings';

/** Raised when a message changes its shape; anything of another version is refused. */
export const TRACE_VERSION = 1;
/** Rows that a page of them has at most. */
export const MOST_TRACE_ROWS = 200;
/** Parts of the density strip at most. */
export const MOST_BUCKETS = 4096;
/** Rows that can be copied at once. */
export const MOST_COPIED_ROWS = 100_000;

const v = z.literal(TRACE_VERSION);
const count = z.int().check(z.gte(0));
const id = count;
const gen = count;
const text = z.string().check(z.maxLength(100_000));
const number = z.nullable(z.number());
const hexadecimal = z.string().check(z.regex(/^0x[0-9a-f]{1,16}$/));

const operation = z.custom<Operation>((value) => typeof value === 'string');
const flag = z.custom<FlagName>((value) => typeof value === 'string');

const row = z.object({
  row: count,
  operation,
  event: text,
  /** Nanoseconds since the trace's origin. */
  time: number,
  ...{ cpu: number, pid: number, size: number, domain: number, pasid: number, done: number, count: number },
  ...{ task: z.nullable(text), device: z.nullable(text), space: z.nullable(text) },
  ...{ iova: z.nullable(hexadecimal), paddr: z.nullable(hexadecimal) },
  flags: z.array(flag),
  line: text,
  /** The line goes on. */
  cut: z.boolean(),
});

const problem = z.object({
  severity: z.enum(['error', 'warning', 'info']),
  message: text,
  hint: z.optional(text),
  row: z.optional(count),
  offset: z.optional(count),
});

const summary = z.object({
  ...{ name: text, format: text, title: text },
  ...{ bytes: count, read: count, rows: count, unknown: count, lost: count, problemCount: count },
  complete: z.boolean(),
  /** The engine reads on now; otherwise, when not complete, someone stopped it. */
  reading: z.boolean(),
  operations: z.record(z.string(), count),
  /** Nanoseconds that row times count from, in decimal digits. */
  origin: z.string().check(z.regex(/^-?\d{1,24}$/)),
  timeDigits: count,
  ...{ firstTime: number, lastTime: number },
  header: text,
  namesDevices: z.boolean(),
  /** The first hundred. */
  problems: z.array(problem),
  cached: z.boolean(),
});

const failure = z.object({ code: text, message: text, hint: z.optional(text) });
const query = z.union([z.object({ where: text }), z.object({ text })]);
const place = z.union([
  z.object({ row: count }),
  z.object({ time: z.number() }),
  z.object({ iova: hexadecimal, after: z.optional(count) }),
]);
/** Written out, and checked by its type: a value of the inspection would bring much of it into the page. */
const GROUPS: Readonly<Record<TraceGroupBy, TraceGroupBy>> = {
  ...{ device: 'device', task: 'task', size: 'size', operation: 'operation' },
  ...{ event: 'event', cpu: 'cpu', space: 'space' },
};
export const groupBy = z.enum(GROUPS);

const group = z.object({
  ...{ value: text, where: text },
  ...{ rows: count, maps: count, unmaps: count, mappedBytes: z.number(), firstRow: count, lastRow: count },
});

/** What the user wants done of something that is not the page's own. */
const command = z.enum([
  ...(['replay', 'history', 'lifetimes', 'findings', 'export', 'split', 'bookmarks'] as const),
  /** `openText`: the file in the text editor, as where it cannot be shown here. */
  ...(['stopReading', 'readOn', 'openText'] as const),
]);
export type TraceCommand = z.infer<typeof command>;

const fromView = z.discriminatedUnion('type', [
  /** Answered by `opening`, then by `opened` or `refused`; told again to try again. */
  z.object({ v, type: z.literal('ready') }),
  z.object({ v, type: z.literal('rows'), id, gen, first: count, count: count.check(z.lte(MOST_TRACE_ROWS)) }),
  /**
   * Begins a new `gen`; the empty text is all rows. Answered by `filtered`, again and again until `done`, and again when more of the trace
   * was read and asked; or by `failed`.
   */
  z.object({ v, type: z.literal('filter'), id, gen, text }),
  z.object({ v, type: z.literal('complete'), id, gen, text, offset: count }),
  z.object({ v, type: z.literal('check'), id, gen, text }),
  z.object({ v, type: z.literal('find'), id, gen, query, from: count, backwards: z.boolean() }),
  /** Ends what still goes on under this id: a search, a filter. */
  z.object({ v, type: z.literal('cancel'), id, gen }),
  z.object({ v, type: z.literal('seek'), id, gen, place }),
  z.object({ v, type: z.literal('groups'), id, gen, by: groupBy, cursor: z.nullable(text) }),
  z.object({
    ...{ v, type: z.literal('density'), id, gen },
    buckets: z.int().check(z.gte(1), z.lte(MOST_BUCKETS)),
  }),
  /** Where the cursor stands now; nothing to answer. `token`: of the `goTo` that took it there, where it was not a person. */
  z.object({
    ...{ v, type: z.literal('select'), gen, index: count, row: count, first: count, count },
    token: z.optional(count),
  }),
  /** `row`: what it is about, where it is about one. */
  z.object({
    ...{ v, type: z.literal('command'), command },
    ...{ row: z.nullable(count), iova: z.nullable(hexadecimal) },
  }),
  /** Sets a bookmark, or takes it away; answered by `bookmarks`. */
  z.object({ v, type: z.literal('bookmark'), row: count }),
  /** Rows of the view to the clipboard, as TSV with their names on top. Answered by `copied`. */
  z.object({ v, type: z.literal('copy'), id, gen, first: count, count }),
  /** This text to the clipboard. */
  z.object({ v, type: z.literal('copyText'), text }),
]);

const action = z.enum([
  ...(['filter', 'search', 'goTo', 'group', 'rows', 'findNext', 'findPrevious'] as const),
  ...(['copy', 'bookmark', 'nextBookmark', 'previousBookmark', 'replay', 'history'] as const),
  /** Of the cell under the cursor. */
  ...(['copyCell', 'copyLine', 'filterByValue'] as const),
]);
/** What a command of the editor does in the page: puts the focus somewhere, or acts on the row under the cursor. */
export type TraceAction = z.infer<typeof action>;

const toView = z.discriminatedUnion('type', [
  /** The trace is being opened, which takes a while where it must be unpacked. */
  z.object({ v, type: z.literal('opening'), strings: traceStrings }),
  z.object({
    ...{ v, type: z.literal('opened'), summary, strings: traceStrings },
    bookmarks: z.array(count),
    /** Rather than the place that the page kept. */
    row: z.nullable(count),
  }),
  /** The trace cannot be shown at all. */
  z.object({ v, type: z.literal('refused'), failure, strings: traceStrings }),
  /** More was read, or reading stopped. */
  z.object({ v, type: z.literal('summary'), summary }),
  z.object({ v, type: z.literal('bookmarks'), rows: z.array(count) }),
  /** `total`: rows that the view has so far; `complete`: and that is all. */
  z.object({
    ...{ v, type: z.literal('rows'), id, gen, first: count, rows: z.array(row).check(z.maxLength(200)) },
    ...{ total: count, complete: z.boolean() },
  }),
  z.object({
    ...{ v, type: z.literal('filtered'), id, gen },
    ...{ matched: count, scanned: count, done: z.boolean() },
  }),
  z.object({
    ...{ v, type: z.literal('completions'), id, gen },
    items: z.array(z.object({ text, detail: text, start: count, end: count })).check(z.maxLength(200)),
  }),
  z.object({
    ...{ v, type: z.literal('checked'), id, gen },
    problems: z
      .array(
        z.object({
          ...{ message: text, hint: z.optional(text), start: count, end: count },
          severity: z.enum(['error', 'warning']),
        }),
      )
      .check(z.maxLength(100)),
  }),
  /** null: none, up to the end (or the beginning) of the view. */
  z.object({
    ...{ v, type: z.literal('found'), id, gen },
    at: z.nullable(z.object({ index: count, row: count })),
  }),
  z.object({
    ...{ v, type: z.literal('sought'), id, gen },
    at: z.nullable(z.object({ index: count, row: count })),
  }),
  /** `next`: cursor of the next page. */
  z.object({
    ...{ v, type: z.literal('groups'), id, gen, by: groupBy },
    ...{ rows: z.array(group).check(z.maxLength(1000)), next: z.nullable(text), total: z.nullable(count) },
  }),
  z.object({
    ...{ v, type: z.literal('density'), id, gen, total: count },
    ...{ maps: z.array(count), unmaps: z.array(count), faults: z.array(count), others: z.array(count) },
  }),
  z.object({ v, type: z.literal('copied'), id, gen, rows: count }),
  /** In the place of the answer to what was asked with this id. */
  z.object({ v, type: z.literal('failed'), id, gen, failure }),
  /** The cursor is to go to a row of the trace. `focus`: the page takes the keyboard, too. `token` comes back with `select`. */
  z.object({ v, type: z.literal('goTo'), row: count, focus: z.boolean(), token: z.optional(count) }),
  /** Filters in the place of what the box has. */
  z.object({ v, type: z.literal('useFilter'), text }),
  z.object({ v, type: z.literal('act'), action }),
]);

export type TraceSummaryModel = z.infer<typeof summary>;
export type TraceRowModel = z.infer<typeof row>;
export type TraceGroupModel = z.infer<typeof group>;
export type TracePlaceModel = z.infer<typeof place>;
export type TraceQueryModel = z.infer<typeof query>;
export type TraceFailureModel = z.infer<typeof failure>;
export type FromTraceView = z.infer<typeof fromView>;
export type ToTraceView = z.infer<typeof toView>;

/** A message of the host, or undefined for anything else. */
export const readToTraceView = (value: unknown): ToTraceView | undefined => toView.safeParse(value).data;
const envelope = z.object({ v, id, gen });
/** Which question a message that is none of the host's was to answer, or undefined. */
export const readEnvelope = (value: unknown): { readonly id: number; readonly gen: number } | undefined =>
  envelope.safeParse(value).data;
/** A message of the page, or undefined for anything else. */
export const readFromTraceView = (value: unknown): FromTraceView | undefined =>
  fromView.safeParse(value).data;
