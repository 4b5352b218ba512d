/** A field of the shown entry: word, and index among the word's fields. */
export interface FieldKey {
  readonly word: number;
  readonly field: number;
}

const same = (a: FieldKey | undefined, b: FieldKey | undefined): boolean =>
  a?.word === b?.word && a?.field === b?.field;

/** Which field the user looks at: under the pointer before focused before pinned. */
export class FieldChoice {
  #hovered: FieldKey | undefined;
  #focused: FieldKey | undefined;
  #pinned: FieldKey | undefined;
  readonly #listeners: (() => void)[] = [];

  get active(): FieldKey | undefined {
    return this.#hovered ?? this.#focused ?? this.#pinned;
  }

  get pinned(): FieldKey | undefined {
    return this.#pinned;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  hover(key: FieldKey | undefined): void {
    if (same(key, this.#hovered)) return;
    this.#hovered = key;
    this.#changed();
  }

  focus(key: FieldKey | undefined): void {
    if (same(key, this.#focused)) return;
    this.#focused = key;
    // The keyboard takes over from a pointer that rests somewhere.
    if (key) this.#hovered = undefined;
    this.#changed();
  }

  /** Pins a field, or lets it go when it was pinned. */
  togglePin(key: FieldKey): void {
    this.pin(same(key, this.#pinned) ? undefined : key);
  }

  pin(key: FieldKey | undefined): void {
    this.#pinned = key;
    this.#changed();
  }

  isActive(key: FieldKey): boolean {
    return same(key, this.active);
  }

  isPinned(key: FieldKey): boolean {
    return same(key, this.#pinned);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
