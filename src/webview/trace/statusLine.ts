import { type TraceSummaryModel } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { grouped } from './cells';
import { button } from './controls';

/** What the filter has done so far. */
export interface FilterProgress {
  readonly matched: number;
  readonly scanned: number;
  readonly isDone: boolean;
}

export interface StatusLineOptions {
  readonly strings: TraceStrings;
  readonly filter: (where: string) => void;
  readonly showProblems: () => void;
  readonly command: (command: 'stopReading' | 'readOn' | 'split') => void;
}

/** Below the grid: how many rows there are and how many the filter left, how far reading came, and what was not understood. */
export class StatusLine {
  readonly element: HTMLElement;
  /** For screen readers: what just happened. */
  readonly live = element('div', { class: 'sr-only', attributes: { role: 'status', 'aria-live': 'polite' } });
  #key = '';
  #timer = 0;

  constructor(private readonly options: StatusLineOptions) {
    this.element = element('div', {
      class: 'status',
      attributes: { role: 'group', 'aria-label': options.strings.status },
    });
  }

  /** Says something once; the same again is said again. */
  say(text: string): void {
    clearTimeout(this.#timer);
    this.live.textContent = '';
    this.#timer = setTimeout(() => (this.live.textContent = text), 30);
  }

  /** @param filter  undefined: all rows show */
  show(summary: TraceSummaryModel, filter: FilterProgress | undefined, selected: number): void {
    const parts = this.#parts(summary, filter, selected);
    const key = JSON.stringify(parts.map(([text]) => text));
    if (key === this.#key) return;
    this.#key = key;
    const focused = [...this.element.querySelectorAll('button')].findIndex(
      (each) => each === document.activeElement,
    );
    this.element.replaceChildren(
      ...parts.map(([text, act]) => (act ? button(text, { class: 'link', act }) : element('span', { text }))),
      this.#legend(),
    );
    if (focused >= 0) [...this.element.querySelectorAll('button')].at(focused)?.focus();
  }

  /** What the colours of the strip stand for. */
  #legend(): HTMLElement {
    const { legend } = this.options.strings;
    return element(
      'span',
      { class: 'legend' },
      ...(['maps', 'unmaps', 'faults', 'bookmark'] as const).map((key) =>
        element('span', { class: `key-${key}`, text: legend[key] }),
      ),
    );
  }

  #parts(
    summary: TraceSummaryModel,
    filter: FilterProgress | undefined,
    selected: number,
  ): readonly (readonly [string, (() => void)?])[] {
    const { strings, command, filter: use, showProblems } = this.options;
    const { rows, unknown, lost, problemCount, complete, reading, read, bytes, namesDevices } = summary;
    const percent = (part: number, whole: number): number => Math.floor((100 * part) / Math.max(1, whole));
    const parts: (readonly [string, (() => void)?])[] = [];
    if (filter) {
      parts.push([fill(strings.rowsFiltered, grouped(filter.matched), grouped(rows))]);
      if (!filter.isDone) parts.push([fill(strings.filtering, percent(filter.scanned, rows))]);
    } else parts.push([fill(strings.rows, grouped(rows))]);
    if (selected > 1) parts.push([fill(strings.selected, grouped(selected))]);
    if (reading)
      parts.push(
        [fill(strings.reading, percent(read, bytes))],
        [strings.stopReading, () => command('stopReading')],
      );
    else if (!complete)
      parts.push([fill(strings.stopped, percent(read, bytes))], [strings.readOn, () => command('readOn')]);
    if (unknown > 0) parts.push([fill(strings.unknown, grouped(unknown)), () => use('op = unknown')]);
    if (lost > 0) parts.push([fill(strings.lost, grouped(lost)), () => use('op = lost')]);
    if (problemCount > 0) parts.push([fill(strings.problems, grouped(problemCount)), showProblems]);
    if (!namesDevices && rows > 0) parts.push([strings.noDevices], [strings.split, () => command('split')]);
    parts.push([summary.title]);
    return parts;
  }
}
