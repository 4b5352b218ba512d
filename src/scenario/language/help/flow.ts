import { type Path } from '../source/node';
import { type Cursor, type LooseList, type LooseMap, type LooseNode, unquoted } from './looseNode';

const MOST_DEPTH = 64;

/** Up to what ends a plain word: a bracket, a comma, a colon before a space, a comment, the end of the line. */
const WORD = /(?:[^,[\]{}:\s]|:(?=[^\s,[\]{}])|[ \t\r](?!#))+/y;

interface Open {
  readonly node: LooseMap | LooseList;
  /** Of a map: a colon has been seen behind the last key. Of a list: always. */
  takesValue: boolean;
  /** Something has been read since the last comma: a key, or a value. */
  filled: boolean;
}

/** Reads `{ }` and `[ ]` loosely, over lines. Ends where they are closed, or where a line of an outer block begins. */
export class FlowReader {
  private readonly open: Open[] = [];
  private first: LooseNode | undefined;
  private cursor: Cursor | undefined;

  constructor(
    private readonly text: string,
    private readonly offset: number,
    private readonly slot: Path,
    /** Indentation of the block around it. */
    private readonly base: number,
  ) {}

  read(from: number): {
    readonly node: LooseNode | undefined;
    readonly cursor: Cursor | undefined;
    readonly end: number;
  } {
    let at = from;
    do {
      const next = this.space(at);
      if (next === undefined) break;
      at = next;
      if (at >= this.text.length) break;
      at = this.token(at);
    } while (this.open.length > 0 && at < this.text.length);
    if (this.open.length > 0) this.look(at, this.text.length);
    for (const { node } of this.open) node.end = Math.max(node.end, at);
    return { node: this.first, cursor: this.cursor, end: at };
  }

  /** Passes over white space and comments; undefined where an outer block goes on. */
  private space(from: number): number | undefined {
    let at = from;
    for (; at < this.text.length; at++) {
      const char = this.text.charAt(at);
      if (char === '\n') {
        const line = this.text.slice(at + 1, at + 200);
        const column = /^ */.exec(line)?.[0].length ?? 0;
        if (column <= this.base && /^ *(?:- |["'\w$-]+[ \t]*:(?:\s|$))/.test(line)) {
          this.look(from, at);
          return undefined;
        }
      } else if (char === '#' && (at === 0 || /\s/.test(this.text.charAt(at - 1)))) {
        this.look(from, at);
        const end = this.text.indexOf('\n', at);
        at = (end < 0 ? this.text.length : end) - 1;
      } else if (char !== ' ' && char !== '\t' && char !== '\r') break;
    }
    this.look(from, at);
    return at;
  }

  /** Is the cursor in this white space? Then something may be written here. */
  private look(from: number, to: number): void {
    const top = this.open.at(-1);
    // At the end of it a word may begin, which is then what is written.
    if (!top || this.cursor || this.offset < from || this.offset > to) return;
    if (this.offset === to && /[^\s,[\]{}:#]/.test(this.text.charAt(to))) return;
    const { node } = top;
    const spaced = this.offset === 0 || this.text.charAt(this.offset - 1) !== ':';
    const beside = {
      start: this.offset,
      end: this.offset,
      column: 0,
      colon: false,
      flow: true,
      spaced,
    } as const;
    if (node.kind === 'list') {
      if (!top.filled)
        this.cursor = { ...beside, path: [...node.path, node.items.length], at: 'both', map: undefined };
    } else if (!top.filled) this.cursor = { ...beside, path: node.path, at: 'key', map: node };
    else if (top.takesValue && node.entries.at(-1)?.value === undefined) {
      this.cursor = {
        ...beside,
        path: [...node.path, node.entries.at(-1)?.key ?? ''],
        at: 'value',
        map: undefined,
      };
    }
  }

  private token(at: number): number {
    const char = this.text.charAt(at);
    const top = this.open.at(-1);
    if (char === '{' || char === '[') {
      const path = this.slotOf(top);
      const range = { path, start: at, end: at + 1 };
      const node: LooseMap | LooseList =
        char === '{' ? { kind: 'map', entries: [], ...range } : { kind: 'list', items: [], ...range };
      this.put(top, node);
      if (this.open.length < MOST_DEPTH) this.open.push({ node, takesValue: char === '[', filled: false });
      return at + 1;
    }
    if (char === '}' || char === ']') {
      const closed = this.open.pop();
      if (closed) closed.node.end = at + 1;
      return at + 1;
    }
    if (!top) return at + 1;
    if (char === ',') {
      top.filled = false;
      top.takesValue = top.node.kind === 'list';
      return at + 1;
    }
    if (char === ':') {
      if (top.filled) top.takesValue = true;
      return at + 1;
    }
    return this.word(top, at);
  }

  private word(top: Open, at: number): number {
    const end = this.wordEnd(at);
    const name = unquoted(this.text.slice(at, end));
    const { node } = top;
    const inside = this.cursor === undefined && this.offset >= at && this.offset <= end;
    if (node.kind === 'map' && !top.filled) {
      node.entries.push({ key: name, range: { start: at, end }, value: undefined });
      top.filled = true;
      if (inside) {
        const colon = /^[ \t]*:/.test(this.text.slice(end, end + 20));
        this.cursor = { ...wordAt(at, end), path: node.path, at: 'key', map: node, colon };
      }
      return end;
    }
    const path = this.slotOf(top);
    if (inside) {
      const kind = node.kind === 'list' ? 'both' : 'value';
      this.cursor = { ...wordAt(at, end), path, at: kind, map: undefined, colon: false };
    }
    this.put(top, { kind: 'scalar', path, start: at, end, text: name });
    return end;
  }

  private wordEnd(at: number): number {
    const quote = this.text.charAt(at);
    if (quote === '"' || quote === "'") {
      for (let end = at + 1; end < this.text.length; end++) {
        const char = this.text.charAt(end);
        if (char === '\\' && quote === '"') end++;
        else if (char === quote) return end + 1;
        else if (char === '\n') return end;
      }
      return this.text.length;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(this.text)?.[0].trimEnd() ?? '';
    return at + Math.max(1, word.length);
  }

  private slotOf(top: Open | undefined): Path {
    if (!top) return this.slot;
    const { node } = top;
    return node.kind === 'list'
      ? [...node.path, top.filled ? Math.max(0, node.items.length - 1) : node.items.length]
      : [...node.path, node.entries.at(-1)?.key ?? ''];
  }

  private put(top: Open | undefined, node: LooseNode): void {
    if (!top) {
      this.first = node;
      return;
    }
    if (top.node.kind === 'list') {
      if (!top.filled) top.node.items.push(node);
    } else {
      const entry = top.node.entries.at(-1);
      if (entry) entry.value ??= node;
    }
    top.filled = true;
  }
}

const wordAt = (start: number, end: number) => ({ start, end, column: 0, flow: true, spaced: true }) as const;
