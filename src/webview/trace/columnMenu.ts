import { TRACE_COLUMNS, type TraceColumn } from '../messages/traceColumns';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { button } from './controls';

export interface ColumnMenuOptions {
  readonly strings: TraceStrings;
  readonly isShown: (column: TraceColumn) => boolean;
  readonly show: (column: TraceColumn, isShown: boolean) => void;
}

/** A button that opens the list of columns, each of which is shown or hidden. */
export class ColumnMenu {
  readonly element: HTMLElement;
  readonly #list = element('div', { class: 'popup', attributes: { role: 'group', id: 'columns' } });
  readonly #button: HTMLButtonElement;
  #isOpen = false;

  constructor(private readonly options: ColumnMenuOptions) {
    const { strings } = options;
    this.#button = button(strings.showColumns, { act: () => this.#toggle(!this.#isOpen) });
    this.#button.setAttribute('aria-expanded', 'false');
    this.#button.setAttribute('aria-controls', 'columns');
    this.#list.setAttribute('aria-label', strings.showColumns);
    this.#list.hidden = true;
    this.element = element('div', { class: 'menu' }, this.#button, this.#list);
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#isOpen) return;
      this.#toggle(false);
      this.#button.focus();
    });
    this.element.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !this.element.contains(relatedTarget)) this.#toggle(false);
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (target instanceof Node && !this.element.contains(target)) this.#toggle(false);
    });
  }

  #toggle(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#list.hidden = !isOpen;
    this.#button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) this.#paint();
  }

  #paint(): void {
    const { strings, isShown, show } = this.options;
    this.#list.replaceChildren(
      ...TRACE_COLUMNS.map((column) => {
        const box = element('input', { attributes: { type: 'checkbox' } });
        box.checked = isShown(column);
        box.addEventListener('change', () => {
          show(column, box.checked);
          // The last one stays.
          box.checked = isShown(column);
        });
        return element('label', {}, box, strings.columns[column]);
      }),
      element('p', { class: 'quiet', text: strings.resizeColumn }),
    );
    this.#list.querySelector('input')?.focus();
  }
}
