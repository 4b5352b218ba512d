/** Half-open, UTF-16 units. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

export type Path = readonly (string | number)[];

/** A value of the text and where it stands. Values that were merged or filled in keep the place that they were written at. */
export type SourceNode = SourceScalar | SourceMap | SourceList;

export interface SourceScalar extends TextRange {
  readonly kind: 'scalar';
  readonly value: string | bigint | number | boolean | null;
  /** As it is written. */
  readonly text: string;
}

export interface SourceMap extends TextRange {
  readonly kind: 'map';
  /** In the order of the text. */
  readonly entries: ReadonlyMap<string, SourceEntry>;
}

export interface SourceList extends TextRange {
  readonly kind: 'list';
  readonly items: readonly SourceNode[];
}

export interface SourceEntry {
  readonly key: TextRange;
  readonly value: SourceNode;
}

export const entryOf = (node: SourceNode | undefined, key: string): SourceEntry | undefined =>
  node?.kind === 'map' ? node.entries.get(key) : undefined;

export const childOf = (node: SourceNode | undefined, key: string | number): SourceNode | undefined =>
  node?.kind === 'list'
    ? typeof key === 'number'
      ? node.items[key]
      : undefined
    : entryOf(node, String(key))?.value;

export function nodeAt(root: SourceNode, path: Path): SourceNode | undefined {
  let node: SourceNode | undefined = root;
  for (const key of path) node = childOf(node, key);
  return node;
}

/** The name of the value at a path; of an element of a list, and of the whole, its first character. */
export function keyRangeAt(root: SourceNode, path: Path): TextRange {
  const last = path.at(-1);
  const parent = last === undefined ? undefined : nodeAt(root, path.slice(0, -1));
  const entry = typeof last === 'string' ? entryOf(parent, last) : undefined;
  if (entry) return { start: entry.key.start, end: entry.key.end };
  const node = nodeAt(root, path);
  if (node) return { start: node.start, end: Math.max(node.start, Math.min(node.end, node.start + 1)) };
  return path.length === 0 ? { start: 0, end: 0 } : keyRangeAt(root, path.slice(0, -1));
}

/** The value at a path; where it is empty or missing, the name of it or of the nearest that there is. */
export function rangeAt(root: SourceNode, path: Path): TextRange {
  const node = nodeAt(root, path);
  return node && node.end > node.start ? { start: node.start, end: node.end } : keyRangeAt(root, path);
}

/** Values in it, itself among them. */
export function sizeOf(node: SourceNode): number {
  if (node.kind === 'scalar') return 1;
  const inside = node.kind === 'list' ? node.items : [...node.entries.values()].map(({ value }) => value);
  return inside.reduce((sum, each) => sum + sizeOf(each), 1);
}

/** As plain values: objects, lists, scalars. */
export function plainValue(node: SourceNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plainValue);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plainValue(value)]));
}

/** `steps[2].dma.iova`. */
export function pathText(path: Path): string {
  if (path.length === 0) return 'The scenario';
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${key}`))
    .join('');
}
