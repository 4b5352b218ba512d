import { FLAGS } from '../model/operation';
import { type TraceTable } from '../model/table';
import {
  ChunkRows,
  contextOf,
  DMA_MAP,
  DMA_UNMAP,
  MAP,
  operationCounts,
  ROWS_PER_YIELD,
  UNMAP,
} from './chunkRows';
import { type DeviceIdentity } from './deviceIdentity';
import { RANGE_COLUMNS, RowRange } from './rowRange';
import { putSpace, type SpaceIndex } from './spaceIndex';

/** Rows of one CPU and task that may be waiting for the event that names their device. */
const MOST_WAITING = 1024;
/** Tasks and CPUs that are kept at the same time. */
const MOST_CONTEXTS = 65_536;
const COLUMNS = [...RANGE_COLUMNS, 'cpu', 'task', 'device'] as const;

/** A row without a device, and its pages. */
interface Waiting {
  readonly chunk: number;
  /** In its chunk. */
  readonly row: number;
  readonly unmaps: boolean;
  readonly start: number;
  readonly end: number;
}

/** What one task does on one CPU, interrupts included: they may come between any two rows. */
interface Context {
  waiting: Waiting[];
  /** An event has announced an unmap that is not there yet: of these pages, or of some. */
  announced: { readonly space: number; readonly start: number; readonly end: number } | undefined;
}

/**
 * Puts a space on the map and unmap rows that an event of the DMA API belongs to: the same CPU and task, and the rows' pages in
 * its buffer. Linux tells of a buffer after it has mapped it (kernel/dma/mapping.c), and of one that it unmaps afterwards, but
 * of scatter lists before, and without an IOVA. True when there are such events.
 */
export function* readDmaHints(
  table: TraceTable,
  index: SpaceIndex,
  devices: DeviceIdentity,
): Generator<number, boolean> {
  const counts = operationCounts(table);
  if ((counts[DMA_MAP] ?? 0) + (counts[DMA_UNMAP] ?? 0) === 0 || (counts[MAP] ?? 0) === 0) return false;
  const hints = new DmaHints(index, devices);
  const rows = new ChunkRows(COLUMNS);
  for (let chunk = 0; chunk < table.chunks.length; chunk++) {
    rows.load(table, chunk);
    for (let from = 0; from < rows.rows; from += ROWS_PER_YIELD) {
      const to = Math.min(rows.rows, from + ROWS_PER_YIELD);
      hints.read(rows, chunk, from, to);
      yield to - from;
    }
  }
  return true;
}

class DmaHints {
  readonly #index: SpaceIndex;
  readonly #devices: DeviceIdentity;
  readonly #contexts = new Map<number, Context>();
  readonly #range = new RowRange();

  constructor(index: SpaceIndex, devices: DeviceIdentity) {
    this.#index = index;
    this.#devices = devices;
  }

  read({ columns }: ChunkRows<(typeof COLUMNS)[number]>, chunk: number, from: number, to: number): void {
    const { operation, device, flags } = columns;
    for (let row = from; row < to; row++) {
      const code = operation[row] ?? 0;
      if (code !== MAP && code !== UNMAP && code !== DMA_MAP && code !== DMA_UNMAP) continue;
      const context = this.#context(contextOf(columns, row));
      if (code === MAP || code === UNMAP) {
        const skipped = code === MAP ? this.#range.mapped(columns, row) : this.#range.unmapped(columns, row);
        if (!skipped) this.#wait(context, chunk, row, code === UNMAP);
        continue;
      }
      const named = device[row] ?? Number.NaN;
      if (Number.isNaN(named)) continue;
      const touched = this.#range.touched(columns, row);
      const list = ((flags[row] ?? 0) & FLAGS.list) !== 0;
      if (code === DMA_MAP && touched) this.#named(context, named, false, list);
      else if (code === DMA_UNMAP && !(touched && this.#named(context, named, true, list))) {
        const { start, end } = touched ? this.#range : { start: 0, end: Infinity };
        context.announced = { space: this.#devices.space(named), start, end };
      }
    }
  }

  #context(key: number): Context {
    const known = this.#contexts.get(key);
    if (known) return known;
    if (this.#contexts.size === MOST_CONTEXTS) this.#contexts.clear();
    const made: Context = { waiting: [], announced: undefined };
    this.#contexts.set(key, made);
    return made;
  }

  #wait(context: Context, chunk: number, row: number, unmaps: boolean): void {
    const { start, end } = this.#range;
    const { announced, waiting } = context;
    if (unmaps && announced && start < announced.end && end > announced.start) {
      putSpace(this.#index.chunk(chunk), row, announced.space);
      context.announced = undefined;
      return;
    }
    if (waiting.length === MOST_WAITING) context.waiting = waiting.slice(MOST_WAITING / 2);
    context.waiting.push({ chunk, row, unmaps, start, end });
  }

  /** The waiting rows whose pages meet the range get the device; of a list, those that go on from its first address. */
  #named(context: Context, device: number, unmaps: boolean, list: boolean): boolean {
    const { start, end } = this.#range;
    let next = start;
    const belongs = (each: Waiting): boolean => {
      if (each.unmaps !== unmaps) return false;
      // A kernel of larger pages maps more than the buffer.
      if (each.start < end && each.end > start) {
        next = Math.max(next, each.end);
        return true;
      }
      if (!list || each.start !== next) return false;
      next = each.end;
      return true;
    };
    // The latest only: the same pages may wait for an event that was lost.
    const latest = new Map<number, Waiting>();
    for (const each of context.waiting) if (belongs(each)) latest.set(each.start, each);
    if (latest.size === 0) return false;
    const space = this.#devices.space(device);
    for (const { chunk, row } of latest.values()) putSpace(this.#index.chunk(chunk), row, space);
    context.waiting = context.waiting.filter((each) => each.unmaps !== unmaps || !latest.has(each.start));
    return true;
  }
}
