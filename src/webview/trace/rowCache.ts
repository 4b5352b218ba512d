import { MOST_TRACE_ROWS, type TraceRowModel } from '../messages/traceMessages';

const TILE = MOST_TRACE_ROWS;
/** Tiles that are kept: about 13,000 rows. */
const MOST_TILES = 64;
/** Questions that wait at a time: a scroll that goes on is not answered for where it was. */
const MOST_ASKED = 3;
/** Who jumped stays for so long before what is around is fetched, too; who scrolls needs it next. */
const REST_MS = 80;

/** Asks for rows of the view; `got` is called once, with undefined when there are none to be had. */
export type LoadRows = (
  first: number,
  count: number,
  got: (rows: readonly TraceRowModel[] | undefined) => void,
) => void;

/** The rows of the view that are here, in tiles; those about the rows that show are fetched, the rest is forgotten. */
export class RowCache {
  /** Least recently used first. */
  readonly #tiles = new Map<number, readonly TraceRowModel[]>();
  readonly #asked = new Set<number>();
  /** Tiles that could not be had; asked again after a change. */
  readonly #refused = new Set<number>();
  #wanted: readonly number[] = [];
  #timer = 0;
  /** When the view went somewhere else. */
  #jumped = -Infinity;
  #total = 0;
  /** Counts clearings: what comes of before is dropped. */
  #era = 0;

  constructor(
    private readonly load: LoadRows,
    private readonly changed: () => void,
  ) {}

  /** The row at an index of the view; undefined: not here yet. */
  row(index: number): TraceRowModel | undefined {
    return this.#tiles.get(Math.floor(index / TILE))?.[index % TILE];
  }

  clear(): void {
    this.#era++;
    clearTimeout(this.#timer);
    this.#tiles.clear();
    this.#asked.clear();
    this.#refused.clear();
    this.#wanted = [];
  }

  /** What was refused may be had by now. */
  retry(): void {
    this.#refused.clear();
  }

  /** These rows show, of so many in all: they are fetched first, then those around them. */
  want(first: number, end: number, total: number): void {
    this.#total = total;
    const from = Math.floor(first / TILE);
    const to = Math.floor(Math.max(first, end - 1) / TILE);
    const isThere = (tile: number): boolean => tile >= 0 && tile * TILE < total;
    const shown: number[] = [];
    for (let tile = from; tile <= to; tile++) if (isThere(tile)) shown.push(tile);
    const all = [...shown, ...[to + 1, from - 1].filter(isThere)];
    const now = performance.now();
    if (Math.abs(from - (this.#wanted[0] ?? Infinity)) > 1) this.#jumped = now;
    const isResting = now - this.#jumped >= REST_MS;
    clearTimeout(this.#timer);
    if (!isResting) this.#timer = setTimeout(() => this.#fetch(all), REST_MS);
    this.#fetch(isResting ? all : shown);
  }

  #fetch(wanted = this.#wanted): void {
    this.#wanted = wanted;
    for (const tile of wanted) {
      if (this.#asked.size >= MOST_ASKED) return;
      if (this.#isWhole(tile) || this.#asked.has(tile) || this.#refused.has(tile)) continue;
      this.#asked.add(tile);
      const era = this.#era;
      this.load(tile * TILE, Math.min(TILE, this.#total - tile * TILE), (rows) => {
        if (era === this.#era) this.#take(tile, rows);
      });
    }
  }

  #isWhole(tile: number): boolean {
    const rows = this.#tiles.get(tile);
    if (!rows) return false;
    this.#tiles.delete(tile);
    this.#tiles.set(tile, rows);
    return rows.length >= Math.min(TILE, this.#total - tile * TILE);
  }

  #take(tile: number, rows: readonly TraceRowModel[] | undefined): void {
    this.#asked.delete(tile);
    if (rows && rows.length > (this.#tiles.get(tile)?.length ?? 0)) {
      this.#tiles.set(tile, rows);
      for (const oldest of this.#tiles.keys()) {
        if (this.#tiles.size <= MOST_TILES) break;
        this.#tiles.delete(oldest);
      }
    } else this.#refused.add(tile);
    this.changed();
    this.#fetch();
  }
}
