import { type TraceCommand, type TraceRowModel } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element, icon } from '../shared/dom';
import { type CellContext, CELLS, grouped } from './cells';
import { button, ICONS } from './controls';
import { pathOf } from './marks';

export interface DetailsOptions {
  readonly strings: TraceStrings;
  readonly command: (command: TraceCommand, row: TraceRowModel) => void;
  readonly bookmark: (row: TraceRowModel) => void;
  readonly closed: () => void;
}

/** All that is known of the row under the cursor, its line whole, and what can be done with it. */
export class Details {
  readonly element: HTMLElement;
  readonly #head = element('div', { class: 'panel-head' });
  readonly #fields = element('dl');
  readonly #line = element('pre', { class: 'mono', attributes: { tabindex: '0' } });
  readonly #cut = element('p', { class: 'quiet' });

  constructor(private readonly options: DetailsOptions) {
    const { strings } = options;
    this.#line.setAttribute('aria-label', strings.columns.line);
    this.#line.setAttribute('role', 'region');
    this.element = element(
      'section',
      { class: 'panel details', attributes: { 'aria-label': strings.details } },
      this.#head,
      this.#line,
      this.#cut,
      this.#fields,
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') options.closed();
    });
    this.element.hidden = true;
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  hide(): void {
    this.element.hidden = true;
  }

  /** @param row  undefined: not here yet */
  show(row: TraceRowModel | undefined, context: CellContext, isBookmarked: boolean): void {
    const { strings } = this.options;
    this.element.hidden = false;
    if (!row) {
      this.#head.replaceChildren(element('h2', { text: strings.loading }), this.#close());
      return;
    }
    // Whoever stands on one of the buttons stays there when the next row shows.
    const focused = [...this.#head.querySelectorAll('button')].findIndex(
      (each) => each === document.activeElement,
    );
    const operation = strings.operations[row.operation] ?? row.operation;
    const title = element(
      'h2',
      { class: `op-${row.operation}` },
      icon(pathOf(row.operation), 'mark'),
      `${strings.columns.row} ${grouped(row.row + 1)} · ${operation}`,
    );
    this.#head.replaceChildren(title, ...this.#actions(row, isBookmarked), this.#close());
    if (focused >= 0) [...this.#head.querySelectorAll('button')].at(focused)?.focus();
    this.#line.textContent = row.line;
    this.#cut.textContent = strings.lineCut;
    this.#cut.hidden = !row.cut;
    this.#fields.replaceChildren(
      ...fieldsOf(row, context).map(([name, value]) =>
        element('div', {}, element('dt', { text: name }), element('dd', { class: 'mono', text: value })),
      ),
    );
  }

  #actions(row: TraceRowModel, isBookmarked: boolean): readonly HTMLElement[] {
    const { strings, command, bookmark } = this.options;
    return [
      button(strings.replay, { act: () => command('replay', row) }),
      ...(row.iova === null ? [] : [button(strings.history, { act: () => command('history', row) })]),
      button(isBookmarked ? strings.unbookmark : strings.bookmark, { act: () => bookmark(row) }),
    ];
  }

  #close(): HTMLElement {
    return button(this.options.strings.close, { class: 'tool', icon: ICONS.close, act: this.options.closed });
  }
}

function fieldsOf(row: TraceRowModel, context: CellContext): readonly (readonly [string, string])[] {
  const { strings } = context;
  const { columns, fields, timeModes } = strings;
  const time = (mode: CellContext['time']): string => CELLS.time(row, { ...context, time: mode });
  const plain = (
    column: 'cpu' | 'device' | 'space' | 'event' | 'paddr' | 'flags',
  ): readonly [string, string] => [columns[column], CELLS[column](row, context)];
  const number = (name: string, value: number | null): readonly [string, string] => [
    name,
    value === null ? '' : grouped(value),
  ];
  const end =
    row.iova !== null && row.size !== null ? `0x${(BigInt(row.iova) + BigInt(row.size)).toString(16)}` : '';
  const size = row.size === null ? '' : `${CELLS.size(row, context)} (0x${row.size.toString(16)})`;
  return [
    [timeModes.absolute, time('absolute')] as const,
    [timeModes.relative, time('relative')] as const,
    [timeModes.delta, time('delta')] as const,
    plain('cpu'),
    [columns.task, row.task ?? ''] as const,
    [fields.pid, row.pid === null ? '' : String(row.pid)] as const,
    plain('device'),
    plain('space'),
    plain('event'),
    [columns.iova, row.iova === null ? '' : end === '' ? row.iova : `[${row.iova}, ${end})`] as const,
    [columns.size, size] as const,
    plain('paddr'),
    number(fields.domain, row.domain),
    number(fields.pasid, row.pasid),
    plain('flags'),
    [fields.done, row.done === null ? '' : `${grouped(row.done)} B`] as const,
    number(fields.count, row.count),
  ].filter(([, value]) => value !== '');
}
