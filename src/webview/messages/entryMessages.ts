/**
 * What passes between the host and the Entry view. Both sides check every message on the way in. Addresses, words and
 * field values cross as hexadecimal strings, because some hosts carry webview messages as JSON.
 */
import * as z from 'zod/mini';

/** Raised when a message or the saved state changes its shape; anything of another version is ignored. */
export const ENTRY_VERSION = 1;

const version = z.literal(ENTRY_VERSION);
/** `0x` and lower-case digits; the end of a range may be 2^64. */
const hexadecimal = z.string().check(z.regex(/^0x[0-9a-f]{1,17}$/));
const bit = z.int().check(z.gte(0), z.lte(63));
const count = z.int().check(z.gte(0));

const field = z.object({
  name: z.string(),
  /** Bit positions in the word, inclusive. */
  high: bit,
  low: bit,
  value: hexadecimal,
  meaning: z.string(),
  section: z.string(),
  kind: z.enum([
    'address',
    'permission',
    'status',
    'attribute',
    'control',
    'software',
    'ignored',
    'reserved',
  ]),
});

const problem = z.object({
  severity: z.enum(['error', 'warning']),
  message: z.string(),
  hint: z.optional(z.string()),
  word: count,
  high: bit,
  low: bit,
});

const entry = z.object({
  title: z.string(),
  /** Physical address of the first byte. */
  address: hexadecimal,
  specification: z.string(),
  target: z.optional(z.object({ address: hexadecimal, what: z.string() })),
  /** IOVAs it covers, half-open. */
  range: z.optional(z.object({ start: hexadecimal, end: hexadecimal })),
  /** Lowest address first; the fields of each highest bit first. */
  words: z.array(z.object({ value: hexadecimal, fields: z.array(field) })),
  problems: z.array(problem),
});

/** Every word the view shows that does not come from the engine; `{0}` stands for a value. */
const strings = z.object({
  empty: z.string(),
  emptyHint: z.string(),
  problems: z.string(),
  noProblems: z.string(),
  error: z.string(),
  warning: z.string(),
  showBits: z.string(),
  physicalAddress: z.string(),
  iova: z.string(),
  specification: z.string(),
  word: z.string(),
  bit: z.string(),
  bits: z.string(),
  bitsHeading: z.string(),
  name: z.string(),
  value: z.string(),
  meaning: z.string(),
  section: z.string(),
  diagram: z.string(),
  table: z.string(),
  copy: z.string(),
  hexadecimal: z.string(),
  decimal: z.string(),
  binary: z.string(),
  keys: z.string(),
  kinds: z.object({
    address: z.string(),
    permission: z.string(),
    status: z.string(),
    attribute: z.string(),
    control: z.string(),
    software: z.string(),
    ignored: z.string(),
    reserved: z.string(),
  }),
});

const show = z.object({
  v: version,
  type: z.literal('show'),
  /** Counts what was shown; an answer about an older one is dropped. */
  generation: count,
  entry: z.nullable(entry),
  strings,
});

const copyFormat = z.enum(['hex', 'decimal', 'binary']);

const fromView = z.discriminatedUnion('type', [
  z.object({ v: version, type: z.literal('ready') }),
  z.object({
    v: version,
    type: z.literal('copy'),
    generation: count,
    word: count,
    /** Index among the word's fields; null: the whole word. */
    field: z.nullable(count),
    format: copyFormat,
  }),
]);

/** What the view keeps while it is hidden. */
const state = z.object({
  v: version,
  shown: show,
  /** Field pinned: word and index among its fields. */
  pinned: z.nullable(z.object({ word: count, field: count })),
});

export type ShowMessage = z.infer<typeof show>;
export type FromEntryView = z.infer<typeof fromView>;
export type CopyMessage = Extract<FromEntryView, { type: 'copy' }>;
export type EntryModel = z.infer<typeof entry>;
export type FieldModel = z.infer<typeof field>;
export type EntryStrings = z.infer<typeof strings>;
export type EntryState = z.infer<typeof state>;
export type CopyFormat = z.infer<typeof copyFormat>;

/** The message to show an entry, or undefined for anything else. */
export const readShowMessage = (value: unknown): ShowMessage | undefined => show.safeParse(value).data;
/** A message of the view, or undefined for anything else. */
export const readFromEntryView = (value: unknown): FromEntryView | undefined =>
  fromView.safeParse(value).data;
/** The saved state, or undefined when there is none of this version. */
export const readEntryState = (value: unknown): EntryState | undefined => state.safeParse(value).data;
