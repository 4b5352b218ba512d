/** What passes between the host and the Scenario Results panel. Both sides check every message, and the saved state, on the way in. */
import * as z from 'zod/mini';
import { resultsStrings } from './resultsStrings';

/** Raised when a message or the saved state changes its shape; anything of another version is refused. */
export const RESULTS_VERSION = 1;

const version = z.literal(RESULTS_VERSION);
const count = z.int().check(z.gte(0));
/** Bytes, seconds, or a plain number; never less than nothing. */
const figure = z.number().check(z.gte(0));
const amounts = z.record(z.string(), figure);

const round = z.object({
  round: count,
  blackout: z.boolean(),
  start: figure,
  seconds: figure,
  sent: figure,
  pending: figure,
  written: figure,
  reported: figure,
  splits: figure,
  estimatedDowntime: figure,
});

const migration = z.object({
  rounds: z.array(round),
  /** Rounds in the middle that a page is not sent. */
  leftOut: count,
  converged: z.boolean(),
  why: z.string(),
  downtimeLimit: figure,
  preparation: figure,
  total: figure,
  blackout: z.nullable(figure),
  bytes: z.object({
    ...{ sent: figure, deviceState: figure, deviceStateInBlackout: figure },
    ...{ written: figure, reported: figure, over: figure, lost: figure },
  }),
  amplification: figure,
  leaves: z.object({ before: amounts, after: amounts }),
  iotlb: z.object({
    ...{ missesBefore: figure, missesDuring: figure, sampled: figure },
    /** Less than nothing where smaller pages happen to save some. */
    missesAdded: z.number(),
  }),
  time: amounts,
  by: z.enum(['machine', 'model']),
  byWhy: z.string(),
});

const failed = z.object({
  line: count,
  /** Offsets in the text, half-open. */
  start: count,
  end: count,
  what: z.string(),
  expected: z.string(),
  actual: z.string(),
});

const run = z.object({
  uri: z.string(),
  /** The file's name without its ending. */
  file: z.string(),
  variant: z.nullable(z.string()),
  title: z.string(),
  /** What a sweep set. */
  set: z.record(z.string(), z.string()),
  verdict: z.enum(['passed', 'failed', 'cancelled']),
  failures: z.array(failed),
  requests: figure,
  dirty: z.object({ written: figure, reported: figure, lost: figure, over: figure }),
  faults: figure,
  migration: z.nullable(migration),
});

const results = z.object({ runs: z.array(run) });

/** `time`: as wide as they lasted; `rounds`: all of one width. */
const axis = z.enum(['time', 'rounds']);

const show = z.object({
  v: version,
  type: z.literal('show'),
  generation: count,
  results: z.nullable(results),
  /** Why nothing is shown, and what to do. */
  notice: z.nullable(z.string()),
  strings: resultsStrings,
});

/** The host wants a picture of the charts. */
const paint = z.object({ v: version, type: z.literal('paint'), request: count });

const toView = z.discriminatedUnion('type', [show, paint]);

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

const fromView = z.discriminatedUnion('type', [
  z.object({ v: version, type: z.literal('ready') }),
  z.object({ v: version, type: z.literal('reveal'), generation: count, run: count, failure: count }),
  z.object({ v: version, type: z.literal('export'), format: z.enum(['csv', 'png', 'markdown']) }),
  /** A PNG; null: there is no chart. */
  z.object({ v: version, type: z.literal('picture'), request: count, png: z.nullable(bytes) }),
]);

/** What the page keeps while it is hidden and over a restart. */
const state = z.object({
  v: version,
  results: z.nullable(results),
  notice: z.nullable(z.string()),
  strings: resultsStrings,
  /** The one whose details are shown where there are many. */
  picked: count,
  /** null: what suits the rounds. */
  axis: z.nullable(axis),
  /** By run: the index of the round that the cursor is on. */
  cursors: z.record(z.string(), count),
});

export type RoundModel = z.infer<typeof round>;
export type MigrationModel = z.infer<typeof migration>;
export type RunModel = z.infer<typeof run>;
export type ResultsModel = z.infer<typeof results>;
export type Axis = z.infer<typeof axis>;
export type ShowResults = z.infer<typeof show>;
export type ToResultsView = z.infer<typeof toView>;
export type FromResultsView = z.infer<typeof fromView>;
export type ResultsState = z.infer<typeof state>;
export type ExportFormat = Extract<FromResultsView, { type: 'export' }>['format'];

/** A message of the host, or undefined for anything else. */
export const readToResultsView = (value: unknown): ToResultsView | undefined => toView.safeParse(value).data;
/** A message of the page, or undefined for anything else. */
export const readFromResultsView = (value: unknown): FromResultsView | undefined =>
  fromView.safeParse(value).data;
/** The saved state, or undefined when there is none of this version. */
export const readResultsState = (value: unknown): ResultsState | undefined => state.safeParse(value).data;
