/**
 * What is known of a row, as numbers: NaN is absent. Addresses stand as page number and offset in the page, so that 64 bits
 * fit numbers exactly.
 */
export const COLUMNS = [
  /** Where the row's line or record begins in the source, and how many bytes it has (without the line's end). */
  'offset',
  'length',
  /** See operation.ts. */
  'operation',
  /** Number of the event's name. */
  'event',
  /** Nanoseconds since the trace's `origin`; may go back. */
  'time',
  'cpu',
  /** Numbers of task and device in the trace's names. */
  'task',
  'device',
  /** floor(iova / 4096), and iova mod 4096. */
  'iovaPage',
  'iovaOffset',
  /** Bytes; 2^64 is absent with the flag `global` or `domainWide`. */
  'size',
  'paddrPage',
  'paddrOffset',
  /** The number that hardware knows the domain by: DID, DomainID, ASID, VMID, PSCID. */
  'domain',
  'pasid',
  /** See FLAGS in operation.ts; absent is 0. */
  'flags',
  /** Bytes unmapped, when they are not `size`. */
  'done',
  /** Events lost, pages dirty, a fault's reason: what the operation counts or numbers. */
  'count',
] as const;

export type ColumnName = (typeof COLUMNS)[number];

/** Rows of a chunk at most: as many as are parsed in less than one slice of work. */
export const CHUNK_ROWS = 65_536;
/** Bytes of text of a chunk at most, for lines longer than lines should be. */
export const CHUNK_BYTES = 8 * 2 ** 20;

type Columns = { readonly [name in ColumnName]: Float64Array };

/** The chunk that is being read: a number for each row and column. Made once and used again. */
export class RowBuilder implements Columns {
  readonly offset = column();
  readonly length = column();
  readonly operation = column();
  readonly event = column();
  readonly time = column();
  readonly cpu = column();
  readonly task = column();
  readonly device = column();
  readonly iovaPage = column();
  readonly iovaOffset = column();
  readonly size = column();
  readonly paddrPage = column();
  readonly paddrOffset = column();
  readonly domain = column();
  readonly pasid = column();
  readonly flags = column();
  readonly done = column();
  readonly count = column();
  /** Rows so far: the index of the next. */
  rows = 0;

  get full(): boolean {
    return this.rows === CHUNK_ROWS;
  }

  /** Begins a row, all else of it absent. Only when not full. */
  begin(offset: number, length: number, operation: number): number {
    const row = this.rows++;
    this.offset[row] = offset;
    this.length[row] = length;
    this.operation[row] = operation;
    return row;
  }

  /** Makes every column absent that is in `used`, and begins anew. */
  clear(used: readonly ColumnName[] = COLUMNS): void {
    for (const name of used) this[name].fill(Number.NaN, 0, this.rows);
    this.rows = 0;
  }
}

const column = (): Float64Array => new Float64Array(CHUNK_ROWS).fill(Number.NaN);
