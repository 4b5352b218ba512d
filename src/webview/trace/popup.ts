import { element } from '../shared/dom';
import { button } from './controls';

export interface PopupOptions {
  readonly label: string;
  readonly id: string;
  /** What it shows, made anew each time that it opens. */
  readonly content: (close: () => void) => readonly HTMLElement[];
}

/** A button that opens a small panel below itself; Escape, and what happens elsewhere, closes it. */
export class Popup {
  readonly element: HTMLElement;
  readonly #panel: HTMLElement;
  readonly #button: HTMLButtonElement;
  #isOpen = false;

  constructor(private readonly options: PopupOptions) {
    const { label, id } = options;
    this.#panel = element('div', { class: 'popup', attributes: { role: 'group', id, 'aria-label': label } });
    this.#button = button(label, { act: () => this.#toggle(!this.#isOpen) });
    this.#button.setAttribute('aria-controls', id);
    this.element = element('div', { class: 'menu' }, this.#button, this.#panel);
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#isOpen) this.#close();
    });
    this.element.addEventListener('focusout', ({ relatedTarget }) => this.#closeFor(relatedTarget));
    document.addEventListener('pointerdown', ({ target }) => this.#closeFor(target));
    this.#toggle(false);
  }

  /** Whoever was in it stands on the button. */
  #close(): void {
    this.#toggle(false);
    this.#button.focus();
  }

  #closeFor(target: EventTarget | null): void {
    if (this.#isOpen && target instanceof Node && !this.element.contains(target)) this.#toggle(false);
  }

  #toggle(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#panel.hidden = !isOpen;
    this.#button.setAttribute('aria-expanded', String(isOpen));
    if (!isOpen) return;
    this.#panel.replaceChildren(...this.options.content(() => this.#close()));
    this.#panel.querySelector<HTMLElement>('input, button')?.focus();
  }
}
