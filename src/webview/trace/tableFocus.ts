/** Makes the buttons of a table one stop of the Tab key; arrow keys move between its rows and along them, Home and End to their ends. */
export class TableFocus {
  #row = 0;
  #column = 0;

  constructor(private readonly rows: readonly (readonly HTMLElement[])[]) {
    rows.forEach((items, row) =>
      items.forEach((item, column) => {
        item.tabIndex = row === 0 && column === 0 ? 0 : -1;
        item.addEventListener('focus', () => this.#makeCurrent(row, column));
        item.addEventListener('keydown', (event) => this.#onKey(event));
      }),
    );
  }

  /** The place of the button that has the keyboard. */
  get focused(): { readonly row: number; readonly column: number } | undefined {
    const item = this.rows[this.#row]?.[this.#column];
    return item && item === document.activeElement ? { row: this.#row, column: this.#column } : undefined;
  }

  /** The nearest that there is. */
  focus(row: number, column: number): void {
    const items = this.rows[Math.min(this.rows.length - 1, Math.max(0, row))];
    items?.[Math.min(items.length - 1, Math.max(0, column))]?.focus();
  }

  #makeCurrent(row: number, column: number): void {
    const before = this.rows[this.#row]?.[this.#column];
    if (before) before.tabIndex = -1;
    this.#row = row;
    this.#column = column;
    const now = this.rows[row]?.[column];
    if (now) now.tabIndex = 0;
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [this.#row - 1, this.#column],
      ArrowDown: [this.#row + 1, this.#column],
      ArrowLeft: [this.#row, this.#column - 1],
      ArrowRight: [this.#row, this.#column + 1],
      Home: [0, this.#column],
      End: [this.rows.length - 1, this.#column],
    };
    const to = moves[event.key];
    if (!to) return;
    event.preventDefault();
    this.focus(...to);
  }
}
