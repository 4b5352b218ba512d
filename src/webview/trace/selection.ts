/** A range of rows of a view, between where it began and where the cursor is. */
export interface Selection {
  readonly anchor: number;
  readonly cursor: number;
}

export const firstOf = ({ anchor, cursor }: Selection): number => Math.min(anchor, cursor);
export const countOf = ({ anchor, cursor }: Selection): number => Math.abs(anchor - cursor) + 1;

/** With the cursor elsewhere; `extends` keeps where the range began. */
export const moved = (selection: Selection, cursor: number, isExtended: boolean): Selection => ({
  anchor: isExtended ? selection.anchor : cursor,
  cursor,
});

/** Inside a view of so many rows. */
export function within({ anchor, cursor }: Selection, total: number): Selection {
  const last = Math.max(0, total - 1);
  return { anchor: Math.min(anchor, last), cursor: Math.min(cursor, last) };
}
