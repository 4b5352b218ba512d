/** Way to a value within a scenario: keys and places in lists. */
export type Path = readonly (string | number)[];

/** Where a value stands in the text: offsets, half-open, and its line from 1. */
export interface Place {
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

/** Says where the values of a scenario stand in the text that they came from. */
export interface Places {
  of(path: Path): Place;
}

/** Something that is not as the scenario says. */
export interface Mismatch {
  /** Below whatever looked at it: a step, an `expect`. */
  readonly at: Path;
  /** `lost`, `entries[0].dirty`. */
  readonly what: string;
  /** Short texts with units. */
  readonly expected: string;
  readonly actual: string;
}

/** The mismatch as whoever holds the value at `path` sees it. */
export const below = (path: Path, mismatch: Mismatch): Mismatch => ({
  ...mismatch,
  at: [...path, ...mismatch.at],
});

/** `entries[0].dirty` */
export const nameOf = (path: Path): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`),
    '',
  );
