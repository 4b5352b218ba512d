import { TRACE_COLUMNS, type TraceColumn } from '../messages/traceColumns';
import { type TraceRowModel } from '../messages/traceMessages';
import { CELLS, type CellContext, grouped } from './cells';

export const LEAST_WIDTH = 24;
export const MOST_WIDTH = 4000;
/** Both sides of a cell, and the line between two. */
const PADDING = 17;
/** Characters that a column is given by itself, at most: what is longer is cut, and the details have it whole. */
const MOST_CHARACTERS: Partial<Record<TraceColumn, number>> = { line: 400 };
const USUAL_MOST = 28;
/** Rows between two that are measured: neighbours are much alike. */
const EVERY = 4;
/** The icon in front of an operation. */
const ICON = 18;

/** Which columns show and how wide they are: as the user set it, otherwise as their texts need. */
export class ColumnLayout {
  readonly #hidden: Set<TraceColumn>;
  readonly #set: Map<TraceColumn, number>;
  /** Shown or hidden by the user: they stay so. */
  readonly #chosen: Set<TraceColumn>;
  /** Characters of the longest text met. */
  readonly #characters = new Map<TraceColumn, number>();

  constructor(
    hidden: readonly TraceColumn[],
    widths: Readonly<Partial<Record<TraceColumn, number>>>,
    chosen: readonly TraceColumn[] = [],
  ) {
    this.#chosen = new Set(chosen);
    this.#hidden = new Set(hidden);
    this.#set = new Map(Object.entries(widths) as [TraceColumn, number][]);
  }

  get shown(): readonly TraceColumn[] {
    return TRACE_COLUMNS.filter((column) => !this.#hidden.has(column));
  }

  get hidden(): TraceColumn[] {
    return [...this.#hidden];
  }

  get chosen(): TraceColumn[] {
    return [...this.#chosen];
  }

  get widths(): Partial<Record<TraceColumn, number>> {
    return Object.fromEntries(this.#set);
  }

  /** There is something in it now: it shows unless the user hid it. */
  appear(column: TraceColumn): boolean {
    return !this.#chosen.has(column) && this.#hidden.delete(column);
  }

  /** As the user wants it; one column stays. */
  show(column: TraceColumn, isShown: boolean): void {
    this.#chosen.add(column);
    if (isShown) this.#hidden.delete(column);
    else if (this.shown.length > 1) this.#hidden.add(column);
  }

  resize(column: TraceColumn, width: number): void {
    this.#set.set(column, Math.round(Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, width))));
  }

  /** As its texts need, again. */
  fit(column: TraceColumn): void {
    this.#set.delete(column);
  }

  /** Has room for the texts of rows that came. Columns grow only, so that nothing moves back and forth. */
  measure(rows: readonly TraceRowModel[], context: CellContext): boolean {
    let isWider = this.#grow('row', grouped(context.summary.rows).length);
    for (let index = 0; index < rows.length; index += EVERY) {
      const row = rows[index];
      if (row)
        for (const column of TRACE_COLUMNS)
          if (this.#grow(column, CELLS[column](row, context).length)) isWider = true;
    }
    return isWider;
  }

  /** Heads must fit, too. */
  measureHeads(heads: Readonly<Record<TraceColumn, string>>): void {
    for (const column of TRACE_COLUMNS) this.#grow(column, heads[column].length + 1);
  }

  /** @param character  width of one, in pixels */
  width(column: TraceColumn, character: number): number {
    const set = this.#set.get(column);
    if (set !== undefined) return set;
    const icon = column === 'operation' ? ICON : 0;
    return Math.ceil((this.#characters.get(column) ?? 4) * character) + PADDING + icon;
  }

  #grow(column: TraceColumn, length: number): boolean {
    const characters = Math.min(length, MOST_CHARACTERS[column] ?? USUAL_MOST);
    if (characters <= (this.#characters.get(column) ?? 0)) return false;
    this.#characters.set(column, characters);
    return true;
  }
}
