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
  touchedUnits,
  unitsOf,
  WHOLE,
  wordWithin,
} from './conditions';
import { closest, type ProblemList, type Span } from './problems';
import { type Comparator, type Expression, type Interval, type Subject, type Value } from './syntax';
import { both, either, normalise, type UnitRange, type UnitRanges } from './unitRanges';
import { type Field, findField, type RangeField, type SetField, type Vocabulary } from './vocabulary';

/** A condition ready to be asked, and the units its rows overlap when it holds and when it does not. */
export interface Compiled<Row> {
  readonly test: Predicate<Row>;
  readonly holds: UnitRanges;
  readonly fails: UnitRanges;
}

type In = Extract<Expression, { kind: 'in' }>;
type Compare = Extract<Expression, { kind: 'compare' }>;

/** What a value of each type looks like, for hints. */
const EXAMPLES: Readonly<Record<Field<never>['type'], string>> = {
  integer: 'a number, such as 2, 4K or 2M',
  word: 'a number, such as 0x800',
  range: 'an address, such as 0x1000, or a range after in',
  flag: 'yes or no',
  set: 'one of its values',
  text: "a word or a text in quotes, such as 'abc'",
};
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
    if (!first) return this.#plain(allOf<Row>([]));
    const tests = known.map((term) => term.test);
    const [holds, fails] = kind === 'and' ? [both, either] : [either, both];
    return {
      test: kind === 'and' ? allOf(tests) : anyOf(tests),
      holds: others.reduce((sum, term) => holds(sum, term.holds), first.holds),
      fails: others.reduce((sum, term) => fails(sum, term.fails), first.fails),
    };
  }

  /** A condition that says nothing about the bounded field. */
  #plain(test: Predicate<Row>): Compiled<Row> {
    return { test, holds: this.#everywhere, fails: this.#everywhere };
  }

  #overlap(field: RangeField<Row>, range: UnitRange): Compiled<Row> {
    const test = overlaps(field, range);
    const [whole] = this.#everywhere;
    if (field !== this.#bounded || !whole) return this.#plain(test);
    if (range.start >= range.end) return { test, holds: [], fails: this.#everywhere };
    const around = [
      { start: whole.start, end: range.start },
      { start: range.end, end: whole.end },
    ];
    return { test, holds: [range], fails: normalise(around) };
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
    if (field.type === 'flag') return this.#plain(field.read);
    if (field.type === 'word' && subject.mask) return this.#plain(compareWord(field, mask, '!=', 0n));
    const example = field.values?.[0]?.text ?? '1';
    const operator = field.type === 'range' ? 'in' : '=';
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
    if (field.type === 'flag' || field.type === 'set' || field.type === 'text') {
      return this.#compareWords(field, comparator, operator, value);
    }
    const order = this.#order(field, comparator, operator);
    const number = this.#number(field, value);
    if (order === undefined || number === undefined) return undefined;
    if (field.type === 'integer') return this.#plain(compareInteger(field, order, number));
    if (field.type === 'word') return this.#plain(compareWord(field, mask, order, number));
    if (order !== '!=') return this.#overlap(field, touchedUnits(field.shift, order, number));
    return negate(this.#overlap(field, touchedUnits(field.shift, '=', number)));
  }

  #compareWords(
    field: Extract<Field<Row>, { type: 'flag' | 'set' | 'text' }>,
    comparator: Comparator,
    operator: Span,
    value: Value,
  ): Compiled<Row> | undefined {
    const allowed = field.type === 'flag' ? ['=', '!='] : ['=', '!=', 'has', 'in'];
    if (!allowed.includes(comparator)) {
      this.#wrongComparator(field, comparator, operator, allowed);
      return undefined;
    }
    const test = comparator === 'has' ? this.#has(field, value) : this.#equals(field, value);
    if (!test) return undefined;
    return this.#plain(comparator === '!=' ? (row) => !test(row) : test);
  }

  #has(field: Field<Row>, value: Value): Predicate<Row> | undefined {
    if (field.type === 'text') {
      const part = textOf(value);
      return (row) => field.read(row).toLowerCase().includes(part);
    }
    if (field.type !== 'set') return undefined;
    const bits = this.#member(field, value);
    return bits === undefined ? undefined : (row) => (field.read(row) & bits) === bits;
  }

  #equals(field: Field<Row>, value: Value): Predicate<Row> | undefined {
    if (field.type === 'text') {
      const text = textOf(value);
      return (row) => field.read(row).toLowerCase() === text;
    }
    if (field.type === 'set') {
      const bits = this.#member(field, value);
      return bits === undefined ? undefined : (row) => field.read(row) === bits;
    }
    if (field.type !== 'flag') return undefined;
    if (YES.includes(textOf(value))) return field.read;
    if (NO.includes(textOf(value))) return (row) => !field.read(row);
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
    if (field.type === 'set' || field.type === 'text' || field.type === 'flag') {
      if (item.kind === 'interval') {
        const hint = `Write values in parentheses, such as (${field.values?.[0]?.text ?? "'abc'"}).`;
        this.problems.add(item, 'value', `'${field.name}' has no order, so no range.`, hint);
        return undefined;
      }
      const test = item.kind === 'invalid' ? undefined : this.#equals(field, item);
      return test && this.#plain(test);
    }
    if (item.kind === 'interval') {
      const bounds = this.#interval(field, item);
      if (!bounds) return undefined;
      if (field.type === 'range') return this.#overlap(field, unitsOf(field.shift, bounds));
      return this.#plain(
        field.type === 'integer' ? integerWithin(field, bounds) : wordWithin(field, mask, bounds),
      );
    }
    const number = this.#number(field, item);
    if (number === undefined) return undefined;
    if (field.type === 'range') return this.#overlap(field, touchedUnits(field.shift, '=', number));
    return this.#plain(
      field.type === 'integer' ? compareInteger(field, '=', number) : compareWord(field, mask, '=', number),
    );
  }

  #interval(field: Field<Row>, interval: Interval): Bounds | undefined {
    const from = interval.from ? this.#number(field, interval.from) : WHOLE.from;
    const to = interval.to ? this.#number(field, interval.to) : WHOLE.to;
    if (from === undefined || to === undefined) return undefined;
    if (from < to) return { from, to };
    const message = 'This range is empty: its end, which does not belong to it, is not above its start.';
    const hint = from === to ? `Write ${field.name} = 0x${from.toString(16)}.` : 'Swap its ends.';
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
    if (value.kind === 'number') return value.value;
    if (value.kind === 'invalid') return undefined;

    this.problems.add(value, 'value', `'${value.text}' is not a number.`, `Write ${EXAMPLES[field.type]}.`);
    return undefined;
  }

  #member(field: SetField<Row>, value: Value): number | undefined {
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

const negate = <Row>({ test, holds, fails }: Compiled<Row>): Compiled<Row> => ({
  test: (row) => !test(row),
  holds: fails,
  fails: holds,
});

/** The text of a value that is compared as text. */
const textOf = (value: Value): string => {
  if (value.kind === 'invalid') return '';
  return (value.kind === 'number' ? value.value.toString() : value.text).toLowerCase();
};
