/** What the page of a trace keeps while it is hidden, and over a restart of the window. */
import * as z from 'zod/mini';
import { groupBy } from './traceMessages';
import { TIME_MODES, TRACE_COLUMNS } from './traceColumns';

/** Raised when the state changes its shape; one of another version is dropped. */
export const TRACE_STATE_VERSION = 2;

const count = z.int().check(z.gte(0));

const state = z.object({
  v: z.literal(TRACE_STATE_VERSION),
  filter: z.string().check(z.maxLength(20_000)),
  /** Index of the row at the top of the grid, and how much of it is scrolled away: 12.5. */
  top: z.number().check(z.gte(0)),
  /** Indexes: where the selection began, and the cursor at its other end; and the cursor's column. */
  anchor: count,
  cursor: count,
  column: z.enum(TRACE_COLUMNS),
  hidden: z.array(z.enum(TRACE_COLUMNS)),
  /** Shown or hidden by the user, not by what the trace has. */
  chosen: z.array(z.enum(TRACE_COLUMNS)),
  /** Widths in pixels of the columns that the user sized. */
  widths: z.partialRecord(z.enum(TRACE_COLUMNS), z.number().check(z.gte(24), z.lte(4000))),
  time: z.enum(TIME_MODES),
  details: z.boolean(),
  /** What the panel of groups counts by; null: it is closed. */
  group: z.nullable(groupBy),
  /** What was searched for last. */
  search: z.object({ text: z.string().check(z.maxLength(20_000)), as: z.enum(['text', 'where']) }),
});

export type TraceState = z.infer<typeof state>;

/** The saved state, or undefined when there is none of this version. */
export const readTraceState = (value: unknown): TraceState | undefined => state.safeParse(value).data;
