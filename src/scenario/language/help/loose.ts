import { type Path, type TextRange } from '../source/node';
import { FlowReader } from './flow';
import {
  type Cursor,
  type LooseList,
  type LooseMap,
  type LooseNode,
  type LooseText,
  unquoted,
} from './looseNode';

/** What is longer is not helped with: nobody writes it by hand. */
const MOST_TEXT = 2 ** 20;
const MOST_FRAMES = 64;

/** A block that lines may still add to. */
interface Frame {
  readonly indent: number;
  readonly node: LooseMap | LooseList;
}

/**
 * Reads a text that may not be YAML yet, as far as its lines say what is meant: a line that cannot be read is passed over, a
 * bracket that is not closed ends where a key of an outer block begins. Takes time in proportion to the text.
 */
export function readLoosely(text: string, offset: number): LooseText {
  return text.length > MOST_TEXT
    ? { root: undefined, cursor: undefined }
    : new LooseReader(text, offset).read();
}

const KEY =
  /("(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|[^\s"'#[\]{},&*!|>%@`][^#\n]{0,255}?)[ \t]{0,64}:(?=[ \t\r\n]|$)/y;

class LooseReader {
  private root: LooseNode | undefined;
  private cursor: Cursor | undefined;
  private readonly frames: Frame[] = [];
  /** Lines that are indented by more belong to a block scalar. */
  private inScalar: number | undefined;

  constructor(
    private readonly text: string,
    private readonly offset: number,
  ) {}

  read(): LooseText {
    for (let at = 0; at <= this.text.length;) at = this.line(at);
    return { root: this.root, cursor: this.cursor };
  }

  private endOf(at: number): number {
    const end = this.text.indexOf('\n', at);
    return end < 0 ? this.text.length : end;
  }

  /** Reads what begins on a line; gives the start of the first line that it did not touch. */
  private line(start: number): number {
    const end = this.endOf(start);
    const content = this.text.slice(start, end);
    const blank = content.trim() === '';
    const column = content.length - content.trimStart().length;
    if (this.inScalar !== undefined && (blank || column > this.inScalar)) return end + 1;
    this.inScalar = undefined;
    if (blank) {
      if (this.offset >= start && this.offset <= end) this.onBlankLine(this.offset - start);
      return end + 1;
    }
    if (content.charAt(column) === '#' || /^(?:---|\.\.\.|%)/.test(content)) return end + 1;
    return this.block(start, start + column, end);
  }

  private block(start: number, from: number, end: number): number {
    let at = from;
    let slot: Path | undefined;
    while (this.text.charAt(at) === '-' && /[ \t\r\n]|^$/.test(this.text.charAt(at + 1))) {
      const list = this.listAt(at - start, at);
      if (!list) return end + 1;
      slot = [...list.path, list.items.length];
      list.items.push(undefined);
      list.end = end;
      at++;
      while (at < end && /[ \t]/.test(this.text.charAt(at))) at++;
      if (at >= end || this.text.charAt(at) === '#') {
        if (this.offset > from && this.offset <= Math.min(at, end))
          this.found(slot, 'both', this.offset, this.offset, at - start);
        return end + 1;
      }
    }
    KEY.lastIndex = at;
    const key = KEY.exec(this.text);
    if (!key || KEY.lastIndex > end) return this.value(slot ?? this.slotAt(at - start), at, end, start, true);
    const map = this.mapAt(at - start, at);
    if (!map) return end + 1;
    const [, written = ''] = key;
    const range = { start: at, end: at + written.length };
    const name = unquoted(written);
    map.entries.push({ key: name, range, value: undefined });
    map.end = end;
    if (this.offset >= range.start && this.offset <= range.end) {
      this.cursor ??= {
        path: map.path,
        at: 'key',
        ...range,
        column: at - start,
        map,
        colon: true,
        flow: false,
        spaced: true,
      };
    }
    return this.value([...map.path, name], KEY.lastIndex, end, start, false);
  }

  /** A value at a place; `alone`: it may turn out to be a key. */
  private value(slot: Path | undefined, from: number, end: number, start: number, alone: boolean): number {
    let at = from;
    for (;;) {
      while (at < end && /[ \t\r]/.test(this.text.charAt(at))) at++;
      // Anchors and tags stand before the value.
      if (!/[&!]/.test(this.text.charAt(at))) break;
      while (at < end && !/\s/.test(this.text.charAt(at))) at++;
    }
    const base = this.frames.at(-1)?.indent ?? -1;
    if (at >= end || this.text.charAt(at) === '#') {
      const within = this.offset >= from && this.offset <= Math.min(at, end);
      if (slot && within && !alone) {
        this.found(slot, 'value', this.offset, this.offset, this.offset - start, this.offset > from);
      }
      return end + 1;
    }
    const char = this.text.charAt(at);
    if (char === '|' || char === '>') {
      this.inScalar = base;
      if (slot) this.attach(slot, { kind: 'scalar', path: slot, start: at, end, text: '' });
      return end + 1;
    }
    if (char === '[' || char === '{') {
      const read = new FlowReader(this.text, this.offset, slot ?? [], base).read(at);
      if (slot && read.node) this.attach(slot, read.node);
      this.cursor ??= read.cursor;
      // What stands behind it on its line is passed over.
      return this.endOf(Math.max(read.end, at)) + 1;
    }
    return this.scalar(slot, at, end, start, alone);
  }

  private scalar(slot: Path | undefined, at: number, end: number, start: number, alone: boolean): number {
    const rest = this.text.slice(at, end);
    const quoted = /^(?:"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)/.exec(rest)?.[0];
    const written = quoted ?? rest.replace(/\s#.*$/, '').trimEnd();
    const range: TextRange = { start: at, end: at + written.length };
    const inside = this.offset >= range.start && this.offset <= range.end;
    if (!alone) {
      if (slot) {
        this.attach(slot, { kind: 'scalar', path: slot, ...range, text: unquoted(written) });
        if (inside) this.found(slot, 'value', range.start, range.end, at - start);
      }
      return end + 1;
    }
    const map = this.innermost(({ indent, node }) => indent === at - start && node.kind === 'map')?.node;
    if (map?.kind === 'map' && (slot === undefined || !this.isEmpty(slot))) {
      // A word alone where keys stand: a key that is being written.
      if (inside)
        this.cursor ??= {
          path: map.path,
          at: 'key',
          ...range,
          column: at - start,
          map,
          colon: false,
          flow: false,
          spaced: true,
        };
    } else if (slot && this.isEmpty(slot)) {
      this.attach(slot, { kind: 'scalar', path: slot, ...range, text: unquoted(written) });
      if (inside) this.found(slot, 'both', range.start, range.end, at - start);
    }
    return end + 1;
  }

  private found(
    path: Path,
    at: Cursor['at'],
    start: number,
    end: number,
    column: number,
    spaced = true,
  ): void {
    this.cursor ??= { path, at, start, end, column, map: undefined, colon: false, flow: false, spaced };
  }

  private onBlankLine(column: number): void {
    const [start, end] = [this.offset, this.offset];
    const beside = { start, end, column, colon: false, flow: false, spaced: true } as const;
    const map = this.innermost(({ indent, node }) => indent === column && node.kind === 'map')?.node;
    const list = this.innermost(({ indent, node }) => indent === column && node.kind === 'list')?.node;
    if (list?.kind === 'list') {
      const path = [...list.path, list.items.length];
      this.cursor ??= { ...beside, path, at: 'item', map: map?.kind === 'map' ? map : undefined };
      return;
    }
    const slot = this.slotAt(column);
    if (slot && this.isEmpty(slot)) {
      this.cursor ??= { ...beside, path: slot, at: 'both', map: undefined };
    } else if (map?.kind === 'map') {
      this.cursor ??= { ...beside, path: map.path, at: 'key', map };
    } else if (this.frames.length === 0 && column === 0) {
      this.cursor ??= { ...beside, path: [], at: 'key', map: undefined };
    }
  }

  /** Where a value would belong that begins at a column: below the innermost block that is indented by less. */
  private slotAt(column: number): Path | undefined {
    const frame = this.innermost(({ indent }) => indent < column);
    if (!frame) return this.frames.length === 0 ? [] : undefined;
    return lastSlot(frame.node);
  }

  private isEmpty(slot: Path): boolean {
    if (slot.length === 0) return this.root === undefined;
    const parent = this.innermost(({ node }) => isPath(node.path, slot.slice(0, -1)))?.node;
    if (parent?.kind === 'map') return parent.entries.at(-1)?.value === undefined;
    return parent?.kind === 'list' && parent.items.at(-1) === undefined;
  }

  private innermost(is: (frame: Frame) => boolean): Frame | undefined {
    for (let index = this.frames.length - 1; index >= 0; index--) {
      const frame = this.frames[index];
      if (frame && is(frame)) return frame;
    }
    return undefined;
  }

  private mapAt(indent: number, at: number): LooseMap | undefined {
    for (let top = this.frames.at(-1); top; top = this.frames.at(-1)) {
      if (top.indent < indent || (top.indent === indent && top.node.kind === 'map')) break;
      this.frames.pop();
    }
    const top = this.frames.at(-1);
    if (top?.indent === indent && top.node.kind === 'map') return top.node;
    const path = top ? lastSlot(top.node) : [];
    return path && this.open(indent, { kind: 'map', path, start: at, end: at, entries: [] });
  }

  private listAt(indent: number, at: number): LooseList | undefined {
    while ((this.frames.at(-1)?.indent ?? -1) > indent) this.frames.pop();
    const top = this.frames.at(-1);
    if (top?.indent === indent && top.node.kind === 'list') return top.node;
    const path = top ? lastSlot(top.node) : [];
    return path && this.open(indent, { kind: 'list', path, start: at, end: at, items: [] });
  }

  private open<Node extends LooseMap | LooseList>(indent: number, node: Node): Node | undefined {
    if (this.frames.length >= MOST_FRAMES) return undefined;
    this.attach(node.path, node);
    this.frames.push({ indent, node });
    return node;
  }

  /** Puts a value where the last key, or the last element, of its block has none yet. */
  private attach(slot: Path, node: LooseNode): void {
    if (slot.length === 0) {
      this.root ??= node;
      return;
    }
    const parent = this.innermost((frame) => isPath(frame.node.path, slot.slice(0, -1)))?.node;
    if (parent?.kind === 'map') {
      const entry = parent.entries.at(-1);
      if (entry && entry.key === slot.at(-1)) entry.value ??= node;
    } else if (parent) parent.items[parent.items.length - 1] ??= node;
  }
}

function lastSlot(node: LooseMap | LooseList): Path | undefined {
  if (node.kind === 'list') return [...node.path, Math.max(0, node.items.length - 1)];
  const key = node.entries.at(-1)?.key;
  return key === undefined ? undefined : [...node.path, key];
}

const isPath = (one: Path, other: Path): boolean =>
  one.length === other.length && one.every((key, index) => key === other[index]);
