import { FLAGS } from '../model/operation';

/** The columns that a row's range of pages is read from. */
export const RANGE_COLUMNS = [
  'operation',
  'iovaPage',
  'iovaOffset',
  'size',
  'paddrPage',
  'paddrOffset',
  'flags',
  'done',
] as const;

type RangeColumns = Readonly<Record<(typeof RANGE_COLUMNS)[number], Float64Array>>;

const PAGE = 4096;
/** Pages of 64 bits of addresses. */
const ALL_PAGES = 2 ** 52;

/** Why a row changes nothing: an error was returned; it has no range; the range is not whole pages of 4 KiB. */
export type Skipped = 'failed' | 'no-range' | 'unaligned';

/** Pages that a row is about, half-open. One object is used for all rows. */
export class RowRange {
  start = 0;
  end = 0;
  /** Frame of the first page; NaN when it is not known. */
  frame = Number.NaN;
  /** Pages that were asked for, when they are not as many as went: an unmap of which a part was done. */
  asked = 0;

  /** What a map, or a translation, says. A physical address that is no page's is not known. */
  mapped(columns: RangeColumns, row: number): Skipped | undefined {
    const skipped = this.#read(columns, row, numberOf(columns.size, row));
    if (skipped) return skipped;
    const offset = numberOf(columns.paddrOffset, row);
    this.frame = offset === 0 ? numberOf(columns.paddrPage, row) : Number.NaN;
    return undefined;
  }

  /** What an unmap did: less than it was asked to, or more, where a large page went whole. */
  unmapped(columns: RangeColumns, row: number): Skipped | undefined {
    const size = numberOf(columns.size, row);
    const skipped = this.#read(columns, row, size);
    if (skipped) return skipped;
    const done = numberOf(columns.done, row);
    this.asked = this.end - this.start;
    if (!Number.isNaN(done)) this.end = Math.min(this.start + Math.ceil(done / PAGE), ALL_PAGES);
    return undefined;
  }

  /** The pages that a translation, a flush or a fault touches; a size that is absent is one page. */
  touched(columns: RangeColumns, row: number): boolean {
    const page = numberOf(columns.iovaPage, row);
    if (Number.isNaN(page)) return false;
    const offset = numberOf(columns.iovaOffset, row) || 0;
    const bytes = offset + (numberOf(columns.size, row) || 1);
    this.start = page;
    this.end = Math.min(page + Math.ceil(bytes / PAGE), ALL_PAGES);
    this.frame = numberOf(columns.paddrPage, row);
    return true;
  }

  #read({ iovaPage, iovaOffset, flags }: RangeColumns, row: number, size: number): Skipped | undefined {
    if ((numberOf(flags, row) & FLAGS.failed) !== 0) return 'failed';
    const page = numberOf(iovaPage, row);
    if (Number.isNaN(page) || !(size > 0)) return 'no-range';
    if ((numberOf(iovaOffset, row) || 0) !== 0 || size % PAGE !== 0) return 'unaligned';
    this.start = page;
    this.end = Math.min(page + size / PAGE, ALL_PAGES);
    return undefined;
  }
}

const numberOf = (column: Float64Array, row: number): number => column[row] ?? Number.NaN;
