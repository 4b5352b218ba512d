import { type ByteSource } from '../../bytes/byteSource';
import { failure, type Result, success } from '../../engine/result';
import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import {
  type Filled,
  type OpenTrace,
  type Position,
  type TraceProblem,
  type TraceReader,
} from '../model/reader';
import { type DatFile } from './traceDat/datFile';
import { Earliest } from './traceDat/earliest';
import { DatEvents } from './traceDat/events';
import { DatError, readBytes } from './traceDat/fileBytes';
import { TraceRecord } from './traceDat/record';
import { type RingPlace, RingReader } from './traceDat/ringPages';
import { isTraceDat, readStart, START_BYTES } from './traceDat/start';
import { readVersion6 } from './traceDat/version6';
import { readVersion7 } from './traceDat/version7';

const LOST = operationCode('lost');
/** Rows of a chunk: records are printed to be read, which takes longer than a line of text. */
const CHUNK_RECORDS = 16_384;
/** Of the pages that are held, one for each CPU: 65,536 of 4 KiB, and more than those of any machine with larger ones. */
const HELD_PAGES_BYTES = 256 * 2 ** 20;
/** Clocks that count nanoseconds (Linux Documentation/trace/ftrace.rst, trace_clock). */
const NANOSECOND_CLOCKS = new Set(['', 'local', 'global', 'mono', 'mono_raw', 'boot', 'tai', 'perf']);
const COPY_HINT =
  'Copy the file again, or record it again with trace-cmd record; trace-cmd report tells whether it is whole.';

/**
 * Files that trace-cmd writes, versions 6 and 7 (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)). What events hold and how they are
 * printed is taken from the formats in the file; what they mean, from the same rules as their text.
 */
export const traceDat: TraceReader = {
  format: 'trace.dat',
  title: 'trace.dat of trace-cmd',
  recognise: (head) => (isTraceDat(head) ? 1 : 0),
  open(source, names): Result<OpenTrace> {
    try {
      const start = readStart(readBytes(source, 0, Math.min(START_BYTES, source.size), 'the start'));
      const file = start.version === 6 ? readVersion6(source, start) : readVersion7(source, start);
      const events = new DatEvents(file.formats, names, !file.bigEndian);
      if (!events.usable) {
        return failure('trace/dat-formats', `${source.name} does not describe its events.`, COPY_HINT);
      }
      return success(new DatTrace(source, names, file, events));
    } catch (error) {
      if (!(error instanceof DatError)) throw error;
      return failure('trace/dat', `${source.name}: ${error.message} (offset ${error.offset}).`, COPY_HINT);
    }
  },
};

/** Where each CPU is: the same order as its buffers. */
interface DatState {
  readonly cpus: readonly RingPlace[];
}

class DatTrace implements OpenTrace {
  readonly format = traceDat.format;
  readonly title: string;
  readonly origin: bigint;
  readonly timeDigits = 9;
  readonly header: string;
  readonly start: Position = { offset: 0 };
  readonly problems: readonly TraceProblem[];
  readonly namesDevices: boolean;
  readonly #readers: readonly RingReader[];
  /** Where each CPU's pages begin, were all of them one file. */
  readonly #bases: readonly number[];
  readonly #total: number;
  readonly #record: TraceRecord;

  constructor(
    private readonly source: ByteSource,
    private readonly names: TraceNames,
    private readonly file: DatFile,
    private readonly events: DatEvents,
  ) {
    const { layout, bigEndian, version, clock, about } = file;
    const room = Math.floor(HELD_PAGES_BYTES / layout.bytes);
    const buffers = file.buffers.filter(({ pages }) => pages.bytes >= layout.bytes).slice(0, room);
    const [high, low] = firstTime(file);
    this.origin = BigInt(high) * 2n ** 32n + BigInt(low) + file.timeOffset;
    this.title = `trace.dat of trace-cmd, version ${version}${bigEndian ? ', big-endian' : ''}`;
    this.header = [...about, clock === '' ? '' : `clock ${clock}`].filter((line) => line !== '').join('\n');
    this.#record = new TraceRecord(!bigEndian);
    this.#readers = buffers.map(
      (buffer) => new RingReader(buffer, layout, !bigEndian, [high, low], this.#record),
    );
    let total = 0;
    this.#bases = buffers.map(({ pages }) => (total += pages.bytes) - pages.bytes);
    this.#total = total;
    this.problems = [...file.problems, ...this.#notes()];
    this.namesDevices = file.formats.some(({ system }) => system === 'dma');
  }

  *#notes(): Generator<TraceProblem> {
    const { clock, buffers, layout } = this.file;
    const there = buffers.filter(({ pages }) => pages.bytes >= layout.bytes).length;
    if (there > this.#readers.length) {
      yield {
        ...{ severity: 'error', code: 'trace/dat-cpus' },
        message: `${there} CPUs with pages of ${layout.bytes} bytes are more than can be read at once: the first ${this.#readers.length} are shown.`,
        hint: 'Record fewer instances, or with a smaller buffer_subbuf_size_kb.',
      };
    }
    const cut = buffers.filter(({ pages }) => pages.cut ?? pages.bytes % layout.bytes > 0);
    const [first] = cut;
    if (first) {
      const { pages, cpu } = first;
      const why = pages.cut?.message ?? `the last page has ${pages.bytes % layout.bytes} bytes`;
      yield {
        ...{ severity: 'error', code: 'trace/dat-cut', hint: COPY_HINT },
        message: `The pages of ${cut.length} ${cut.length === 1 ? 'CPU' : 'CPUs'} are not whole (CPU ${cpu}: ${why}); the whole pages before are shown.`,
        offset: pages.cut?.offset ?? this.source.size,
      };
    }
    if (NANOSECOND_CLOCKS.has(clock)) return;
    yield {
      ...{ severity: 'warning', code: 'trace/dat-clock' },
      message: `The clock was ${clock}, which does not count nanoseconds: times are its ticks.`,
      hint: 'Orders are right, lengths are not. Record with the clock local, global, mono or boot.',
    };
  }

  fill(from: Position, into: RowBuilder): Filled {
    const state = from.state as DatState | undefined;
    const readers = this.#readers;
    readers.forEach((reader, index) => {
      reader.seek(state?.cpus[index] ?? { page: 0, at: 0 });
    });
    const earliest = new Earliest(readers);
    for (let records = 0; records < CHUNK_RECORDS && earliest.first >= 0; records++) {
      if (into.rows + 2 > into.capacity) break;
      this.#add(earliest.first, into);
      earliest.moved();
    }
    const problems = [...this.#damage(from)];
    if (earliest.first < 0) return { problems };
    const cpus = readers.map((reader) => (reader.done ? { page: Infinity, at: 0 } : reader.place));
    const passed = readers.reduce(
      (sum, reader) => sum + (reader.done ? reader.buffer.pages.bytes : reader.passed),
      0,
    );
    // Of a packed file the share of its pages; always further on than before.
    const offset = Math.max(
      from.offset + 1,
      Math.floor((passed / Math.max(this.#total, 1)) * this.source.size),
    );
    return {
      next: {
        offset,
        state: { cpus: cpus.map(({ page, at }) => ({ page: Math.min(page, MOST_PAGE), at })) },
      },
      problems,
    };
  }

  /** What could not be read since the chunk began, of all CPUs together. */
  *#damage(from: Position): Generator<TraceProblem> {
    const damaged = this.#readers.reduce((sum, reader) => sum + reader.damaged, 0);
    if (damaged === 0) return;
    const faulty = this.#readers.flatMap(({ fault, buffer }) => (fault ? [{ fault, buffer }] : []));
    const [first] = faulty;
    const message = `${damaged} bytes of the recorded pages hold no events that can be read; they are left out`;
    yield {
      severity: 'error',
      code: 'trace/dat-page',
      message: first ? `${message} (CPU ${first.buffer.cpu}: ${first.fault.message}).` : `${message}.`,
      hint: COPY_HINT,
      offset: first?.fault.offset ?? from.offset,
    };
  }

  /** Adds the event that this reader stands at, and what was lost before it. */
  #add(index: number, into: RowBuilder): void {
    const reader = this.#readers[index];
    if (!reader) return;
    const { cpu } = reader.buffer;
    const offset = (this.#bases[index] ?? 0) + reader.passed;
    if (reader.lost !== 0) {
      const row = into.begin(offset, 0, LOST);
      into.time[row] = reader.time;
      into.cpu[row] = cpu;
      if (reader.lost > 0) into.count[row] = reader.lost;
    }
    reader.fill();
    const row = into.rows;
    this.events.row(this.#record, offset, into);
    into.time[row] = reader.time;
    into.cpu[row] = cpu;
    const pid = this.events.pid(this.#record);
    into.task[row] = this.names.tasks.id({ name: this.#command(pid), pid, tgid: null });
    reader.step();
  }

  #command(pid: number): string {
    return this.file.commands.get(pid) ?? '<...>';
  }

  /** As `trace-cmd report` prints it, but with what the event's format says where that tool gives up. */
  line(offset: number, length: number, limit: number): string {
    let index = this.#bases.length - 1;
    while (index > 0 && (this.#bases[index] ?? 0) > offset) index--;
    const reader = this.#readers[index];
    if (!reader) return '';
    const within = offset - (this.#bases[index] ?? 0);
    const page = Math.floor(within / this.file.layout.bytes);
    reader.seek({ page, at: within - page * this.file.layout.bytes });
    if (reader.fault) return `${reader.fault.message} (offset ${reader.fault.offset})`;
    if (reader.done) return '';
    if (length === 0)
      return `CPU:${reader.buffer.cpu} [LOST ${reader.lost > 0 ? `${reader.lost} ` : ''}EVENTS]`;
    reader.fill();
    return this.#print(reader).slice(0, limit);
  }

  #print({ time, buffer }: RingReader): string {
    const { name, payload } = this.events.print(this.#record);
    const pid = this.events.pid(this.#record);
    const micros = (this.origin + BigInt(Math.round(time)) + 500n) / 1000n;
    const seconds = String(micros / 1_000_000n).padStart(5);
    const stamp = `${seconds}.${String(micros % 1_000_000n).padStart(6, '0')}`;
    const task = `${this.#command(pid).padStart(16)}-${String(pid).padEnd(5)}`;
    const instance = buffer.instance === '' ? '' : `${buffer.instance}: `;
    const cpu = String(buffer.cpu).padStart(3, '0');
    return `${instance}${task} [${cpu}] ${stamp}: ${`${name}:`.padEnd(21)} ${payload}`;
  }
}

/** Behind the last page of anything. */
const MOST_PAGE = 2 ** 40;

/** The time of the earliest page, as two halves of 64 bits. */
function firstTime({ buffers, bigEndian, layout }: DatFile): [high: number, low: number] {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  let earliestTime: bigint | undefined;
  for (const { pages } of buffers) {
    if (pages.bytes < layout.bytes) continue;
    try {
      pages.read(0, bytes);
    } catch (error) {
      if (error instanceof DatError) continue;
      throw error;
    }
    const time = view.getBigUint64(0, !bigEndian);
    if (earliestTime === undefined || time < earliestTime) earliestTime = time;
  }
  const first = earliestTime ?? 0n;
  return [Number(first >> 32n), Number(first & 0xffff_ffffn)];
}
