import {
  allOf,
  anyOf,
  type Bounds,
  compareInteger,
  compareWord,
  integerWithin,
  overlaps,
  type Order,
  type Predicate,
  touchedBytes,
  touchedUnits,
  unitsOf,
  WHOLE,
  wordWithin,
} from './conditions';
import { type Ask, intervalOf, isWithin, type Plan } from './plan';
import { closest, type ProblemList, type Span } from './problems';
import { parseNanoseconds } from './seconds';
import { type Comparator, type Expression, type Interval, type Subject, type Value } from './syntax';
import { both, either, normalise, type UnitRange, type UnitRanges } from './unitRanges';
import {
  type ChoiceField,
  type Field,
  findField,
  type RangeField,
  type SetField,
  type SpanField,
  type TextField,
  type Vocabulary,
} from './vocabulary';

/** A condition ready to be asked, and the units its rows overlap when it holds and when it does not. */
export interface Compiled<Row> {
  readonly test: Predicate<Row>;
  readonly plan: Plan<Row>;
  readonly holds: UnitRanges;
  readonly fails: UnitRanges;
}

type In = Extract<Expression, { kind: 'in' }>;
type Compare = Extract<Expression, { kind: 'compare' }>;

/** What a value of each type looks like, for hints. */
const EXAMPLES: Readonly<Record<Field<never>['type'], string>> = {
  integer: 'a number, such as 2, 4K or 2M',
  seconds: 'seconds, such as 90.5 or 250us',
  word: 'a number, such as 0x800',
  range: 'an address, such as 0x1000, or a range after in',
  span: 'an address, such as 0x1000, or a range after in',
  flag: 'yes or no',
  set: 'one of its values',
  choice: 'one of its values',
  text: "a word or a text in quotes, such as 'abc'",
};
const OTHER: Ask = { what: 'other' };

const YES: readonly string[] = ['yes', 'true', 'set', '1'];
const NO: readonly string[] = ['no', 'false', 'clear', '0'];

/** The predicate of an expression; undefined when problems were found, which then are in `problems`. */
export function compile<Row>(
  expression: Expression,
  vocabulary: Vocabulary<Row>,
  problems: ProblemList,
): Compiled<Row> | undefined {
  return new Compiler(vocabulary, problems).compile(expression);
}

class Compiler<Row> {
  readonly #bounded: RangeField<Row> | undefined;
  /** Everything there is: what a condition on other fields says about the bounded one. */
  readonly #everywhere: UnitRanges;

  constructor(
    private readonly vocabulary: Vocabulary<Row>,
    private readonly problems: ProblemList,
  ) {
    const field = findField(vocabulary, vocabulary.bounded ?? '');
    this.#bounded = field?.type === 'range' ? field : undefined;
    this.#everywhere = [unitsOf(this.#bounded?.shift ?? 0, WHOLE)];
  }

  compile(expression: Expression): Compiled<Row> | undefined {
    switch (expression.kind) {
      case 'and':
      case 'or':
        return this.#join(
          expression.kind,
          expression.terms.map((term) => this.compile(term)),
        );
      case 'not': {
        const operand = this.compile(expression.operand);
        return operand && negate(operand);
      }
      case 'test':
        return this.#test(expression.subject);
      case 'compare':
        return this.#compare(expression);
      case 'in':
        return this.#membership(expression);
      case 'invalid':
        return undefined;
    }
  }

  #join(kind: 'and' | 'or', terms: readonly (Compiled<Row> | undefined)[]): Compiled<Row> | undefined {
    const known = terms.filter((term) => term !== undefined);
    const [first, ...others] = known;
    if (known.length < terms.length) return undefined;
    const plan: Plan<Row> = { kind, terms: known.map((term) => term.plan) };
    if (!first) return { test: allOf<Row>([]), plan, holds: this.#everywhere, fails: this.#everywhere };
    const tests = known.map((term) => term.test);
    const [holds, fails] = kind === 'and' ? [both, either] : [either, both];
    return {
      test: kind === 'and' ? allOf(tests) : anyOf(tests),
      plan,
      holds: others.reduce((sum, term) => holds(sum, term.holds), first.holds),
      fails: others.reduce((sum, term) => fails(sum, term.fails), first.fails),
    };
  }

  /** A condition that says nothing about the bounded field. */
  #plain(field: Field<Row>, test: Predicate<Row>, ask = OTHER): Compiled<Row> {
    const plan: Plan<Row> = { kind: 'ask', field, ask, test };
    return { test, plan, holds: this.#everywhere, fails: this.#everywhere };
  }

  #overlap(field: RangeField<Row>, range: UnitRange): Compiled<Row> {
    const test = overlaps(field, range);
    const [whole] = this.#everywhere;
    const plain = this.#plain(field, test);
    if (field !== this.#bounded || !whole) return plain;
    if (range.start >= range.end) return { ...plain, holds: [] };
    const around = [
      { start: whole.start, end: range.start },
      { start: range.end, end: whole.end },
    ];
    return { ...plain, holds: [range], fails: normalise(around) };
  }

  #resolve(subject: Subject): { field: Field<Row>; mask: bigint } | undefined {
    const { name } = subject.field;
    const field = findField(this.vocabulary, name);
    if (!field) {
      const names = this.vocabulary.fields.flatMap((known) => [known.name, ...(known.aliases ?? [])]);
      const guess = closest(name, names);
      const all = this.vocabulary.fields.map((known) => known.name).join(', ');
      const hint = guess === undefined ? `Fields are ${all}.` : `Did you mean '${guess}'?`;
      this.problems.add(subject.field, 'unknown-field', `There is no field '${name}'.`, hint);
      return undefined;
    }
    const { mask } = subject;
    if (!mask) return { field, mask: WHOLE.to - 1n };
    if (field.type === 'word' && mask.kind === 'number') return { field, mask: mask.value };
    const message = `'${field.name}' takes no mask.`;
    const words = this.vocabulary.fields.filter((known) => known.type === 'word').map((known) => known.name);
    const hint = words[0] === undefined ? "Remove the '&'." : `A mask is for ${words.join(', ')}.`;
    this.problems.add(subject, 'mask', message, hint);
    return undefined;
  }

  #test(subject: Subject): Compiled<Row> | undefined {
    const resolved = this.#resolve(subject);
    if (!resolved) return undefined;
    const { field, mask } = resolved;
    if (field.type === 'flag') return this.#plain(field, field.read);
    if (field.type === 'word' && subject.mask) return this.#plain(field, compareWord(field, mask, '!=', 0n));
    const example = field.values?.[0]?.text ?? '1';
    const operator = field.type === 'range' || field.type === 'span' ? 'in' : '=';
    const message = `'${field.name}' is compared with something: what is missing.`;
    this.problems.add(
      subject,
      'incomplete',
      message,
      `Write ${field.name} ${operator} ${example}, for example.`,
    );
    return undefined;
  }

  #compare({ subject, comparator, operator, value }: Compare): Compiled<Row> | undefined {
    const resolved = this.#resolve(subject);
    if (!resolved || value.kind === 'invalid') return undefined;
    const { field, mask } = resolved;
    if (isWorded(field)) return this.#compareWords(field, comparator, operator, value);
    const order = this.#order(field, comparator, operator);
    const number = this.#number(field, value);
    if (order === undefined || number === undefined) return undefined;
    if (order === '!=') return negate(this.#ordered(field, mask, '=', number));
    return this.#ordered(field, mask, order, number);
  }

  #ordered(
    field: Exclude<Field<Row>, WordedField<Row>>,
    mask: bigint,
    order: Exclude<Order, '!='>,
    number: bigint,
  ): Compiled<Row> {
    switch (field.type) {
      case 'integer': {
        const test = compareInteger(field, order, number);
        if (field.shift !== 0) return this.#plain(field, test);
        return this.#plain(field, test, { what: 'number', interval: intervalOf(order, Number(number)) });
      }
      case 'seconds': {
        const { read, origin } = field;
        const interval = intervalOf(order, Number(number - origin));
        return this.#plain(field, (row) => isWithin(interval, read(row)), { what: 'number', interval });
      }
      case 'word':
        return this.#plain(field, compareWord(field, mask, order, number));
      case 'range':
        return this.#overlap(field, touchedUnits(field.shift, order, number));
      case 'span':
        return this.#span(field, touchedBytes(order, number));
    }
  }

  #span(field: SpanField<Row>, { from, to }: Bounds): Compiled<Row> {
    return this.#plain(field, field.overlaps(from, to), { what: 'addresses', from, to });
  }

  #within(
    field: Exclude<Field<Row>, WordedField<Row>>,
    mask: bigint,
    bounds: Bounds,
    open: { readonly from: boolean; readonly to: boolean },
  ): Compiled<Row> {
    switch (field.type) {
      case 'integer': {
        const test = integerWithin(field, bounds);
        if (field.shift !== 0) return this.#plain(field, test);
        const interval = {
          low: Number(bounds.from),
          high: Number(bounds.to),
          lowOpen: false,
          highOpen: true,
        };
        return this.#plain(field, test, { what: 'number', interval });
      }
      case 'seconds': {
        const { read, origin } = field;
        const low = open.from ? -Infinity : Number(bounds.from - origin);
        const high = open.to ? Infinity : Number(bounds.to - origin);
        const interval = { low, high, lowOpen: false, highOpen: true };
        return this.#plain(field, (row) => isWithin(interval, read(row)), { what: 'number', interval });
      }
      case 'word':
        return this.#plain(field, wordWithin(field, mask, bounds));
      case 'range':
        return this.#overlap(field, unitsOf(field.shift, bounds));
      case 'span':
        return this.#span(field, bounds);
    }
  }

  #compareWords(
    field: WordedField<Row>,
    comparator: Comparator,
    operator: Span,
    value: Value,
  ): Compiled<Row> | undefined {
    const allowed = WORD_COMPARATORS[field.type];
    if (!allowed.some((known) => known === comparator)) {
      this.#wrongComparator(field, comparator, operator, allowed);
      return undefined;
    }
    const compiled = comparator === 'has' ? this.#has(field, value) : this.#equals(field, value);
    return compiled && comparator === '!=' ? negate(compiled) : compiled;
  }

  #text(field: TextField<Row>, test: (text: string) => boolean): Compiled<Row> {
    return this.#plain(field, (row) => test(field.read(row)), { what: 'text', test });
  }

  #has(field: Field<Row>, value: Value): Compiled<Row> | undefined {
    if (field.type === 'text') {
      const part = spelling(value);
      return this.#text(field, (text) => text.toLowerCase().includes(part));
    }
    if (field.type !== 'set') return undefined;
    const bits = this.#member(field, value);
    if (bits === undefined) return undefined;
    return this.#plain(field, (row) => (field.read(row) & bits) === bits, { what: 'bits', value: bits });
  }

  #equals(field: WordedField<Row>, value: Value): Compiled<Row> | undefined {
    if (field.type === 'text') {
      const wanted = spelling(value);
      return this.#text(field, (text) => text.toLowerCase() === wanted);
    }
    if (field.type !== 'flag') {
      const member = this.#member(field, value);
      if (member === undefined) return undefined;
      return this.#plain(field, (row) => field.read(row) === member, { what: 'equal', value: member });
    }
    if (YES.includes(textOf(value))) return this.#plain(field, field.read);
    if (NO.includes(textOf(value))) return negate(this.#plain(field, field.read));
    const hint = `Write '${field.name}' or 'not ${field.name}'.`;
    this.problems.add(value, 'value', `'${field.name}' is yes or no.`, hint);
    return undefined;
  }

  #membership({ subject, items }: In): Compiled<Row> | undefined {
    const resolved = this.#resolve(subject);
    if (!resolved) return undefined;
    const { field, mask } = resolved;
    if (field.type === 'flag') {
      const message = `'${field.name}' is yes or no.`;
      this.problems.add(subject, 'operator', message, `Write '${field.name}' or 'not ${field.name}'.`);
      return undefined;
    }
    const terms = items.map((item) => this.#item(field, mask, item));
    return this.#join('or', terms);
  }

  #item(field: Field<Row>, mask: bigint, item: Value | Interval): Compiled<Row> | undefined {
    if (isWorded(field)) {
      if (item.kind === 'interval') {
        const hint = `Write values in parentheses, such as (${field.values?.[0]?.text ?? "'abc'"}).`;
        this.problems.add(item, 'value', `'${field.name}' has no order, so no range.`, hint);
        return undefined;
      }
      return item.kind === 'invalid' ? undefined : this.#equals(field, item);
    }
    if (item.kind === 'interval') {
      const bounds = this.#interval(field, item);
      return bounds && this.#within(field, mask, bounds, { from: !item.from, to: !item.to });
    }
    const number = this.#number(field, item);
    return number === undefined ? undefined : this.#ordered(field, mask, '=', number);
  }

  #interval(field: Field<Row>, interval: Interval): Bounds | undefined {
    const from = interval.from ? this.#number(field, interval.from) : WHOLE.from;
    const to = interval.to ? this.#number(field, interval.to) : endOf(field);
    if (from === undefined || to === undefined) return undefined;
    if (from < to) return { from, to };
    const message = 'This range is empty: its end, which does not belong to it, is not above its start.';
    const single = interval.from ? spelling(interval.from) : '0';
    const hint = from === to ? `Write ${field.name} = ${single}.` : 'Swap its ends.';
    this.problems.add(interval, 'range', message, hint);
    return undefined;
  }

  #order(field: Field<Row>, comparator: Comparator, span: Span): Order | undefined {
    if (comparator !== 'has') return comparator;
    this.#wrongComparator(field, comparator, span, ['=', '!=', '<', '<=', '>', '>=', 'in']);
    return undefined;
  }

  #wrongComparator(field: Field<Row>, written: string, span: Span, allowed: readonly string[]): void {
    const message = `'${field.name}' is not compared with '${written}'.`;
    this.problems.add(span, 'operator', message, `Use ${allowed.join(', ')}.`);
  }

  #number(field: Field<Row>, value: Value): bigint | undefined {
    if (value.kind === 'invalid') return undefined;
    const number = field.type === 'seconds' ? nanosecondsOf(value) : integerOf(value);
    if (number !== undefined) return number;
    this.problems.add(value, 'value', `'${value.text}' is not a number.`, `Write ${EXAMPLES[field.type]}.`);
    return undefined;
  }

  #member(field: SetField<Row> | ChoiceField<Row>, value: Value): number | undefined {
    const word = textOf(value);
    const bits = Object.hasOwn(field.members, word) ? field.members[word] : undefined;
    if (bits !== undefined) return bits;
    const names = Object.keys(field.members);
    const guess = closest(word, names);
    const all = (field.values ?? names.map((text) => ({ text }))).map(({ text }) => text).join(', ');
    const message = `'${word}' is no value of '${field.name}'.`;
    const hint = guess === undefined ? `Values are ${all}.` : `Did you mean '${guess}'? Values are ${all}.`;
    this.problems.add(value, 'value', message, hint);
    return undefined;
  }
}

const negate = <Row>({ test, plan, holds, fails }: Compiled<Row>): Compiled<Row> => ({
  test: (row) => !test(row),
  plan: { kind: 'not', operand: plan },
  holds: fails,
  fails: holds,
});

/** Fields that are compared with words, and how. */
type WordedField<Row> = Extract<Field<Row>, { type: keyof typeof WORD_COMPARATORS }>;
const WORD_COMPARATORS = {
  flag: ['=', '!='],
  set: ['=', '!=', 'has', 'in'],
  choice: ['=', '!=', 'in'],
  text: ['=', '!=', 'has', 'in'],
} as const satisfies Partial<Record<Field<never>['type'], readonly string[]>>;
const isWorded = <Row>(field: Field<Row>): field is WordedField<Row> => field.type in WORD_COMPARATORS;

const integerOf = (value: Value): bigint | undefined => (value.kind === 'number' ? value.value : undefined);
const nanosecondsOf = (value: Value): bigint | undefined =>
  value.kind === 'number' || value.kind === 'decimal' ? parseNanoseconds(value.text) : undefined;

/** What a range without an end goes up to: addresses end, time is as good as endless. */
const endOf = (field: Field<never>): bigint => (field.type === 'seconds' ? 1n << 128n : WHOLE.to);

/** The text of a value as it is written. */
const spelling = (value: Value): string => (value.kind === 'invalid' ? '' : value.text.toLowerCase());

/** The text of a value that is compared with words. */
const textOf = (value: Value): string => {
  if (value.kind === 'invalid') return '';
  return (value.kind === 'number' ? value.value.toString() : value.text).toLowerCase();
};
