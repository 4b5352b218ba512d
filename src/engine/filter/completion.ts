import { MAX_FILTER_LENGTH } from './parser';
import { ProblemList, type Span } from './problems';
import { type Token, tokenize } from './tokens';
import { type Field, findField, type ValueHelp, type Vocabulary } from './vocabulary';

export interface Completion {
  readonly text: string;
  readonly detail: string;
  /** What `text` replaces, half-open. */
  readonly start: number;
  readonly end: number;
}

/** What the grammar lets follow. */
type Expected =
  | { readonly what: 'condition' }
  /** After a field: an operator, or for a flag what joins conditions. */
  | { readonly what: 'operator'; readonly field: Field<never> | undefined }
  | { readonly what: 'mask'; readonly field: Field<never> | undefined }
  | { readonly what: 'value'; readonly field: Field<never> | undefined; readonly within: Within }
  | { readonly what: 'after value'; readonly field: Field<never> | undefined; readonly within: Within };
/** Behind a comparator; behind `in`, before it is clear whether a range or a list comes; in the parentheses of a list. */
type Within = 'comparison' | 'in' | 'list';

/** More than this nobody looks through, and a list of more is none that somebody meant. */
const MAX_COMPLETIONS = 200;
const MAX_LIST = 12;

const CONDITION: Expected = { what: 'condition' };
const COMPARATORS: readonly string[] = ['=', '!=', '<', '<=', '>', '>=', 'has'];

const JOINERS: readonly ValueHelp[] = [
  { text: 'and', doc: 'both conditions hold' },
  { text: 'or', doc: 'one of the conditions holds' },
];
const OPERATOR_DOCS: Readonly<Record<string, string>> = {
  '=': 'equal',
  '!=': 'not equal',
  '<': 'less',
  '<=': 'less or equal',
  '>': 'greater',
  '>=': 'greater or equal',
  has: 'contains',
  in: 'in a range a..b or a list (a, b)',
  '&': 'only these bits, entry & 0x800',
};
const OPERATORS: Readonly<Record<Field<never>['type'], readonly string[]>> = {
  integer: ['=', '!=', '<', '<=', '>', '>=', 'in'],
  seconds: ['in', '>=', '<', '>', '<=', '=', '!='],
  word: ['=', '!=', '&', '<', '<=', '>', '>=', 'in'],
  range: ['in', '=', '!=', '<', '<=', '>', '>='],
  span: ['in', '=', '!=', '<', '<=', '>', '>='],
  flag: ['=', '!='],
  set: ['=', '!=', 'has', 'in'],
  choice: ['=', '!=', 'in'],
  text: ['=', '!=', 'has', 'in'],
};

/** What may stand at `offset` (UTF-16 units), best first; each replaces the word the offset is in or at the end of. */
export function complete<Row>(
  text: string,
  offset: number,
  vocabulary: Vocabulary<Row>,
): readonly Completion[] {
  if (text.length > MAX_FILTER_LENGTH) return [];
  const at = Math.min(Math.max(Number.isFinite(offset) ? Math.trunc(offset) : 0, 0), text.length);
  const tokens = tokenize(text, new ProblemList());
  const before = tokens.filter((token) => token.end <= at && token.kind !== 'end');
  const inside = tokens.find((token) => isPartial(token, at) && token.start < at && at <= token.end);
  if (!inside && tokens.some((token) => token.start < at && at < token.end)) return [];
  const known = inside ? before.filter((token) => token.start < inside.start) : before;
  // A text without its end reaches to the end of the filter: what stands behind the cursor is not replaced.
  const span = inside
    ? { start: inside.start, end: inside.kind === 'bad' ? at : inside.end }
    : { start: at, end: at };
  const typed = text.slice(span.start, at).toLowerCase();
  return candidates(expectedAfter(known, vocabulary), vocabulary)
    .filter((candidate) => begins(candidate.text.toLowerCase(), typed))
    .slice(0, MAX_COMPLETIONS)
    .map((candidate) => completion(candidate, span));
}

const completion = ({ text, doc }: ValueHelp, { start, end }: Span): Completion => ({
  text,
  detail: doc,
  start,
  end,
});

/** A text in quotes is found with and without them. */
const begins = (candidate: string, typed: string): boolean =>
  candidate.startsWith(typed) || candidate.replace(/^"/, '').startsWith(typed.replace(/^["']/, ''));

/** Tokens that go on being typed; after a symbol, or a text whose second quote is there, something new begins. */
function isPartial({ kind, text, start, end }: Token, at: number): boolean {
  if (kind === 'text') return at < end || text.length === end - start;
  return kind === 'word' || kind === 'number' || (kind === 'bad' && /^["']/.test(text));
}

function expectedAfter<Row>(tokens: readonly Token[], vocabulary: Vocabulary<Row>): Expected {
  let expected: Expected = CONDITION;
  for (const token of tokens) expected = step(expected, token, vocabulary);
  return expected;
}

function step<Row>(expected: Expected, token: Token, vocabulary: Vocabulary<Row>): Expected {
  const { kind, text } = token;
  if (kind === 'word' && (text === 'and' || text === 'or')) return CONDITION;
  switch (expected.what) {
    case 'condition':
      if (kind !== 'word' || text === 'not') return CONDITION;
      return { what: 'operator', field: findField(vocabulary, text) };
    case 'operator':
      if (text === '&') return { ...expected, what: 'mask' };
      if (text === 'in') return { ...expected, what: 'value', within: 'in' };
      if (COMPARATORS.includes(text)) return { ...expected, what: 'value', within: 'comparison' };
      return expected;
    case 'mask':
      return { ...expected, what: 'operator' };
    case 'value':
      if (kind !== 'symbol') return { ...expected, what: 'after value' };
      return text === '(' ? { ...expected, within: 'list' } : expected;
    case 'after value':
      if (text === ',' || text === '..') return { ...expected, what: 'value' };
      return text === ')' && expected.within === 'list' ? { ...expected, within: 'comparison' } : expected;
  }
}

function candidates<Row>(expected: Expected, vocabulary: Vocabulary<Row>): readonly ValueHelp[] {
  switch (expected.what) {
    case 'condition': {
      const not = { text: 'not', doc: 'the condition does not hold' };
      return [...vocabulary.fields.map(({ name, doc }) => ({ text: name, doc })), not];
    }
    case 'operator': {
      const { field } = expected;
      const symbols = OPERATORS[field?.type ?? 'integer'];
      const operators = symbols.map((text) => ({ text, doc: OPERATOR_DOCS[text] ?? '' }));
      return field?.type === 'flag' ? [...JOINERS, ...operators] : operators;
    }
    case 'mask':
      return [{ text: '0x800', doc: 'the bits to look at' }];
    case 'value':
      return values(expected.field, expected.within);
    case 'after value':
      return expected.within === 'list' ? [{ text: ')', doc: 'the end of the list' }] : JOINERS;
  }
}

function values(field: Field<never> | undefined, within: Within): readonly ValueHelp[] {
  if (field?.type === 'flag') return ['yes', 'no'].map((text) => ({ text, doc: field.doc }));
  const known = field?.values ?? [];
  const ranges = field?.type === 'range' || field?.type === 'span' || field?.type === 'seconds';
  if (within !== 'in') return known.filter(({ text }) => !text.includes('..'));
  if (ranges) return known.filter(({ text }) => text.includes('..'));
  if (known.length > MAX_LIST) return [];
  const list = known.map(({ text }) => text).join(', ');
  return list === '' ? [] : [{ text: `(${list})`, doc: 'one of these' }];
}
