import { READ_WRITE } from './entryClass';
import { ACCESSED as ACCESSED_MARK, DIRTY as DIRTY_MARK } from './runColumns';

/** log2 of the page sizes that are told apart: 4 KiB to 8 EiB. */
const LEAST_SHIFT = 12;
const SHIFTS = 52;
const MAX_DEPTH = 6;
const PERMISSIONS = 4;
const SIZES = MAX_DEPTH * SHIFTS;
/** Counts of pages by depth, page size and permission, kept sparsely; then of marked pages by depth and page size; then two. */
const ACCESSED = SIZES * PERMISSIONS;
const DIRTY = ACCESSED + SIZES;
export const PROBLEMS = DIRTY + SIZES;
export const UNREADABLE = PROBLEMS + 1;

/** Counts by row; most rows of most tables are 0. */
export type Counts = Map<number, number>;

export interface LeafCount {
  /** 1 = leaf-most. */
  readonly depth: number;
  /** log2 of the bytes of a page. */
  readonly pageShift: number;
  /** READ | WRITE, effective. */
  readonly permission: number;
  readonly leaves: number;
}

/** Marked pages of one size. */
export interface MarkCount {
  readonly depth: number;
  readonly pageShift: number;
  readonly accessed: number;
  readonly dirty: number;
}

/** The row that counts pages of a size and permission, in tables of a depth. */
export function rowOf(depth: number, pageShift: number, permission: number): number {
  const size = (depth - 1) * SHIFTS + Math.min(pageShift - LEAST_SHIFT, SHIFTS - 1);
  return size * PERMISSIONS + permission;
}

/** Counts like pages: of one row, with the same marks. */
export function addPages(counts: Counts, row: number, marks: number, pages: number): void {
  add(counts, row, pages);
  const size = Math.floor(row / PERMISSIONS);
  if ((marks & ACCESSED_MARK) !== 0) add(counts, ACCESSED + size, pages);
  if ((marks & DIRTY_MARK) !== 0) add(counts, DIRTY + size, pages);
}

/** The pages of the counts, by size and permission. */
export function leavesIn(counts: Counts): LeafCount[] {
  const leaves: LeafCount[] = [];
  for (const [row, count] of [...counts].sort(([a], [b]) => a - b)) {
    if (row >= ACCESSED) continue;
    const size = Math.floor(row / PERMISSIONS);
    leaves.push({
      depth: Math.floor(size / SHIFTS) + 1,
      pageShift: LEAST_SHIFT + (size % SHIFTS),
      permission: row % PERMISSIONS,
      leaves: count,
    });
  }
  return leaves;
}

/** The marked pages of the counts, by size. */
export function marksIn(counts: Counts): MarkCount[] {
  const marks: MarkCount[] = [];
  for (let size = 0; size < SIZES; size++) {
    const accessed = counts.get(ACCESSED + size) ?? 0;
    const dirty = counts.get(DIRTY + size) ?? 0;
    if (accessed + dirty === 0) continue;
    marks.push({
      depth: Math.floor(size / SHIFTS) + 1,
      pageShift: LEAST_SHIFT + (size % SHIFTS),
      accessed,
      dirty,
    });
  }
  return marks;
}

export function add(counts: Counts, row: number, value: number): void {
  counts.set(row, (counts.get(row) ?? 0) + value);
}

/** Adds the counts of a table below an entry that allows `permission`. */
export function addMasked(counts: Counts, below: Counts, permission: number): void {
  for (const [row, value] of below) {
    const leaf = row < ACCESSED;
    const effective = leaf ? row - (row % PERMISSIONS) + (row & permission & READ_WRITE) : row;
    add(counts, effective, value);
  }
}
