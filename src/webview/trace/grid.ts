import { type TimeMode, type TraceColumn } from '../messages/traceColumns';
import { type TraceRowModel, type TraceSummaryModel } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { VirtualScroll } from '../shared/virtualScroll';
import { type CellContext } from './cells';
import { type ColumnLayout } from './columnLayout';
import { GridHead } from './gridHead';
import { keyMove } from './gridKeys';
import { GridRow, rowContext } from './gridRow';
import { markHits } from './hits';
import { type RowCache } from './rowCache';
import { countOf, firstOf, moved, type Selection, within } from './selection';

export const ROW_HEIGHT = 22;
/** The order of rows is told when they have not moved for so long. */
const REST_MS = 150;

export interface GridOptions {
  readonly strings: TraceStrings;
  readonly rows: RowCache;
  readonly layout: ColumnLayout;
  /** The selection or its cursor changed. */
  readonly selected: () => void;
  readonly scrolled: () => void;
  /** A person scrolled. */
  readonly moved: () => void;
  readonly resized: () => void;
  /** The details of the row under the cursor are wanted. */
  readonly open: () => void;
  readonly copy: () => void;
  readonly escape: () => void;
}

/** What the grid shows rows of. */
export interface GridView {
  readonly summary: TraceSummaryModel;
  readonly time: TimeMode;
  /** Rows of the view. */
  readonly total: number;
  /** It is all rows of the trace. */
  readonly isWhole: boolean;
  readonly bookmarks: ReadonlySet<number>;
  /** A text that was searched for, in small letters; it is marked. */
  readonly wanted: string;
}

/** The rows of a trace: only those that show have elements, which take the place of others while the view scrolls. */
export class TraceGrid {
  readonly element: HTMLElement;
  readonly scroll: VirtualScroll;
  readonly #grid: HTMLElement;
  readonly #head: GridHead;
  readonly #body = element('div', { class: 'body', attributes: { role: 'rowgroup' } });
  readonly #empty = element('div', { class: 'empty' });
  readonly #pool: GridRow[] = [];
  #view: GridView | undefined;
  #selection: Selection = { anchor: 0, cursor: 0 };
  #column: TraceColumn = 'row';
  #character = 8;
  #width = 0;
  #height = 0;
  /** The columns that rows have elements of. */
  #columns = '';
  #isDue = false;
  #orderTimer = 0;

  constructor(private readonly options: GridOptions) {
    const { strings, layout } = options;
    this.#head = new GridHead(strings, {
      resize: (column, width) => {
        layout.resize(column, width);
        options.resized();
        this.useColumns();
      },
      fit: (column) => {
        layout.fit(column);
        options.resized();
        this.useColumns();
      },
    });
    this.#grid = element(
      'div',
      {
        class: 'grid',
        attributes: {
          ...{ role: 'grid', tabindex: '0', id: 'grid', 'aria-multiselectable': 'true' },
          ...{ 'aria-readonly': 'true', 'aria-describedby': 'keys' },
        },
      },
      this.#head.element,
      this.#body,
    );
    this.scroll = new VirtualScroll({
      label: strings.scrollbar,
      controls: 'grid',
      rowHeight: ROW_HEIGHT,
      moved: options.moved,
      changed: () => {
        options.scrolled();
        this.refresh();
      },
    });
    this.element = element('div', { class: 'grid-frame' }, this.#grid, this.#empty);
    this.scroll.follow(this.#body);
    this.#grid.addEventListener('keydown', (event) => this.#onKey(event));
    this.#body.addEventListener('pointerdown', (event) => this.#onPointer(event));
    this.#body.addEventListener('dblclick', () => options.open());
    layout.measureHeads(strings.columns);
    new ResizeObserver(() => {
      // Asked for anew with each scroll, sizes would have the page laid out in between.
      this.#width = this.#grid.clientWidth;
      this.#height = this.#grid.clientHeight - this.#head.element.offsetHeight;
      this.useColumns();
    }).observe(this.#grid);
  }

  get selection(): Selection {
    return this.#selection;
  }

  get column(): TraceColumn {
    return this.#column;
  }

  get cursorRow(): TraceRowModel | undefined {
    return this.options.rows.row(this.#selection.cursor);
  }

  /** Rows that there is room for, the last of them perhaps in part. */
  get visible(): number {
    return Math.max(1, this.#height / ROW_HEIGHT);
  }

  focus(): void {
    this.#grid.focus();
  }

  show(view: GridView): void {
    const before = this.#view;
    this.#view = view;
    this.#selection = within(this.#selection, view.total);
    this.#grid.setAttribute('aria-label', fill(this.options.strings.grid, view.summary.name));
    this.#grid.setAttribute('aria-rowcount', String(view.total + 1));
    this.scroll.setExtent(view.total, this.visible);
    if (before?.summary.rows !== view.summary.rows || before.time !== view.time) this.useColumns();
    else this.refresh();
  }

  /** What is written in the middle of a grid without rows. */
  say(text: string): void {
    this.#empty.textContent = text;
    this.#empty.hidden = text === '';
  }

  /** Columns were shown, hidden or sized, or there is more or less room. */
  useColumns(): void {
    const { layout } = this.options;
    const shown = layout.shown;
    if (!shown.includes(this.#column)) this.#column = shown[0] ?? 'row';
    this.#character = characterWidth(this.#grid);
    if (this.#columns !== shown.join()) {
      this.#columns = shown.join();
      this.#head.useColumns(shown);
      for (const row of this.#pool) row.useColumns(shown);
    }
    const widths = this.#columnWidths();
    this.#grid.style.setProperty('--columns', widths.map((width) => `${width}px`).join(' '));
    this.#grid.style.setProperty('--width', `${widths.reduce((sum, width) => sum + width, 0)}px`);
    this.#grid.setAttribute('aria-colcount', String(shown.length));
    if (this.#view) this.scroll.setExtent(this.#view.total, this.visible);
    this.refresh();
  }

  /** @param where  nearest: no further than needed */
  reveal(index: number, where: 'nearest' | 'center' = 'nearest'): void {
    const { position } = this.scroll;
    const { visible } = this;
    const isInside = index >= position && index + 1 <= position + visible;
    if (where === 'center') {
      if (!isInside) this.scroll.scrollTo(Math.round(index - visible / 2));
    } else if (index < position) this.scroll.scrollTo(index);
    else if (!isInside) this.scroll.scrollTo(index + 1 - visible);
  }

  /** @param where  where the cursor is to be seen; undefined: where it happens to be */
  select(selection: Selection, where: 'nearest' | 'center' | undefined, column = this.#column): void {
    if (!this.#view || this.#view.total === 0) return;
    const next = within(selection, this.#view.total);
    const { anchor, cursor } = this.#selection;
    const isSame = next.anchor === anchor && next.cursor === cursor && column === this.#column;
    this.#selection = next;
    this.#column = column;
    if (where) this.reveal(next.cursor, where);
    if (isSame) return;
    this.refresh();
    this.options.selected();
  }

  /** Paints with the next frame. */
  refresh(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#paint();
    });
  }

  #columnWidths(): readonly number[] {
    const { layout } = this.options;
    const shown = layout.shown;
    const widths = shown.map((column) => layout.width(column, this.#character));
    const rest = this.#width - widths.reduce((sum, width) => sum + width, 0);
    // The line takes what is left over.
    return rest > 0 && shown.at(-1) === 'line'
      ? [...widths.slice(0, -1), (widths.at(-1) ?? 0) + rest]
      : widths;
  }

  #paint(): void {
    const view = this.#view;
    if (!view) return;
    const { rows } = this.options;
    const { position } = this.scroll;
    const first = Math.floor(position);
    const end = Math.min(view.total, Math.ceil(position + this.visible));
    this.#fillPool(end - first);
    // The row above the first says how much later the first is.
    rows.want(view.time === 'delta' ? Math.max(0, first - 1) : first, end, view.total);
    const isShown = new Set<GridRow>();
    for (let index = first; index < end; index++) {
      const row = this.#pool[index % this.#pool.length];
      if (!row) continue;
      isShown.add(row);
      row.place(index, (index - position) * ROW_HEIGHT);
      this.#showRow(row, index, view);
    }
    for (const row of this.#pool) if (!isShown.has(row)) row.hide();
    const { cursor } = this.#selection;
    const current = view.total > 0 && cursor >= first && cursor < end ? this.#rowOf(cursor) : undefined;
    if (current) this.#grid.setAttribute('aria-activedescendant', current.cellId(this.#column));
    else this.#grid.removeAttribute('aria-activedescendant');
    const hits = this.#pool.flatMap((row) => (isShown.has(row) ? row.hits(view.wanted) : []));
    markHits('found-row', hits);
    current?.revealHit(view.wanted);
    this.#orderSoon();
    this.#grid.dataset['vscodeContext'] = rowContext(view.total > 0 ? this.cursorRow : undefined);
  }

  /** Elements stand in the order in which they were last taken; once at rest, screen readers are told that of the rows. */
  #orderSoon(): void {
    clearTimeout(this.#orderTimer);
    this.#orderTimer = setTimeout(() => {
      const shown = this.#pool
        .filter(({ index }) => index >= 0)
        .sort((one, other) => one.index - other.index);
      const order = shown.map(({ element: { id } }) => id).join(' ');
      if (order === '') this.#body.removeAttribute('aria-owns');
      else this.#body.setAttribute('aria-owns', order);
    }, REST_MS);
  }

  #showRow(row: GridRow, index: number, view: GridView): void {
    const { rows, strings } = this.options;
    const model = rows.row(index);
    const context: CellContext = {
      ...{ strings, summary: view.summary, time: view.time },
      above: view.time === 'delta' && index > 0 ? rows.row(index - 1) : undefined,
    };
    const from = firstOf(this.#selection);
    row.show(
      model,
      context,
      {
        isSelected: index >= from && index < from + countOf(this.#selection),
        cursor: index === this.#selection.cursor ? this.#column : undefined,
        isBookmarked: model !== undefined && view.bookmarks.has(model.row),
      },
      view.isWhole,
    );
  }

  #fillPool(count: number): void {
    if (this.#pool.length >= count) return;
    const shown = this.options.layout.shown;
    // A few more than fit, so that a grid that grows a little keeps its elements.
    while (this.#pool.length < count + 4) {
      const row = new GridRow(`r${this.#pool.length}`, ROW_HEIGHT);
      row.useColumns(shown);
      row.hide();
      this.#pool.push(row);
      this.#body.append(row.element);
    }
  }

  #rowOf(index: number): GridRow | undefined {
    return this.#pool.find((row) => row.index === index);
  }

  #onKey(event: KeyboardEvent): void {
    const view = this.#view;
    if (!view) return;
    const { cursor } = this.#selection;
    const isControl = event.ctrlKey || event.metaKey;
    const step = keyMove(event, {
      ...{ cursor, total: view.total, page: Math.max(1, Math.floor(this.visible) - 1) },
      ...{ column: this.#column, columns: this.options.layout.shown },
    });
    if (step?.resize !== undefined) this.#resizeBy(step.resize);
    else if (step) {
      const next = step.isSideways ? this.#selection : moved(this.#selection, step.cursor, event.shiftKey);
      this.select(next, 'nearest', step.column);
      this.#revealColumn();
    } else if (event.key === 'Enter') this.options.open();
    else if (event.key === 'Escape') this.options.escape();
    else if (isControl && event.key.toLowerCase() === 'a' && view.total > 0)
      this.select({ anchor: view.total - 1, cursor: 0 }, undefined);
    else if (isControl && event.key.toLowerCase() === 'c') this.options.copy();
    else return;
    event.preventDefault();
  }

  #resizeBy(pixels: number): void {
    const { layout } = this.options;
    layout.resize(this.#column, layout.width(this.#column, this.#character) + pixels);
    this.options.resized();
    this.useColumns();
  }

  #revealColumn(): void {
    const shown = this.options.layout.shown;
    const widths = this.#columnWidths();
    const at = shown.indexOf(this.#column);
    const left = widths.slice(0, at).reduce((sum, width) => sum + width, 0);
    const right = left + Math.min(widths[at] ?? 0, this.#width);
    if (left < this.#grid.scrollLeft) this.#grid.scrollLeft = left;
    else if (right > this.#grid.scrollLeft + this.#width) this.#grid.scrollLeft = right - this.#width;
  }

  #onPointer(event: PointerEvent): void {
    const index = this.#indexAt(event);
    if (index === undefined) return;
    const column = columnAt(event.target) ?? this.#column;
    const from = firstOf(this.#selection);
    const isInside = index >= from && index < from + countOf(this.#selection);
    // A menu is about the rows that are selected, when it is opened on one of them.
    if (event.button === 2 && isInside) return;
    if (event.button > 2 || event.button === 1) return;
    this.select(moved(this.#selection, index, event.shiftKey), 'nearest', column);
    if (event.button !== 0 || event.pointerType === 'touch') return;
    const drag = (moveEvent: PointerEvent): void => {
      const to = this.#indexAt(moveEvent);
      if (to !== undefined) this.select(moved(this.#selection, to, true), 'nearest');
    };
    this.#body.setPointerCapture(event.pointerId);
    this.#body.addEventListener('pointermove', drag);
    this.#body.addEventListener(
      'lostpointercapture',
      () => this.#body.removeEventListener('pointermove', drag),
      { once: true },
    );
  }

  /** The row of the view under a pointer, or the one next to it above or below the grid. */
  #indexAt({ clientY }: PointerEvent): number | undefined {
    const total = this.#view?.total ?? 0;
    if (total === 0) return undefined;
    const y = clientY - this.#body.getBoundingClientRect().top;
    const last = Math.min(total - 1, this.scroll.position + this.visible);
    const index = Math.floor(this.scroll.position + y / ROW_HEIGHT);
    return Math.max(0, Math.floor(this.scroll.position) - 1, Math.min(index, Math.floor(last)));
  }
}

const columnAt = (target: EventTarget | null): TraceColumn | undefined => {
  const cell = target instanceof Element ? target.closest('[role="gridcell"]') : null;
  return cell?.id.slice(cell.id.indexOf('-') + 1) as TraceColumn | undefined;
};

function characterWidth(within: HTMLElement): number {
  const probe = element('span', {
    class: 'probe mono',
    text: '0'.repeat(20),
    attributes: { 'aria-hidden': 'true' },
  });
  (within.parentElement ?? document.body).append(probe);
  const { width } = probe.getBoundingClientRect();
  probe.remove();
  return width > 0 ? width / 20 : 8;
}
