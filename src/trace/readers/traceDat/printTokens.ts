/** Pieces of a print format: names, numbers, texts and signs of C. */
export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign';
  readonly text: string;
}

const TOKEN =
  /\s+|(?<text>"(?:[^"\\]|\\.)*")|(?<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)|(?<char>'(?:[^'\\]|\\.)')|(?<name>[A-Za-z_]\w*)|(?<sign>->|<<|>>|<=|>=|==|!=|&&|\|\||\.\.\.|[-+*/%&|^~!<>?:,;.(){}[\]=])/gy;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };
const MOST_TOKENS = 20_000;

const unescape = (quoted: string): string =>
  quoted
    .slice(1, -1)
    .replace(/\\(x[0-9a-fA-F]{1,2}|.)/gs, (_, code: string) =>
      code.startsWith('x') && code.length > 1
        ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
        : (ESCAPES[code] ?? code),
    );

/** Undefined when there is something that is not C, or too much of it. */
export function printTokens(text: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) {
      TOKEN.lastIndex = 0;
      // White space alone has no group, and nothing that matches is an error.
      return undefined;
    }
    const { text: quoted, number, char, name, sign } = groups;
    if (quoted !== undefined) {
      const last = tokens.at(-1);
      // Texts beside each other are one.
      if (last?.kind === 'text')
        tokens[tokens.length - 1] = { kind: 'text', text: last.text + unescape(quoted) };
      else tokens.push({ kind: 'text', text: unescape(quoted) });
    } else if (number !== undefined) tokens.push({ kind: 'number', text: number.replace(/[uUlL]+$/, '') });
    else if (char !== undefined) tokens.push({ kind: 'number', text: String(unescape(char).charCodeAt(0)) });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
    if (tokens.length > MOST_TOKENS) return undefined;
  }
  return tokens;
}
