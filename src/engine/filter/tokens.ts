import { type ProblemList, type Span } from './problems';

/** `bad`: characters that begin nothing; reported already, the parser passes over them. */
export type TokenKind = 'word' | 'number' | 'text' | 'symbol' | 'bad' | 'end';

export interface Token extends Span {
  readonly kind: TokenKind;
  /** Words in lower case, symbols in their first spelling, texts without their quotes. */
  readonly text: string;
}

export const KEYWORDS: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in', 'has']);

/** Spellings of other languages that mean the same. */
const SAME: Readonly<Record<string, readonly [TokenKind, string]>> = {
  '==': ['symbol', '='],
  '<>': ['symbol', '!='],
  '&&': ['word', 'and'],
  '||': ['word', 'or'],
  '!': ['word', 'not'],
};

/** `place`: a PCI address such as 0000:00:02.0, a text that needs no quotes. */
const PATTERN =
  /(?<space>\s+)|(?<place>[0-9a-f]{1,8}(?::[0-9a-f]*)+(?:\.(?!\.)[0-9a-f]*)?)|(?<number>[0-9]\w*(?:\.[0-9]\w*)?)|(?<word>[a-z_]\w*(?:-\w+)*|-(?!\w))|(?<text>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?<open>["'].*)|(?<symbol>\.\.|&&|\|\||==|!=|<>|<=|>=|[=<>&!(),])|(?<bad>[^\s\w"'.&|=!<>(),]+|.)/isy;

/** Splits a filter text; the last token is `end`. Never fails: what begins no token is reported and becomes `bad`. */
export function tokenize(text: string, problems: ProblemList): readonly Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(PATTERN);
  for (let start = 0; start < text.length; start = pattern.lastIndex) {
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (!match?.groups) break;
    const source = match[0];
    const span = { start, end: start + source.length };
    const { place, number, word, text: quoted, open, symbol, bad } = match.groups;
    if (place !== undefined) tokens.push({ kind: 'text', text: place, ...span });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, ...span });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word.toLowerCase(), ...span });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: unquote(quoted), ...span });
    else if (symbol !== undefined) {
      const [kind, spelling] = SAME[symbol] ?? ['symbol', symbol];
      tokens.push({ kind, text: spelling, ...span });
    } else if (open !== undefined || bad !== undefined) {
      tokens.push({ kind: 'bad', text: source, ...span });
      if (open === undefined) {
        problems.add(span, 'character', `'${source}' means nothing in a filter.`, hintFor(source));
      } else {
        const quote = source.slice(0, 1);
        problems.add(span, 'text', `This text has no end.`, `Write ${quote} at its end.`);
      }
    }
  }
  tokens.push({ kind: 'end', text: '', start: text.length, end: text.length });
  return tokens;
}

/** Without its quotes; one that stands twice inside is that character. */
const unquote = (quoted: string): string => {
  const quote = quoted.slice(0, 1);
  return quoted.slice(1, -1).replaceAll(quote + quote, quote);
};

const PLAIN = /^(?:[a-z_]\w*(?:-\w+)*|[0-9a-f]{1,8}(?::[0-9a-f]+)+(?:\.[0-9a-f]+)?)$/i;

/** A text as a filter has to write it: in quotes unless it is a word, and no keyword, or a PCI address. */
export function quote(text: string): string {
  const plain = PLAIN.test(text) && !KEYWORDS.has(text.toLowerCase());
  return plain ? text : `"${text.replaceAll('"', '""')}"`;
}

function hintFor(source: string): string {
  if (source.startsWith('.')) return 'A range is written with two dots, 0x1000..0x2000.';
  if (source.startsWith('-')) return 'Numbers are not negative.';
  if (source.startsWith('|')) return "Write 'or' between two conditions.";
  return 'A condition is a field, an operator and a value, such as size >= 2M.';
}
