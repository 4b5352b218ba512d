import { type Path, type TextRange } from '../source/node';

/** A value of a text that may not be YAML yet. */
export type LooseNode = LooseScalar | LooseMap | LooseList;

interface Placed {
  readonly path: Path;
  readonly start: number;
  end: number;
}

export interface LooseScalar extends Placed {
  readonly kind: 'scalar';
  readonly text: string;
}

export interface LooseMap extends Placed {
  readonly kind: 'map';
  readonly entries: { readonly key: string; readonly range: TextRange; value: LooseNode | undefined }[];
}

export interface LooseList extends Placed {
  readonly kind: 'list';
  readonly items: (LooseNode | undefined)[];
}

/** Where someone writes. */
export interface Cursor extends TextRange {
  /** key: of the map in which a key is written; else of the place of the value. */
  readonly path: Path;
  /** both: a value, or the first key of a map; item: an element of a list, which begins by "- ", or a key of `map`. */
  readonly at: 'key' | 'value' | 'both' | 'item';
  /** Of the line’s block. */
  readonly column: number;
  /** The map, where it is there: the keys that it has already. */
  readonly map: LooseMap | undefined;
  /** A colon stands behind the word already. */
  readonly colon: boolean;
  /** Inside of { } or [ ]. */
  readonly flow: boolean;
  /** There is a space between the colon and the value. */
  readonly spaced: boolean;
}

export interface LooseText {
  readonly root: LooseNode | undefined;
  /** Absent inside of comments, long texts, and where nothing can be said. */
  readonly cursor: Cursor | undefined;
}

/** Without its quotes, the last of which may not be there yet. */
export function unquoted(written: string): string {
  const quote = written.charAt(0);
  if (quote !== '"' && quote !== "'") return written;
  const closed = written.length > 1 && written.endsWith(quote);
  return written.slice(1, closed ? -1 : undefined);
}
