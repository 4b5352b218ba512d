const STEPS: Readonly<Record<string, number>> = {
  ArrowRight: 1,
  ArrowDown: 1,
  ArrowLeft: -1,
  ArrowUp: -1,
};

/** Makes a group of elements one stop of the Tab key; arrow keys, Home and End move inside it. */
export class RovingFocus {
  #current = 0;

  constructor(private readonly items: readonly HTMLElement[]) {
    items.forEach((item, index) => {
      item.tabIndex = index === 0 ? 0 : -1;
      item.addEventListener('focus', () => this.makeCurrent(index));
      item.addEventListener('keydown', (event) => this.#onKey(event));
    });
  }

  /** The item that the Tab key reaches. */
  makeCurrent(index: number): void {
    const before = this.items[this.#current];
    const next = this.items[index];
    if (!next) return;
    if (before) before.tabIndex = -1;
    next.tabIndex = 0;
    this.#current = index;
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = STEPS[event.key];
    const last = this.items.length - 1;
    let index: number;
    if (step !== undefined) index = Math.min(last, Math.max(0, this.#current + step));
    else if (event.key === 'Home') index = 0;
    else if (event.key === 'End') index = last;
    else return;
    event.preventDefault();
    this.items[index]?.focus();
  }
}
