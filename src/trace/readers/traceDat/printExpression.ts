import { elementOf, type EventField, type EventFormat } from './eventFormat';
import { type Argument, type Evaluate } from './printArgument';
import { HELPERS } from './printHelpers';
import { type PrintValue } from './printf';
import { type Token } from './printTokens';

/** Thrown where a print format has what this does not know; the record is then shown by its fields. */
export class Unprintable extends Error {}

const MOST_DEPTH = 64;
const TYPE_WORDS = new Set(
  'unsigned signed const volatile struct union enum void char short int long bool u8 u16 u32 u64 s8 s16 s32 s64 __u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64 __le16 __le32 __le64 __be16 __be32 __be64 size_t ssize_t loff_t pid_t gfp_t dma_addr_t phys_addr_t pgoff_t sector_t blk_opf_t ulong uint typeof'.split(
    ' ',
  ),
);

/** Binary operators from the loosest to the tightest (C11 §6.5). */
const LEVELS: readonly Readonly<Record<string, (a: bigint, b: bigint) => bigint>>[] = [
  { '||': (a, b) => truth(a !== 0n || b !== 0n) },
  { '&&': (a, b) => truth(a !== 0n && b !== 0n) },
  { '|': (a, b) => a | b },
  { '^': (a, b) => a ^ b },
  { '&': (a, b) => a & b },
  { '==': (a, b) => truth(a === b), '!=': (a, b) => truth(a !== b) },
  {
    '<': (a, b) => truth(a < b),
    '>': (a, b) => truth(a > b),
    '<=': (a, b) => truth(a <= b),
    '>=': (a, b) => truth(a >= b),
  },
  { '<<': (a, b) => BigInt.asUintN(64, a << (b & 63n)), '>>': (a, b) => a >> (b & 63n) },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  {
    '*': (a, b) => BigInt.asIntN(128, a * b),
    '/': (a, b) => (b === 0n ? 0n : a / b),
    '%': (a, b) => (b === 0n ? 0n : a % b),
  },
];
const truth = (yes: boolean): bigint => (yes ? 1n : 0n);
const number = (value: PrintValue): bigint => (typeof value === 'string' ? truth(value !== '') : value);

/** Parses the arguments of one print format. */
export class PrintParser {
  #at = 0;
  #depth = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly format: EventFormat,
  ) {}

  get done(): boolean {
    return this.#at >= this.tokens.length;
  }

  /** The format string, which comes first. */
  literal(): string {
    const token = this.tokens[this.#at++];
    if (token?.kind !== 'text') throw new Unprintable('no format string');
    return token.text;
  }

  accept(sign: string): boolean {
    const token = this.tokens[this.#at];
    if (token?.kind !== 'sign' || token.text !== sign) return false;
    this.#at++;
    return true;
  }

  expression(): Argument {
    if (++this.#depth > MOST_DEPTH) throw new Unprintable('too deep');
    const condition = this.#binary(0);
    let result = condition;
    if (this.accept('?')) {
      const yes = this.expression().value;
      this.#expect(':');
      const no = this.expression().value;
      result = {
        value: (record, variables) =>
          number(condition.value(record, variables)) !== 0n ? yes(record, variables) : no(record, variables),
      };
    }
    this.#depth--;
    return result;
  }

  #binary(level: number): Argument {
    const operators = LEVELS[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const token = this.tokens[this.#at];
      const operate = token?.kind === 'sign' ? operators[token.text] : undefined;
      if (!operate) return left;
      this.#at++;
      const one = left.value;
      const other = this.#binary(level + 1).value;
      left = {
        value: (record, variables) =>
          operate(number(one(record, variables)), number(other(record, variables))),
      };
    }
  }

  #unary(): Argument {
    if (++this.#depth > MOST_DEPTH) throw new Unprintable('too deep');
    const argument = this.#operand();
    this.#depth--;
    return argument;
  }

  #operand(): Argument {
    for (const [sign, operate] of Object.entries(UNARY)) {
      if (!this.accept(sign)) continue;
      const { value } = this.#unary();
      return { value: (record, variables) => operate(number(value(record, variables))) };
    }
    // The address of a field, and what a pointer to it points to, is the field.
    if (this.accept('&') || this.accept('*')) return this.#unary();
    if (this.accept('(')) return this.#parenthesised();
    if (this.accept('{')) return this.#pair();
    const token = this.tokens[this.#at++];
    if (token?.kind === 'number') {
      const value = BigInt(
        token.text.length > 1 && /^0[0-7]+$/.test(token.text) ? `0o${token.text}` : token.text,
      );
      return { value: () => value };
    }
    if (token?.kind === 'text') return { value: () => token.text };
    if (token?.kind === 'name') return this.#named(token.text);
    throw new Unprintable(`${token?.text ?? 'its end'} is not expected`);
  }

  /** A statement expression, a cast, or an expression. */
  #parenthesised(): Argument {
    if (this.accept('{')) return this.#statements();
    if (this.#isType()) {
      const type = this.#skipTo(')');
      const inner = this.#unary();
      return type.includes('*') ? inner : cast(inner, type);
    }
    const inner = this.expression();
    this.#expect(')');
    return inner;
  }

  #isType(): boolean {
    const token = this.tokens[this.#at];
    return token?.kind === 'name' && TYPE_WORDS.has(token.text);
  }

  /** `({ int a = x; int b = y; a < b ? a : b; })`, as min() becomes. */
  #statements(): Argument {
    const steps: { readonly name: string | undefined; readonly value: Evaluate }[] = [];
    while (!this.accept('}')) {
      let name: string | undefined;
      if (this.#isType()) {
        const declared = this.#skipTo('=').split(' ');
        name = declared.at(-1);
      }
      steps.push({ name, value: this.expression().value });
      this.#expect(';');
      if (this.done) throw new Unprintable('a block has no end');
    }
    this.#expect(')');
    return {
      value: (record, variables) => {
        let last: PrintValue = 0n;
        for (const { name, value } of steps) {
          last = value(record, variables);
          if (name !== undefined) variables.set(name, last);
        }
        return last;
      },
    };
  }

  /** `{ 1, "ONE" }` of a table of names. */
  #pair(): Argument {
    const first = this.expression().value;
    this.#expect(',');
    const second = this.expression().value;
    this.#expect('}');
    return { value: first, pair: [first, second] };
  }

  #named(name: string): Argument {
    if (name === 'REC' && this.accept('->')) return this.#member();
    if (name === 'sizeof') {
      this.#expect('(');
      const size = BigInt(elementOf(this.#skipTo(')')));
      return { value: () => size };
    }
    if (this.accept('(')) return this.#call(name);
    // Names of fields stand bare in helpers: __get_str(device). Other names are variables, or constants of the kernel: 0.
    const field = this.format.fields.get(name);
    if (field) return { value: readerOf(field), field };
    return { value: (_, variables) => variables.get(name) ?? 0n };
  }

  #member(): Argument {
    const token = this.tokens[this.#at++];
    const field = token?.kind === 'name' ? this.format.fields.get(token.text) : undefined;
    if (!field) throw new Unprintable(`there is no field ${token?.text ?? ''}`);
    if (!this.accept('[')) return { value: readerOf(field), field };
    const index = this.expression().value;
    this.#expect(']');
    return {
      value: (record, variables) => {
        const at = Number(BigInt.asUintN(32, number(index(record, variables))));
        const { offset, length } = record.data(field);
        return (at + 1) * field.element > length
          ? 0n
          : record.value(offset + at * field.element, field.element, field.signed);
      },
    };
  }

  #call(name: string): Argument {
    const helper = HELPERS.get(name);
    if (!helper) throw new Unprintable(`${name}() is not known`);
    const args: Argument[] = [];
    while (!this.accept(')')) {
      args.push(this.expression());
      if (!this.accept(',') && this.tokens[this.#at]?.text !== ')')
        throw new Unprintable('a call has no end');
    }
    const { field } = args[0] ?? {};
    return { value: helper(args), ...(field && { field }) };
  }

  /** Steps behind this sign, past parentheses of its own; gives what stood before it. */
  #skipTo(sign: string): string {
    const words: string[] = [];
    for (let open = 0; ;) {
      const token = this.tokens[this.#at++];
      if (!token) throw new Unprintable(`there is no ${sign}`);
      if (open === 0 && token.text === sign) return words.join(' ');
      if (token.text === '(') open++;
      if (token.text === ')') open--;
      words.push(token.text);
    }
  }

  #expect(sign: string): void {
    if (!this.accept(sign)) throw new Unprintable(`${sign} is missing`);
  }
}

const UNARY: Readonly<Record<string, (value: bigint) => bigint>> = {
  '-': (value) => -value,
  '+': (value) => value,
  '!': (value) => truth(value === 0n),
  '~': (value) => ~value,
};

function cast(inner: Argument, type: string): Argument {
  const bits = 8 * elementOf(/\bchar\b|\b_*[us]8\b|\bbool\b/.test(type) ? 'char' : type);
  const unsigned = /unsigned|\b_*u\d+\b|size_t|_addr_t|ulong|uint/.test(type);
  const known =
    /\b(?:char|short|int|long|unsigned|signed|bool|_*[us]\d+|size_t|\w+_addr_t|ulong|uint)\b/.test(type);
  if (!known) return inner;
  const { value } = inner;
  return {
    ...inner,
    value: (record, variables) => {
      const read = value(record, variables);
      if (typeof read === 'string') return read;
      return unsigned ? BigInt.asUintN(bits, read) : BigInt.asIntN(bits, read);
    },
  };
}

/** A field's number; of an array of characters the text, of what lies elsewhere too. */
function readerOf(field: EventField): Evaluate {
  const { offset, size, signed, located, array, element } = field;
  if (located !== undefined || (array && element === 1)) return (record) => record.text(field);
  if (array) return (record) => record.value(offset, element, signed);
  return (record) => record.value(offset, size, signed);
}
