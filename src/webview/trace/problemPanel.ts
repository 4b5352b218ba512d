import { type TraceSummaryModel } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { grouped } from './cells';
import { button, ICONS } from './controls';

export interface ProblemPanelOptions {
  readonly strings: TraceStrings;
  readonly goTo: (row: number) => void;
  readonly closed: () => void;
}

/** What is wrong with the trace, with the row or the byte that it was met at. */
export class ProblemPanel {
  readonly element: HTMLElement;
  #key = '';
  readonly #list = element('ul', { attributes: { tabindex: '0' } });

  constructor(private readonly options: ProblemPanelOptions) {
    const { strings, closed } = options;
    this.#list.setAttribute('aria-label', strings.problemList);
    this.element = element(
      'section',
      { class: 'panel problems', attributes: { 'aria-label': strings.problemList } },
      element(
        'div',
        { class: 'panel-head' },
        element('h2', { text: strings.problemList }),
        button(strings.close, { class: 'tool', icon: ICONS.close, act: closed }),
      ),
      this.#list,
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') closed();
    });
    this.element.hidden = true;
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  hide(): void {
    this.element.hidden = true;
  }

  focus(): void {
    (this.#list.querySelector<HTMLElement>('.link') ?? this.#list).focus();
  }

  show({ problems, problemCount }: TraceSummaryModel): void {
    const { strings, goTo } = this.options;
    this.element.hidden = false;
    // Made anew, the list would take the keyboard from whoever stands in it.
    const key = JSON.stringify([problems, problemCount]);
    if (key === this.#key) return;
    this.#key = key;
    this.#list.replaceChildren(
      ...problems.map(({ severity, message, hint, row, offset }) => {
        const where =
          row !== undefined
            ? button(fill(strings.problemRow, grouped(row + 1)), { class: 'link', act: () => goTo(row) })
            : offset !== undefined && fill(strings.problemOffset, grouped(offset));
        const said = [`${strings.severities[severity]}:`, message, hint ?? ''].join(' ').trim();
        return element('li', { class: severity }, said, ' ', where);
      }),
      ...(problemCount > problems.length
        ? [element('li', { text: fill(strings.problemsMore, grouped(problemCount - problems.length)) })]
        : []),
    );
  }
}
