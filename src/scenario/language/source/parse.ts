import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type ParsedNode,
  Parser,
  type CST,
  type YAMLError,
} from 'yaml';
import { type ScenarioProblem } from '../../outcome';
import { error } from '../problems';
import { type SourceEntry, type SourceMap, type SourceNode, type TextRange } from './node';
import { SYNTAX } from './syntax';

/** UTF-16 units. */
export const MOST_TEXT = 2 ** 20;
export const MOST_DEPTH = 64;
/** Values in all, those that aliases stand for counted each time. */
export const MOST_NODES = 100_000;
/** Words and signs: a key with its value takes seven. */
const MOST_TOKENS = 400_000;
/** Anchors, tags and aliases. */
const MOST_PROPERTIES = 10_000;
const MOST_SYNTAX_PROBLEMS = 20;

export interface ParsedText {
  /** Absent when the text cannot be read. */
  readonly root?: SourceMap;
  readonly problems: readonly ScenarioProblem[];
}

const LARGE_HINT = 'Scenarios are written by hand: put long lists of requests into a trace file.';

/** Reads a YAML 1.2 text of one document. Bounded: size, depth and number of values, whatever aliases stand for. */
export function parseText(text: string): ParsedText {
  if (text.length > MOST_TEXT) {
    return refuse({ start: 0, end: 1 }, 'The text is longer than 1 Mi characters.', LARGE_HINT);
  }
  const read = tokensOf(text);
  if ('problems' in read) return read;
  const documents: Document.Parsed[] = [];
  const composer = new Composer({
    schema: 'core',
    intAsBigInt: true,
    merge: false,
    // Found below, in one pass: here each key would be compared with each other one.
    uniqueKeys: false,
    logLevel: 'silent',
  });
  for (const document of composer.compose(read.tokens, true, text.length)) {
    documents.push(document);
    if (documents.length > 1) {
      const [start, end] = [document.range[0], Math.min(text.length, document.range[0] + 3)];
      const [message, hint] = SYNTAX.MULTIPLE_DOCS ?? ['', ''];
      return refuse({ start, end }, message, hint);
    }
  }
  const [document] = documents;
  if (!document) return refuse({ start: 0, end: 0 }, 'The text is empty.', EMPTY_HINT);
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) {
    return { problems: wrong.slice(0, MOST_SYNTAX_PROBLEMS).map((each) => syntaxProblem(each, text)) };
  }
  return new Builder(text).build(document.contents);
}

const EMPTY_HINT = 'Begin with a template: New Scenario, or iopte run samples.';

const refuse = (at: TextRange, message: string, hint: string): ParsedText => ({
  problems: [error(at, message, hint)],
});

function syntaxProblem({ code, message, pos }: YAMLError, text: string): ScenarioProblem {
  const [said, hint] = SYNTAX[code] ?? [
    `${message}.`,
    'docs/scenarios/reference.md shows how it is written.',
  ];
  const start = Math.min(pos[0], text.length);
  const end = Math.min(text.length, Math.max(pos[1], start));
  return error({ start, end: end - start > 1 ? end : wordEnd(text, start) }, said, hint);
}

/** YAML names the place where it gave up: what stands there up to the next space is worth a mark. */
function wordEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && end < start + 80 && !/\s/.test(text.charAt(end))) end++;
  return end;
}

/** The tokens, unless they nest too deeply for what recurses over them, or are too many. */
function tokensOf(text: string): { readonly tokens: readonly CST.Token[] } | ParsedText {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let [lexemes, properties, errors] = [0, 0, 0];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === 'error') errors++;
    }
    if (errors >= MOST_SYNTAX_PROBLEMS) return { tokens };
    const start = Math.min(parser.offset, Math.max(0, text.length - 1));
    const at = { start, end: Math.min(text.length, start + 1) };
    // A document and a scalar stand in the stack, too.
    if (parser.stack.length > MOST_DEPTH + 2) return refuse(at, TOO_DEEP, 'Nest less.');
    if (/^[&*!]/.test(lexeme)) properties++;
    if (++lexemes > MOST_TOKENS || properties > MOST_PROPERTIES) return refuse(at, TOO_MANY, LARGE_HINT);
  }
  tokens.push(...parser.end());
  return { tokens };
}

const TOO_MANY = `The scenario has more than ${MOST_NODES.toLocaleString('en')} values.`;
const TOO_DEEP = `This nests deeper than ${MOST_DEPTH} levels.`;

/** Thrown inside `Builder` only: what cannot be read at all. */
class Refused extends Error {
  constructor(readonly problem: ScenarioProblem) {
    super(problem.message);
  }
}

/** A node that has been built, with how many values it holds when aliases are written out, and how deep it is. */
interface Built {
  readonly node: SourceNode;
  readonly size: number;
  readonly depth: number;
}

class Builder {
  private readonly problems: ScenarioProblem[] = [];
  /** By anchor; null: still being built, so an alias to it would hold itself. */
  private readonly anchors = new Map<string, Built | null>();

  constructor(private readonly text: string) {}

  build(contents: ParsedNode | null): ParsedText {
    try {
      const root = contents && this.node(contents).node;
      if (root?.kind === 'map') return { root, problems: this.problems };
      const at = { start: 0, end: Math.min(1, this.text.length) };
      const empty = !root || (root.kind === 'scalar' && root.value === null);
      const message = empty
        ? 'The text is empty.'
        : 'A scenario is keys with values: version, title, machine.';
      return { problems: [...this.problems, error(at, message, EMPTY_HINT)] };
    } catch (refused) {
      if (refused instanceof Refused) return { problems: [...this.problems, refused.problem] };
      throw refused;
    }
  }

  private node(of: ParsedNode): Built {
    if (isAlias(of)) return this.alias(of.source, this.rangeOf(of));
    const { anchor } = of;
    if (anchor !== undefined) this.anchors.set(anchor, null);
    const built = this.fresh(of);
    if (built.size > MOST_NODES) throw new Refused(error(this.rangeOf(of), TOO_MANY, LARGE_HINT));
    if (built.depth > MOST_DEPTH) {
      throw new Refused(error(this.rangeOf(of), TOO_DEEP, 'Nest less.'));
    }
    if (anchor !== undefined) this.anchors.set(anchor, built);
    return built;
  }

  private alias(name: string, at: TextRange): Built {
    const known = this.anchors.get(name);
    if (known) return known;
    throw new Refused(
      known === null
        ? error(at, `*${short(name)} stands inside of what it stands for.`, 'Write out what is meant.')
        : error(
            at,
            `Nothing above is called &${short(name)}.`,
            'Put &name before the value that *name stands for.',
          ),
    );
  }

  private fresh(of: Exclude<ParsedNode, Alias.Parsed>): Built {
    if (isScalar(of)) {
      const { value } = of;
      const known =
        typeof value === 'string' ||
        typeof value === 'bigint' ||
        typeof value === 'number' ||
        typeof value === 'boolean' ||
        value === null;
      if (!known)
        throw new Refused(error(this.rangeOf(of), 'This is no value of YAML’s core schema.', 'Quote it.'));
      const range = this.rangeOf(of);
      return {
        node: { kind: 'scalar', value, text: this.text.slice(range.start, range.end), ...range },
        size: 1,
        depth: 1,
      };
    }
    if (isSeq(of)) {
      const built = of.items.map((item) => this.node(item));
      const range = around(this.rangeOf(of), built, of.flow === true);
      return { node: { kind: 'list', items: built.map(({ node }) => node), ...range }, ...measure(built) };
    }
    return isMap(of) ? this.map(of) : this.fail(this.rangeOf(of as ParsedNode));
  }

  /** What is not closed ends behind the text. */
  private rangeOf({ range: [start, end] }: ParsedNode): TextRange {
    return { start: Math.min(start, this.text.length), end: Math.min(end, this.text.length) };
  }

  private fail(at: TextRange): never {
    throw new Refused(error(at, 'This cannot be read.', 'Put it into quotes.'));
  }

  private map(of: Extract<ParsedNode, { items: readonly { key: unknown }[] }>): Built {
    const entries = new Map<string, SourceEntry>();
    const values: Built[] = [];
    for (const pair of of.items) {
      const key = pair.key;
      const at = this.rangeOf(key);
      if (!isScalar(key)) throw new Refused(error(at, 'A key is text.', 'Put it into quotes.'));
      const name = typeof key.value === 'string' ? key.value : this.text.slice(at.start, at.end);
      const value =
        pair.value === null
          ? {
              node: { kind: 'scalar', value: null, text: '', start: at.end, end: at.end } as const,
              size: 1,
              depth: 1,
            }
          : this.node(pair.value);
      values.push(value);
      if (name === '__proto__') {
        this.problems.push(error(at, '"__proto__" cannot be a key.', 'Choose another name.'));
      } else if (entries.has(name)) {
        this.problems.push(error(at, `"${short(name)}" is given twice.`, 'Remove one of the two.'));
      } else entries.set(name, { key: at, value: value.node });
    }
    const range = around(this.rangeOf(of), values, of.flow === true);
    return { node: { kind: 'map', entries, ...range }, ...measure(values) };
  }
}

const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

/** Blocks end with their last value, and not with the white space behind it. */
function around(range: TextRange, children: readonly Built[], flow: boolean): TextRange {
  const last = children.at(-1)?.node.end;
  // An alias' value stands elsewhere.
  const end = flow || last === undefined || last < range.start || last > range.end ? range.end : last;
  return { start: range.start, end };
}

function measure(children: readonly Built[]): { readonly size: number; readonly depth: number } {
  let [size, depth] = [1, 0];
  for (const child of children) {
    size += child.size;
    depth = Math.max(depth, child.depth);
  }
  return { size, depth: depth + 1 };
}
