import { KERNEL_EVENTS } from '../events/kernel/index';
import { type EventEntry, EventTable } from '../events/lookUp';
import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineScanner } from '../text/lineScanner';
import { SliceTable } from '../text/sliceTable';
import { utf8 } from '../text/utf8';

/** Seconds that fit a number of nanoseconds exactly, with room to grow; clocks of longer count from their first. */
const EXACT_SECONDS = 4_000_000;

/** The second that a trace counts from, by what its clock shows at the first event. */
export const originSecond = (first: number): number => (first > EXACT_SECONDS ? first : 0);

const OTHER = operationCode('other');

/** Where in a line's bytes the task stands, and what it is. */
export interface TaskPlace {
  commStart: number;
  commEnd: number;
  /** All bytes that tell the task, so that the same ones are the same task. */
  prefixStart: number;
  prefixEnd: number;
  pid: number;
  /** NaN when it was not recorded. */
  tgid: number;
}

/** Rows of kernel events in the text of a tool: what is the same behind whatever the lines begin with. */
export class KernelRows {
  readonly origin: bigint;
  readonly events: EventTable;
  readonly names: TraceNames;
  readonly #originSeconds: number;
  readonly #tasks = new SliceTable();

  /** `firstSecond`: what the clock shows at the first event. */
  constructor(firstSecond: number, names: TraceNames) {
    this.#originSeconds = originSecond(firstSecond);
    this.origin = BigInt(this.#originSeconds) * 1_000_000_000n;
    this.names = names;
    this.events = new EventTable(KERNEL_EVENTS, names);
  }

  /** Begins a row of the event; the scanner stands at its payload. False, and no row, when that is not as it should be. */
  event(scanner: LineScanner, out: RowBuilder, start: number, offset: number, entry: EventEntry): boolean {
    const { rule } = entry;
    const row = out.begin(offset, scanner.end - start, rule ? operationCode(rule.operation) : OTHER);
    out.event[row] = entry.id;
    if (!rule || rule.read(scanner, out, row, this.names)) return true;
    out.drop();
    return false;
  }

  /** When and where: columns of the row begun last. */
  place(out: RowBuilder, seconds: number, nanoseconds: number, cpu: number): void {
    const row = out.rows - 1;
    out.time[row] = (seconds - this.#originSeconds) * 1e9 + nanoseconds;
    out.cpu[row] = cpu;
  }

  /** Who: the task of the row begun last. */
  task(bytes: Uint8Array, out: RowBuilder, place: TaskPlace): void {
    const { prefixStart, prefixEnd, pid, tgid } = place;
    const known = this.#tasks.find(bytes, prefixStart, prefixEnd);
    if (known >= 0) {
      out.task[out.rows - 1] = known;
      return;
    }
    const name = utf8(bytes.subarray(place.commStart, place.commEnd));
    const id = this.names.tasks.id({ name, pid, tgid: Number.isNaN(tgid) ? null : tgid });
    this.#tasks.add(bytes, prefixStart, prefixEnd, id);
    out.task[out.rows - 1] = id;
  }
}

/** True when the head has an event that says for which device something is mapped. */
export const namesDevices = (lines: readonly string[]): boolean =>
  lines.some((line) =>
    /\b(dma_(map|unmap|sync|alloc|free)_?\w*|(bounce_)?(un)?map_(single|sg)): /.test(line),
  );
