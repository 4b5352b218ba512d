import { parseInteger } from '../values';
import { type ProblemList, type Span } from './problems';
import { parseNanoseconds } from './seconds';
import { type Comparator, type Expression, type Interval, type Subject, type Value } from './syntax';
import { KEYWORDS, type Token, tokenize } from './tokens';

/** UTF-16 units of a filter. */
export const MAX_FILTER_LENGTH = 10_000;
/** Parentheses and `not`s inside each other. */
export const MAX_FILTER_DEPTH = 64;
/** 2^64, which only the end of a range may be. */
const ADDRESS_END = 1n << 64n;

const COMPARATORS: ReadonlySet<string> = new Set(['=', '!=', '<', '<=', '>', '>=', 'has']);
const isComparator = (text: string): text is Comparator => COMPARATORS.has(text);

/**
 * The expression a text means, or undefined for an empty text. Problems go to `problems`; what they spoil is `invalid`,
 * so that the rest can still be checked. Grammar: docs/filter.md.
 */
export function parse(text: string, problems: ProblemList): Expression | undefined {
  if (text.length > MAX_FILTER_LENGTH) {
    const span = { start: MAX_FILTER_LENGTH, end: text.length };
    const limit = `${MAX_FILTER_LENGTH} characters`;
    problems.add(span, 'too-long', `A filter has at most ${limit}.`, 'Write ranges instead of long lists.');
    return { kind: 'invalid', ...span };
  }
  const tokens = tokenize(text, problems);
  return tokens.length === 1 ? undefined : new Parser(tokens, text, problems).parseAll();
}

class Parser {
  #position = 0;
  #depth = 0;
  /** Set when the depth was exceeded: everything after it would only repeat the same complaint. */
  #gaveUp = false;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly source: string,
    private readonly problems: ProblemList,
  ) {}

  parseAll(): Expression {
    const terms = [this.#parseOr()];
    while (this.#token.kind !== 'end' && !this.#gaveUp) {
      if (this.#is('symbol', ')')) {
        this.problems.add(
          this.#token,
          'unexpected',
          "This ')' closes nothing.",
          "Remove it, or write '(' before.",
        );
        this.#position++;
        if (this.#is('end', '') || this.#is('symbol', ')')) continue;
        if (!this.#take('word', 'and')) this.#take('word', 'or');
      } else if (this.#token.kind !== 'bad') {
        const hint = "Write 'and' or 'or' between two conditions.";
        this.problems.add(
          this.#token,
          'unexpected',
          `${this.#quote(this.#token)} does not belong here.`,
          hint,
        );
      }
      terms.push(this.#parseOr());
    }
    return combine('and', terms);
  }

  get #token(): Token {
    const token = this.tokens[Math.min(this.#position, this.tokens.length - 1)];
    return token ?? { kind: 'end', text: '', start: 0, end: 0 };
  }

  #is(kind: Token['kind'], text: string): boolean {
    return this.#token.kind === kind && this.#token.text === text;
  }

  #take(kind: Token['kind'], text: string): boolean {
    if (!this.#is(kind, text)) return false;
    this.#position++;
    return true;
  }

  #quote(span: Span): string {
    const text = this.source.slice(span.start, span.end);
    return text === '' ? 'The end' : `'${text.length > 40 ? `${text.slice(0, 39)}…` : text}'`;
  }

  #parseOr(): Expression {
    const terms = [this.#parseAnd()];
    while (this.#take('word', 'or')) terms.push(this.#parseAnd());
    return combine('or', terms);
  }

  #parseAnd(): Expression {
    const terms = [this.#parseNot()];
    while (this.#take('word', 'and')) terms.push(this.#parseNot());
    return combine('and', terms);
  }

  #parseNot(): Expression {
    const first = this.#token;
    if (!this.#is('word', 'not') && !this.#is('symbol', '(')) return this.#parseCondition();
    if (++this.#depth > MAX_FILTER_DEPTH) return this.#giveUp(first);
    this.#position++;
    const expression = first.kind === 'word' ? this.#parseNegated(first) : this.#parseGroup(first);
    this.#depth--;
    return expression;
  }

  #parseNegated(not: Token): Expression {
    const operand = this.#parseNot();
    return { kind: 'not', operand, start: not.start, end: operand.end };
  }

  #parseGroup(open: Token): Expression {
    const inner = this.#parseOr();
    while (!this.#gaveUp && !this.#take('symbol', ')')) {
      if (this.#token.kind === 'end') {
        this.problems.add(
          open,
          'unexpected',
          "This '(' is not closed.",
          "Write ')' at the end of the group.",
        );
        break;
      }
      this.#unexpected("'and', 'or' or ')'");
      if (this.#take('word', 'and') || this.#take('word', 'or')) this.#parseOr();
    }
    return inner;
  }

  #giveUp(span: Span): Expression {
    const message = `A filter nests at most ${MAX_FILTER_DEPTH} parentheses and 'not's.`;
    this.problems.add(span, 'too-deep', message, 'Remove parentheses that are not needed.');
    this.#gaveUp = true;
    this.#position = this.tokens.length - 1;
    return { kind: 'invalid', start: span.start, end: span.end };
  }

  #parseCondition(): Expression {
    const subject = this.#parseSubject();
    if (!subject) return this.#unexpected('a field', 'such as perm, size or iova');
    if (subject === 'invalid') return this.#skip();
    const token = this.#token;
    if ((token.kind === 'symbol' || token.kind === 'word') && isComparator(token.text)) {
      this.#position++;
      const value = this.#parseValue();
      if (!value) return this.#unexpected('a value', 'such as rw, 2M or 0x1000');
      if (this.#is('symbol', '..')) return this.#rangeAfter(token);
      return {
        kind: 'compare',
        subject,
        comparator: token.text,
        operator: token,
        value,
        start: subject.start,
        end: value.end,
      };
    }
    const negated = this.#is('word', 'not');
    if (negated) this.#position++;
    if (this.#take('word', 'in')) return this.#parseMembership(subject, negated);
    if (negated)
      return this.#unexpected("'in'", "after 'not'; the negation of a condition goes before its field");
    return { kind: 'test', subject, start: subject.start, end: subject.end };
  }

  /** A field name, perhaps with a mask; undefined when no name is here, `invalid` when its mask is none. */
  #parseSubject(): Subject | 'invalid' | undefined {
    const token = this.#token;
    if (token.kind !== 'word' || KEYWORDS.has(token.text)) return undefined;
    this.#position++;
    const field = { name: token.text, start: token.start, end: token.end };
    if (!this.#take('symbol', '&')) return { field, start: token.start, end: token.end };
    const mask = this.#parseValue();
    if (mask?.kind === 'number') return { field, mask, start: token.start, end: mask.end };
    if (mask?.kind === 'invalid') return mask.kind;
    this.#complain('a number after &', 'such as 0x800');
    return 'invalid';
  }

  #parseMembership(subject: Subject, negated: boolean): Expression {
    const items: (Value | Interval)[] = [];
    const list = this.#take('symbol', '(');
    do {
      const item = this.#parseItem();
      if (!item)
        return this.#unexpected(
          list ? 'a value or a range' : 'a range or a list',
          'such as 0x1000..0x2000 or (4K, 2M)',
        );
      items.push(item);
    } while (list && this.#take('symbol', ','));
    const last = this.tokens[this.#position - 1] ?? this.#token;
    if (list && !this.#take('symbol', ')')) return this.#unexpected("',' or ')'");
    const [first] = items;
    if (!list && first && first.kind !== 'interval') {
      const written = this.source.slice(first.start, first.end);
      const hint = `Write in (${written}), or a range such as ${written}..0x2000.`;
      this.problems.add(
        first,
        'unexpected',
        "'in' is followed by a range or by a list in parentheses.",
        hint,
      );
      return { kind: 'invalid', start: subject.start, end: last.end };
    }
    const end = this.tokens[this.#position - 1]?.end ?? last.end;
    const membership: Expression = { kind: 'in', subject, items, start: subject.start, end };
    return negated ? { kind: 'not', operand: membership, start: subject.start, end } : membership;
  }

  #parseItem(): Value | Interval | undefined {
    const first = this.#token;
    const from = this.#is('symbol', '..') ? undefined : this.#parseValue();
    if (!from && !this.#is('symbol', '..')) return undefined;
    if (!this.#take('symbol', '..')) return from;
    const to = this.#parseValue(ADDRESS_END);
    if (!from && !to) return undefined;
    const end = this.tokens[this.#position - 1]?.end ?? first.end;
    return { kind: 'interval', ...(from && { from }), ...(to && { to }), start: first.start, end };
  }

  /** A value; undefined, and nothing consumed, when none is here. */
  #parseValue(limit = ADDRESS_END - 1n): Value | undefined {
    const { kind, text, start, end } = this.#token;
    if (kind === 'text') {
      this.#position++;
      return { kind, text, start, end };
    }
    if (kind === 'word' && !KEYWORDS.has(text)) {
      this.#position++;
      return { kind, text, start, end };
    }
    if (kind !== 'number') return undefined;
    this.#position++;
    const value = /^(?:0x1(?:_?0){16}|16e)$/i.test(text) ? ADDRESS_END : parseInteger(text);
    if (value !== undefined && value <= limit) return { kind, value, text, start, end };
    if (/[.s]/i.test(text) && parseNanoseconds(text) !== undefined)
      return { kind: 'decimal', text, start, end };
    this.#badNumber({ start, end });
    return { kind: 'invalid', start, end };
  }

  #badNumber(span: Span): void {
    const text = this.source.slice(span.start, span.end);
    const digits = /^(?:0x[0-9a-f_]+|[0-9_]+)[kmgtpe]?(?:i?b)?$/i.test(text);
    const message = digits
      ? `${this.#quote(span)} does not fit 64 bits.`
      : `${this.#quote(span)} is not a number.`;
    const hint = digits
      ? 'The largest number is 0xffffffffffffffff; leave the end of a range out to go to the end.'
      : 'Write decimal or 0x hexadecimal digits and a unit, such as 4096, 0x1000, 4K, 2M or 1G.';
    this.problems.add(span, 'number', message, hint);
  }

  #rangeAfter(operator: Token): Expression {
    const hint = `Write 'in' instead of ${this.#quote(operator)}.`;
    this.problems.add(operator, 'operator', `A range follows 'in', not ${this.#quote(operator)}.`, hint);
    return this.#skip();
  }

  #unexpected(wanted: string, such?: string): Expression {
    this.#complain(wanted, such);
    return this.#skip();
  }

  #complain(wanted: string, such?: string): void {
    const token = this.#token;
    if (token.kind === 'bad') return;
    const what =
      token.kind === 'end' ? 'The filter ends too early.' : `${this.#quote(token)} does not belong here.`;
    this.problems.add(token, 'unexpected', what, `Write ${wanted}${such === undefined ? '' : `, ${such}`}.`);
  }

  /** To the next `and`, `or` or `)` outside of parentheses opened meanwhile: there parsing goes on. */
  #skip(): Expression {
    const { start } = this.#token;
    for (let open = 0; this.#token.kind !== 'end'; this.#position++) {
      const closes = this.#is('symbol', ')');
      if (open === 0 && (closes || this.#is('word', 'and') || this.#is('word', 'or'))) break;
      if (this.#is('symbol', '(')) open++;
      if (closes) open--;
    }
    return { kind: 'invalid', start, end: this.#token.start };
  }
}

function combine(kind: 'and' | 'or', terms: readonly Expression[]): Expression {
  const [first = { kind: 'invalid', start: 0, end: 0 }, ...others] = terms;
  const last = others.at(-1);
  return last ? { kind, terms, start: first.start, end: last.end } : first;
}
