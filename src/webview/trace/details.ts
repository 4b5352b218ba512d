import { type TraceCommand, type TraceRowModel } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element, icon } from '../shared/dom';
import { type CellContext, CELLS, grouped } from './cells';
import { button, ICONS } from './controls';
import { hitsIn, markHits } from './hits';
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
  readonly #title = element('h2');
  readonly #replay: HTMLButtonElement;
  readonly #history: HTMLButtonElement;
  readonly #bookmark: HTMLButtonElement;
  /** undefined: not here yet, and nothing can be done with it */
  #row: TraceRowModel | undefined;
  readonly #fields = element('dl');
  readonly #line = element('pre', { class: 'mono', attributes: { tabindex: '0' } });
  readonly #cut = element('p', { class: 'quiet' });

  constructor(private readonly options: DetailsOptions) {
    const { strings, command, bookmark } = options;
    const withRow = (act: (row: TraceRowModel) => void) => (): void => {
      if (this.#row) act(this.#row);
    };
    this.#replay = button(strings.replay, { act: withRow((row) => command('replay', row)) });
    this.#history = button(strings.history, {
      act: withRow((row) => row.iova !== null && command('history', row)),
    });
    this.#bookmark = button(strings.bookmark, { act: withRow(bookmark) });
    this.#line.setAttribute('aria-label', strings.columns.line);
    this.#line.setAttribute('role', 'region');
    this.element = element(
      'section',
      { class: 'panel details', attributes: { 'aria-label': strings.details } },
      element(
        'div',
        { class: 'panel-head' },
        ...[this.#title, this.#replay, this.#history, this.#bookmark],
        button(strings.close, { class: 'tool', icon: ICONS.close, act: options.closed }),
      ),
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

  /**
   * @param row     undefined: not here yet
   * @param wanted  a text that was searched for, in small letters; it is marked
   */
  show(row: TraceRowModel | undefined, context: CellContext, isBookmarked: boolean, wanted = ''): void {
    const { strings } = this.options;
    this.#row = row;
    this.element.hidden = false;
    // Never taken away: whoever stands on one of the buttons stays there when another row shows.
    this.#replay.setAttribute('aria-disabled', String(!row));
    this.#history.setAttribute('aria-disabled', String((row?.iova ?? null) === null));
    this.#bookmark.setAttribute('aria-disabled', String(!row));
    this.#bookmark.textContent = isBookmarked ? strings.unbookmark : strings.bookmark;
    const line = document.createTextNode(row?.line ?? '');
    this.#line.replaceChildren(line);
    markHits('found-line', hitsIn(line, wanted));
    this.#cut.textContent = strings.lineCut;
    this.#cut.hidden = !row?.cut;
    this.#fields.replaceChildren();
    this.#title.className = row ? `op-${row.operation}` : '';
    this.#title.replaceChildren(...(row ? [] : [strings.loading]));
    if (!row) return;
    const operation = strings.operations[row.operation] ?? row.operation;
    this.#title.append(
      icon(pathOf(row.operation), 'mark'),
      `${strings.columns.row} ${grouped(row.row + 1)} · ${operation}`,
    );
    this.#fields.append(
      ...fieldsOf(row, context).map(([name, value]) =>
        element('div', {}, element('dt', { text: name }), element('dd', { class: 'mono', text: value })),
      ),
    );
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
