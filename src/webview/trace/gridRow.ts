import { TRACE_COLUMNS, type TraceColumn } from '../messages/traceColumns';
import { type TraceRowModel } from '../messages/traceMessages';
import { element, icon } from '../shared/dom';
import { CELLS, type CellContext, grouped, RIGHT_ALIGNED } from './cells';
import { hitsIn } from './hits';
import { pathOf } from './marks';

/** How a row stands to the selection. */
export interface RowMarks {
  readonly isSelected: boolean;
  /** The column that the cursor is in, when it is on this row. */
  readonly cursor: TraceColumn | undefined;
  readonly isBookmarked: boolean;
}

interface CellElements {
  readonly cell: HTMLElement;
  readonly text: Text;
}

/** One row of the grid's elements, which shows one row of the view after another. */
export class GridRow {
  readonly element: HTMLElement;
  readonly #cells: ReadonlyMap<TraceColumn, CellElements>;
  readonly #mark = icon('', 'mark');
  /** For screen readers, which the stripe at the edge tells nothing. */
  readonly #bookmark = element('span', { class: 'sr-only' });
  #index = -1;
  #operation = '';
  #cursor: TraceColumn | undefined;

  constructor(
    private readonly id: string,
    private readonly rowHeight: number,
  ) {
    this.#cells = new Map(
      TRACE_COLUMNS.map((column) => {
        const text = document.createTextNode('');
        const cell = element('div', {
          class: RIGHT_ALIGNED.has(column) ? `cell right col-${column}` : `cell col-${column}`,
          attributes: { role: 'gridcell', id: this.cellId(column) },
        });
        if (column === 'operation') cell.append(this.#mark);
        cell.append(text);
        if (column === 'row') cell.append(this.#bookmark);
        return [column, { cell, text }];
      }),
    );
    this.element = element('div', { class: 'row', attributes: { role: 'row', id } });
  }

  /** Of the view; -1: shows none. */
  get index(): number {
    return this.#index;
  }

  cellId(column: TraceColumn): string {
    return `${this.id}-${column}`;
  }

  useColumns(shown: readonly TraceColumn[]): void {
    const cells = shown.flatMap((column, index) => {
      const cell = this.#cells.get(column)?.cell;
      cell?.setAttribute('aria-colindex', String(index + 1));
      return cell ?? [];
    });
    this.element.replaceChildren(...cells);
  }

  hide(): void {
    this.#index = -1;
    this.element.hidden = true;
  }

  /** @param top  pixels below the upper edge */
  place(index: number, top: number): void {
    if (index !== this.#index) {
      this.#index = index;
      const line = this.#cells.get('line')?.cell;
      if (line?.scrollLeft) line.scrollLeft = 0;
      // The head is the first row.
      this.element.setAttribute('aria-rowindex', String(index + 2));
      this.element.dataset['index'] = String(index);
      this.element.hidden = false;
    }
    this.element.style.transform = `translateY(${top}px)`;
    this.element.style.height = `${this.rowHeight}px`;
  }

  /** @param row  undefined: not here yet */
  show(row: TraceRowModel | undefined, context: CellContext, marks: RowMarks, isWholeView: boolean): void {
    for (const [column, { text }] of this.#cells) {
      const shown = row ? CELLS[column](row, context) : this.#placeholder(column, context, isWholeView);
      if (text.data !== shown) text.data = shown;
    }
    const bookmark = marks.isBookmarked ? ` ${context.strings.legend.bookmark}` : '';
    if (this.#bookmark.textContent !== bookmark) this.#bookmark.textContent = bookmark;
    const operation = row?.operation ?? 'loading';
    if (operation !== this.#operation) {
      this.#operation = operation;
      this.#mark.firstElementChild?.setAttribute('d', row ? pathOf(operation) : '');
    }
    this.element.className = `row op-${operation}${marks.isSelected ? ' selected' : ''}${
      marks.cursor === undefined ? '' : ' current'
    }${marks.isBookmarked ? ' bookmarked' : ''}`;
    this.element.setAttribute('aria-selected', String(marks.isSelected));
    this.element.dataset['vscodeContext'] = rowContext(row);
    if (marks.cursor !== this.#cursor) {
      if (this.#cursor) this.#cells.get(this.#cursor)?.cell.classList.remove('cursor');
      if (marks.cursor) this.#cells.get(marks.cursor)?.cell.classList.add('cursor');
      this.#cursor = marks.cursor;
    }
  }

  /** Where a text that was searched for stands in it. */
  hits(wanted: string): Range[] {
    return wanted === '' ? [] : [...this.#cells.values()].flatMap(({ text }) => hitsIn(text, wanted));
  }

  /** Scrolls the line to the text that was searched for. */
  revealHit(wanted: string): void {
    const line = this.#cells.get('line');
    const [hit] = line ? hitsIn(line.text, wanted) : [];
    if (!line || !hit) return;
    const box = line.cell.getBoundingClientRect();
    const { left, right } = hit.getBoundingClientRect();
    if (left < box.left || right > box.right) line.cell.scrollLeft += left - box.left - box.width / 3;
  }

  #placeholder(column: TraceColumn, { strings }: CellContext, isWholeView: boolean): string {
    if (column === 'row') return isWholeView ? grouped(this.#index + 1) : '';
    return column === 'operation' ? strings.loading : '';
  }
}

/** What the host's context menu is told of a row. */
export const rowContext = (row: TraceRowModel | undefined): string =>
  JSON.stringify({
    webviewSection: 'traceRow',
    preventDefaultContextMenuItems: true,
    ...(row && { traceRow: row.row, traceIova: row.iova }),
  });
