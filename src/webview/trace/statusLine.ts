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
  /** Rows that could not be had are to be asked for again. */
  readonly retry: () => void;
  /** What had the keyboard is gone. */
  readonly leave: () => void;
  readonly command: (command: 'stopReading' | 'readOn' | 'split') => void;
}

interface Part {
  readonly key: string;
  readonly text: string;
  /** It is a button. */
  readonly act?: () => void;
}

/** Below the grid: how many rows there are and how many the filter left, how far reading came, and what was not understood. */
export class StatusLine {
  readonly element: HTMLElement;
  /** For screen readers: what just happened. */
  readonly live = element('div', { class: 'sr-only', attributes: { role: 'status', 'aria-live': 'polite' } });
  readonly #shown = new Map<string, HTMLElement>();
  readonly #acts = new Map<string, () => void>();
  #timer = 0;

  constructor(private readonly options: StatusLineOptions) {
    this.element = element('div', {
      class: 'status',
      attributes: { role: 'group', 'aria-label': options.strings.status },
    });
    this.element.append(this.#legend());
  }

  /** Says something once; the same again is said again. */
  say(text: string): void {
    clearTimeout(this.#timer);
    this.live.textContent = '';
    this.#timer = setTimeout(() => (this.live.textContent = text), 30);
  }

  /**
   * @param filter   undefined: all rows show
   * @param problem  why rows do not show that should
   */
  show(summary: TraceSummaryModel, filter: FilterProgress | undefined, selected: number, problem = ''): void {
    const parts = this.#parts(summary, filter, selected, problem);
    const before = document.activeElement;
    for (const [key, part] of this.#shown)
      if (!parts.some((each) => each.key === key)) {
        part.remove();
        this.#shown.delete(key);
        if (part === before) this.options.leave();
      }
    // A part stays the same element while its text changes: a press on it goes on, and so does the keyboard.
    let at = this.element.firstElementChild;
    for (const { key, text, act } of parts) {
      const part = this.#shown.get(key) ?? this.#make(key, act !== undefined);
      if (act) this.#acts.set(key, act);
      if (part.textContent !== text) part.textContent = text;
      if (part === at) at = at.nextElementSibling;
      else this.element.insertBefore(part, at);
    }
  }

  #make(key: string, isButton: boolean): HTMLElement {
    const act = (): void => this.#acts.get(key)?.();
    const part = isButton ? button('', { class: 'link', act }) : element('span');
    this.#shown.set(key, part);
    return part;
  }

  /** What the colours of the strip stand for. */
  #legend(): HTMLElement {
    const { legend } = this.options.strings;
    return element(
      'span',
      { class: 'legend' },
      ...(['maps', 'unmaps', 'faults', 'others', 'bookmark'] as const).map((key) =>
        element('span', { class: `key-${key}`, text: legend[key] }),
      ),
    );
  }

  #parts(
    summary: TraceSummaryModel,
    filter: FilterProgress | undefined,
    selected: number,
    problem: string,
  ): readonly Part[] {
    const { strings, command, filter: use, showProblems, retry } = this.options;
    const { rows, unknown, lost, problemCount, complete, reading, read, bytes, namesDevices } = summary;
    const percent = (part: number, whole: number): number => Math.floor((100 * part) / Math.max(1, whole));
    const counted = rows === 1 ? strings.oneRow : fill(strings.rows, grouped(rows));
    const parts: Part[] = [
      {
        key: 'rows',
        text: filter ? fill(strings.rowsFiltered, grouped(filter.matched), grouped(rows)) : counted,
      },
    ];
    const add = (key: string, text: string, act?: () => void): void =>
      void parts.push({ key, text, ...(act && { act }) });
    if (filter && !filter.isDone) add('filtering', fill(strings.filtering, percent(filter.scanned, rows)));
    if (problem !== '') {
      add('problem', problem);
      add('retry', strings.retry, retry);
    }
    if (selected > 1) add('selected', fill(strings.selected, grouped(selected)));
    if (reading || !complete) {
      add('read', fill(reading ? strings.reading : strings.stopped, percent(read, bytes)));
      // One button, so that whoever pressed it still stands on one.
      if (reading) add('stop', strings.stopReading, () => command('stopReading'));
      else add('stop', strings.readOn, () => command('readOn'));
    }
    if (unknown > 0) add('unknown', fill(strings.unknown, grouped(unknown)), () => use('op = unknown'));
    if (lost > 0) add('lost', fill(strings.lost, grouped(lost)), () => use('op = lost'));
    if (problemCount > 0) add('problems', fill(strings.problems, grouped(problemCount)), showProblems);
    // Later rows may name them.
    if (!namesDevices && complete && rows > 0) {
      add('devices', strings.noDevices);
      add('split', strings.split, () => command('split'));
    }
    add('title', summary.title);
    return parts;
  }
}
