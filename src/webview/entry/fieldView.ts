import { type FieldChoice, type FieldKey } from './fieldChoice';

interface Shown {
  readonly key: FieldKey;
  readonly element: HTMLElement;
}

/** Ties the elements that stand for a field together: looking at one lights up all. */
export class FieldView {
  readonly #shown: Shown[] = [];

  constructor(
    private readonly choice: FieldChoice,
    private readonly copy: (key: FieldKey) => void,
  ) {}

  /** An element that lights up with its field and answers to the pointer. */
  add(key: FieldKey, element: HTMLElement): void {
    this.#shown.push({ key, element });
    // Not pointerenter: that comes too when the page scrolls under a pointer at rest while the keyboard is used.
    element.addEventListener('pointermove', () => this.choice.hover(key));
    element.addEventListener('pointerleave', () => this.choice.hover(undefined));
    element.addEventListener('click', () => this.choice.togglePin(key));
  }

  /** A button that stands for the field on the keyboard: focus shows it, Enter (a click) pins, C copies, Escape lets go. */
  addButton(key: FieldKey, button: HTMLElement): void {
    this.#shown.push({ key, element: button });
    button.setAttribute('aria-pressed', String(this.choice.isPinned(key)));
    button.addEventListener('focus', () => this.choice.focus(key));
    button.addEventListener('blur', () => this.choice.focus(undefined));
    button.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === 'c') this.copy(key);
      else if (event.key === 'Escape') this.choice.pin(undefined);
    });
  }

  /** Marks what is looked at and what is pinned. */
  paint(): void {
    for (const { key, element } of this.#shown) {
      const pinned = this.choice.isPinned(key);
      element.classList.toggle('active', this.choice.isActive(key));
      element.classList.toggle('pinned', pinned);
      if (element.hasAttribute('aria-pressed')) element.setAttribute('aria-pressed', String(pinned));
    }
  }
}
