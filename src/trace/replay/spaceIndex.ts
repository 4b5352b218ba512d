import { type Failure } from '../../engine/result';
import { type RowSpaces } from '../model/spaces';
import { chunkOf, type TraceTable } from '../model/table';

const NONE = 0xffff;
/** As many as two bytes a row tell apart. */
const MOST_SPACES = NONE;

/** Which space each row is about: two bytes a row. */
export class SpaceIndex implements RowSpaces {
  /** What the trace did not let be told apart. */
  readonly notes: Failure[] = [];
  readonly #table: TraceTable;
  readonly #chunks: Uint16Array[] = [];
  readonly #names: string[] = [];
  readonly #taken = new Set<string>();
  /** By name: the number that the next of this name gets, if it is free. */
  readonly #again = new Map<string, number>();

  constructor(table: TraceTable) {
    this.#table = table;
  }

  get count(): number {
    return this.#names.length;
  }

  name(space: number): string {
    return this.#names[space] ?? '';
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** A new space. A name that another one has gets a number behind it; beyond 65,535 spaces the last is used for all. */
  add(name: string): number {
    if (this.#names.length === MOST_SPACES) return MOST_SPACES - 1;
    const wanted = name === '' ? 'unnamed' : name;
    const key = wanted.toLowerCase();
    let again = this.#again.get(key) ?? 2;
    let unique = wanted;
    while (this.#taken.has(unique.toLowerCase())) unique = `${wanted} (${again++})`;
    this.#again.set(key, again);
    this.#taken.add(unique.toLowerCase());
    return this.#names.push(unique) - 1;
  }

  spaceOf(row: number): number {
    const chunk = chunkOf(this.#table, row);
    const space = this.#chunks[chunk]?.[row - (this.#table.chunks[chunk]?.first ?? 0)] ?? NONE;
    return space === NONE ? -1 : space;
  }

  /** The spaces of a chunk's rows, to be read and written by `at` and `put`. */
  chunk(chunk: number): Uint16Array {
    const known = this.#chunks[chunk];
    if (known) return known;
    const made = new Uint16Array(this.#table.chunks[chunk]?.rows ?? 0).fill(NONE);
    this.#chunks[chunk] = made;
    return made;
  }

  /** Rows by space, of those that are about one; yields rows that were counted. */
  *rowCounts(): Generator<number, Float64Array> {
    const counts = new Float64Array(this.#names.length);
    for (const chunk of this.#chunks) {
      for (const space of chunk) if (space !== NONE) counts[space] = (counts[space] ?? 0) + 1;
      yield chunk.length;
    }
    return counts;
  }
}

/** The space of a chunk's row; -1: none. */
export const spaceAt = (chunk: Uint16Array, row: number): number => {
  const space = chunk[row] ?? NONE;
  return space === NONE ? -1 : space;
};

export const putSpace = (chunk: Uint16Array, row: number, space: number): void => {
  chunk[row] = space < 0 ? NONE : space;
};
