/** The columns of the grid, in their order; which are shown, and how wide, is the user's. */
export const TRACE_COLUMNS = [
  'row',
  'time',
  'cpu',
  'task',
  'device',
  'space',
  'operation',
  'event',
  'iova',
  'size',
  'paddr',
  'flags',
  'line',
] as const;

export type TraceColumn = (typeof TRACE_COLUMNS)[number];

/** As the tracer wrote it; since the first row; since the row above. */
export const TIME_MODES = ['absolute', 'relative', 'delta'] as const;
export type TimeMode = (typeof TIME_MODES)[number];
