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

/**
 * Rows of a chunk at most. A chunk is read in one step, a slice of work of some 25 ms: readers whose rows take longer than those of
 * the quick way end a chunk sooner.
 */
export const CHUNK_ROWS = 65_536;
/** Bytes of text of a chunk at most, for lines longer than lines should be. */
export const CHUNK_BYTES = 8 * 2 ** 20;

type Columns = Readonly<Record<ColumnName, Float64Array>>;

/** The chunk that is being read: a number for each row and column. Made once and used again. */
export class RowBuilder implements Columns {
  readonly offset: Float64Array;
  readonly length: Float64Array;
  readonly operation: Float64Array;
  readonly event: Float64Array;
  readonly time: Float64Array;
  readonly cpu: Float64Array;
  readonly task: Float64Array;
  readonly device: Float64Array;
  readonly iovaPage: Float64Array;
  readonly iovaOffset: Float64Array;
  readonly size: Float64Array;
  readonly paddrPage: Float64Array;
  readonly paddrOffset: Float64Array;
  readonly domain: Float64Array;
  readonly pasid: Float64Array;
  readonly flags: Float64Array;
  readonly done: Float64Array;
  readonly count: Float64Array;
  /** Rows so far: the index of the next. */
  rows = 0;
  readonly capacity: number;

  constructor(capacity = CHUNK_ROWS) {
    const column = (): Float64Array => new Float64Array(capacity).fill(Number.NaN);
    this.capacity = capacity;
    this.offset = column();
    this.length = column();
    this.operation = column();
    this.event = column();
    this.time = column();
    this.cpu = column();
    this.task = column();
    this.device = column();
    this.iovaPage = column();
    this.iovaOffset = column();
    this.size = column();
    this.paddrPage = column();
    this.paddrOffset = column();
    this.domain = column();
    this.pasid = column();
    this.flags = column();
    this.done = column();
    this.count = column();
  }

  get full(): boolean {
    return this.rows === this.capacity;
  }

  /** Begins a row, all else of it absent. Only when not full. */
  begin(offset: number, length: number, operation: number): number {
    const row = this.rows++;
    this.offset[row] = offset;
    this.length[row] = length;
    this.operation[row] = operation;
    return row;
  }

  /** Takes back the row that was begun last. */
  drop(): void {
    const row = --this.rows;
    for (const name of COLUMNS) this[name][row] = Number.NaN;
  }

  /** Makes every column absent that is in `used`, and begins anew. */
  clear(used: readonly ColumnName[] = COLUMNS): void {
    for (const name of used) this[name].fill(Number.NaN, 0, this.rows);
    this.rows = 0;
  }
}
