import type { TraceGroupBy } from '../../inspection/protocol';
import { bytesText } from '../messages/resultsFormat';
import { type TraceGroupModel } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { grouped } from './cells';
import { button, choice, ICONS } from './controls';
import { type HostLink } from './hostLink';
import { TableFocus } from './tableFocus';

/** Stands for the rows that do not say. */
const NAMELESS = '–';

export interface GroupPanelOptions {
  readonly strings: TraceStrings;
  readonly link: HostLink;
  /** The filter is to leave this group alone. */
  readonly filter: (where: string) => void;
  /** The cursor is to go to a row of the trace. */
  readonly goTo: (row: number) => void;
  readonly closed: () => void;
  readonly say: (text: string) => void;
}

/** The rows that the filter left, counted by device, task, size and so on; a group can become the filter. */
export class GroupPanel {
  readonly element: HTMLElement;
  readonly #select: HTMLSelectElement;
  readonly #content = element('div', {
    class: 'scroller',
    attributes: { tabindex: '0', role: 'region' },
  });
  #by: TraceGroupBy = 'device';
  #groups: TraceGroupModel[] = [];
  #asked = 0;
  #focus: TableFocus | undefined;
  /** Counted before all of the trace was read. */
  #isPart = false;
  #isReading = false;
  readonly #note: HTMLElement;

  constructor(private readonly options: GroupPanelOptions) {
    const { strings } = options;
    this.#select = choice(strings.groupBy, strings.groups, this.#by, (by) => this.show(by));
    this.#note = element('p', { class: 'quiet note', text: strings.groupSoFar });
    this.#note.hidden = true;
    this.element = element(
      'section',
      { class: 'panel groups', attributes: { 'aria-label': strings.group } },
      element(
        'div',
        { class: 'panel-head' },
        element('h2', { text: strings.group }),
        this.#select,
        button(strings.close, { class: 'tool', icon: ICONS.close, act: options.closed }),
      ),
      this.#note,
      this.#content,
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') options.closed();
    });
    this.element.hidden = true;
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  get by(): TraceGroupBy {
    return this.#by;
  }

  /** More of the trace was read, or all of it: then it is counted again. */
  useReading(isReading: boolean): void {
    this.#isReading = isReading;
    if (isReading || !this.#isPart) return;
    this.#isPart = false;
    if (!this.isOpen) return;
    this.options.link.cancel(this.#asked);
    this.#ask(null, true);
  }

  focus(): void {
    this.#select.focus();
  }

  hide(): void {
    this.element.hidden = true;
    this.options.link.cancel(this.#asked);
  }

  /** Counts again what there is now. */
  show(by: TraceGroupBy = this.#by): void {
    this.#by = by;
    this.#select.value = by;
    this.#content.setAttribute(
      'aria-label',
      `${this.options.strings.groupBy}: ${this.options.strings.groups[by]}`,
    );
    this.element.hidden = false;
    this.options.link.cancel(this.#asked);
    this.#ask(null);
  }

  /** @param isAgain  what shows stays until it is counted */
  #ask(cursor: string | null, isAgain = false): void {
    const { link, strings } = this.options;
    const by = this.#by;
    const before = cursor === null ? [] : this.#groups;
    if (this.#isReading) this.#isPart = true;
    if (cursor === null && !isAgain) this.#content.replaceChildren(element('p', { text: strings.loading }));
    this.#asked = link.ask({ type: 'groups', by, cursor }, 'groups', (answer, failure) => {
      if (failure) this.#content.replaceChildren(element('p', { class: 'problem', text: failure.message }));
      else if (answer?.by === by) {
        const at = this.#focus?.focused;
        const wantsMore = cursor !== null && this.#content.contains(document.activeElement);
        this.#groups = [...before, ...answer.rows];
        this.#paint(answer.next);
        if (at) this.#focus?.focus(at.row, at.column);
        else if (wantsMore) this.#focus?.focus(before.length, 0);
      }
    });
  }

  #paint(next: string | null): void {
    const { strings } = this.options;
    this.#note.hidden = !this.#isPart;
    this.#focus = undefined;
    if (this.#groups.length === 0) {
      this.#content.replaceChildren(element('p', { text: strings.groupNone }));
      return;
    }
    const columns = strings.groupColumns;
    const heads = [strings.groups[this.#by], columns.rows, columns.maps, columns.unmaps, columns.mapped];
    const most = Math.max(...this.#groups.map(({ rows }) => rows));
    const rows = this.#groups.map((group) => this.#row(group, most));
    const table = element(
      'table',
      {},
      element('caption', { class: 'sr-only', text: `${strings.group}: ${strings.groups[this.#by]}` }),
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          ...[...heads, columns.first, columns.last].map((text) =>
            element('th', { text, attributes: { scope: 'col' } }),
          ),
        ),
      ),
      element('tbody', {}, ...rows),
    );
    this.#content.replaceChildren(table);
    this.#focus = new TableFocus(rows.map((row) => [...row.querySelectorAll<HTMLElement>('.link')]));
    if (next !== null) this.#content.append(button(strings.groupMore, { act: () => this.#ask(next) }));
  }

  #row(group: TraceGroupModel, most: number): HTMLElement {
    const { strings, filter, goTo } = this.options;
    const name = button(group.value || NAMELESS, { class: 'link mono', act: () => filter(group.where) });
    name.setAttribute('aria-label', fill(strings.groupFilter, group.value || NAMELESS));
    name.title = fill(strings.groupFilter, group.value || NAMELESS);
    const bar = element('span', { class: 'bar' });
    bar.style.width = `${(group.rows / most) * 100}%`;
    const row = (index: number): HTMLElement =>
      button(grouped(index + 1), { class: 'link', act: () => goTo(index) });
    return element(
      'tr',
      {},
      element('th', { attributes: { scope: 'row' } }, name),
      element('td', { class: 'counted' }, bar, element('span', { text: grouped(group.rows) })),
      ...[group.maps, group.unmaps].map((count) => element('td', { text: grouped(count) })),
      element('td', { text: bytesText(group.mappedBytes) }),
      element('td', {}, row(group.firstRow)),
      element('td', {}, row(group.lastRow)),
    );
  }
}
