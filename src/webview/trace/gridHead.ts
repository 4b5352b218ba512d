import { TRACE_COLUMNS, type TraceColumn } from '../messages/traceColumns';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { RIGHT_ALIGNED } from './cells';

export interface GridHeadActions {
  /** A column was dragged to be as wide as this, in pixels. */
  readonly resize: (column: TraceColumn, width: number) => void;
  /** It is to be as wide as its texts need. */
  readonly fit: (column: TraceColumn) => void;
}

/** The names of the columns, with handles that size them. By keyboard they are sized from the grid and the list of columns. */
export class GridHead {
  readonly element: HTMLElement;
  readonly #row = element('div', { class: 'row', attributes: { role: 'row', 'aria-rowindex': '1' } });
  readonly #cells: ReadonlyMap<TraceColumn, HTMLElement>;

  constructor(
    strings: TraceStrings,
    private readonly actions: GridHeadActions,
  ) {
    this.#cells = new Map(
      TRACE_COLUMNS.map((column) => {
        const handle = element('span', { class: 'handle', attributes: { 'aria-hidden': 'true' } });
        const cell = element(
          'div',
          {
            class: RIGHT_ALIGNED.has(column) ? `cell right col-${column}` : `cell col-${column}`,
            attributes: { role: 'columnheader' },
          },
          element('span', { class: 'name', text: strings.columns[column] }),
          handle,
        );
        handle.addEventListener('pointerdown', (event) => this.#drag(event, column, cell, handle));
        handle.addEventListener('dblclick', () => this.actions.fit(column));
        return [column, cell];
      }),
    );
    this.element = element('div', { class: 'head', attributes: { role: 'rowgroup' } }, this.#row);
  }

  useColumns(shown: readonly TraceColumn[]): void {
    this.#row.replaceChildren(
      ...shown.flatMap((column, index) => {
        const cell = this.#cells.get(column);
        cell?.setAttribute('aria-colindex', String(index + 1));
        return cell ?? [];
      }),
    );
  }

  #drag(event: PointerEvent, column: TraceColumn, cell: HTMLElement, handle: HTMLElement): void {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    const width = cell.getBoundingClientRect().width;
    const move = ({ clientX }: PointerEvent): void =>
      this.actions.resize(column, width + clientX - event.clientX);
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener('pointermove', move);
    handle.addEventListener('lostpointercapture', () => handle.removeEventListener('pointermove', move), {
      once: true,
    });
  }
}
