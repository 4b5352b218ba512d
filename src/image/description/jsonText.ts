import {
  findNodeAtLocation,
  type JSONPath,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import { type TextProblem } from './textProblem';

/** A description nests five levels; the parser recurses, so what nests deeper than this is not given to it. */
const MAX_DEPTH = 64;
/** UTF-16 units: a list of 100,000 segments takes about 8 Mi. */
const MAX_TEXT = 16 * 1024 * 1024;
const MAX_SYNTAX_PROBLEMS = 20;

/** A parsed JSON text that remembers where everything stands. */
export interface JsonText {
  readonly text: string;
  readonly root: Node;
  /** The value, whole numbers of more than 53 bits as strings of digits, so that they stay exact. */
  readonly value: unknown;
  readonly duplicates: readonly TextProblem[];
}

/** Half-open, UTF-16 units. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

const problem = (code: string, message: string, range: TextRange, hint: string): TextProblem => ({
  severity: 'error',
  code: `description/${code}`,
  message,
  hint,
  ...range,
});

/** Parses strict JSON. Gives problems instead when it is none. */
export function parseJson(original: string): JsonText | readonly TextProblem[] {
  // A byte order mark is white space here, so that offsets stay what the editor counts.
  const text = original.startsWith('\ufeff') ? ` ${original.slice(1)}` : original;
  const start = { start: 0, end: Math.min(1, text.length) };
  if (text.length > MAX_TEXT) {
    return [
      problem('too-long', 'The description is longer than 16 Mi characters.', start, 'Choose a description.'),
    ];
  }
  const deep = tooDeepAt(text);
  if (deep) return [problem('too-deep', `The JSON nests deeper than ${MAX_DEPTH} levels.`, deep, SHAPE_HINT)];
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true });
  if (errors.length > 0 || !root) {
    return errors
      .slice(0, MAX_SYNTAX_PROBLEMS)
      .map(({ error, offset, length }) =>
        problem(
          'json',
          SYNTAX_ERRORS[printParseErrorCode(error)] ?? 'This is not valid JSON.',
          { start: offset, end: offset + length },
          SHAPE_HINT,
        ),
      );
  }
  const duplicates: TextProblem[] = [];
  return { text, root, value: plainValue(root, text, duplicates), duplicates };
}

const SHAPE_HINT =
  'A description is {"version": 1, "image": "…", "iommus": [{"name", "kind", "registers"}]}.';

const SYNTAX_ERRORS: Partial<Record<string, string>> = {
  InvalidSymbol: 'This is not JSON; text stands in double quotes.',
  InvalidNumberFormat: 'This is not a JSON number; hexadecimal numbers stand in quotes, as "0x10".',
  PropertyNameExpected: 'A property name in double quotes is expected here.',
  ValueExpected: 'A value is expected here.',
  ColonExpected: 'A colon is expected here.',
  CommaExpected: 'A comma is expected here.',
  CloseBraceExpected: 'A closing brace } is expected here.',
  CloseBracketExpected: 'A closing bracket ] is expected here.',
  EndOfFileExpected: 'The text should end here.',
  InvalidCommentToken: 'JSON has no comments.',
  UnexpectedEndOfComment: 'JSON has no comments.',
  UnexpectedEndOfString: 'A closing quote is missing.',
  UnexpectedEndOfNumber: 'This number is not complete.',
  InvalidUnicode: 'This \\u escape is not complete.',
  InvalidEscapeCharacter: 'JSON has no such escape; a backslash is written \\\\.',
  InvalidCharacter: 'This character is not allowed in a JSON string.',
};

function tooDeepAt(text: string): TextRange | undefined {
  /** The closing characters that are still to come. */
  const open: string[] = [];
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (inString && char === '\\') at++;
    else if (char === '"') inString = !inString;
    // A string that is not closed ends with its line, as it does for the parser.
    else if (char === '\n' || char === '\r') inString = false;
    else if (inString) continue;
    else if (char === '{') open.push('}');
    else if (char === '[') open.push(']');
    else if (char === open.at(-1)) open.pop();
    if (open.length > MAX_DEPTH) return { start: at, end: at + 1 };
  }
  return undefined;
}

function plainValue(node: Node, text: string, duplicates: TextProblem[]): unknown {
  const children = node.children ?? [];
  if (node.type === 'array') return children.map((child) => plainValue(child, text, duplicates));
  if (node.type === 'number') {
    const digits = text.slice(node.offset, node.offset + node.length);
    return /^\d+$/.test(digits) && !Number.isSafeInteger(node.value) ? digits : (node.value as unknown);
  }
  if (node.type !== 'object') return node.value as unknown;
  const entries = new Map<string, unknown>();
  for (const { children: [key, value] = [] } of children) {
    if (!key || !value) continue;
    const name = String(key.value);
    if (entries.has(name)) {
      const range = rangeOf(key);
      duplicates.push(problem('duplicate', `"${name}" is given twice.`, range, 'Remove one of the two.'));
    }
    entries.set(name, plainValue(value, text, duplicates));
  }
  return Object.fromEntries(entries);
}

export const rangeOf = (node: Node): TextRange => ({ start: node.offset, end: node.offset + node.length });

/** The value at a path. */
export const nodeAt = (json: JsonText, path: JSONPath): Node | undefined =>
  path.length === 0 ? json.root : findNodeAtLocation(json.root, path);

/** The name of the property at a path; for an element of a list or for the whole text its first character. */
export function nameRange(json: JsonText, path: JSONPath): TextRange {
  const node = nodeAt(json, path);
  if (!node) return path.length === 0 ? { start: 0, end: 1 } : nameRange(json, path.slice(0, -1));
  const key = node.parent?.type === 'property' ? node.parent.children?.[0] : undefined;
  return key ? rangeOf(key) : { start: node.offset, end: node.offset + 1 };
}
