import { type DatCursor, DatError } from './fileBytes';
import { type EventFormat, parseEventFormat, parseField } from './eventFormat';
import { type PageLayout } from './datFile';

/** Counts in a file are not believed beyond what kernels have. */
const MOST_EVENTS = 100_000;
const MOST_CPUS = 65_536;
const PAGE_HEADER_BYTES = 65_536;
const MOST_PAGE_BYTES = 2 ** 24;

/** `header_page` and `header_event` (HEADER INFO SECTION of trace-cmd.dat.v6 and v7). */
export function readHeaderInfo(cursor: DatCursor, pageSize: number): PageLayout {
  const name = cursor.string();
  if (name !== 'header_page') throw cursor.error('it does not begin with header_page');
  const text = cursor.text(Math.min(cursor.u64(), PAGE_HEADER_BYTES));
  const event = cursor.string();
  if (event !== 'header_event') throw cursor.error('header_event is missing');
  cursor.take(cursor.u64());
  const fields = text.split('\n').flatMap((line) => parseField(line) ?? []);
  const commit = fields.find((field) => field.name === 'commit');
  const data = fields.find((field) => field.name === 'data');
  if (!commit || !data || ![4, 8].includes(commit.size) || data.offset < commit.offset + commit.size) {
    throw cursor.error('header_page does not say where a page holds its events');
  }
  const bytes = data.offset + data.size;
  // The buffers' pages may be larger than the machine's (Linux 6.9, buffer_subbuf_size_kb).
  const whole = Math.max(bytes, bytes % 4096 === 0 ? bytes : pageSize);
  if (whole > MOST_PAGE_BYTES || bytes < 64) throw cursor.error(`pages of ${whole} bytes are impossible`);
  return {
    bytes: whole,
    commit: commit.offset,
    commitBytes: commit.size,
    data: data.offset,
  };
}

/** FTRACE EVENT FORMATS: formats one after the other. */
export function readFtraceEvents(cursor: DatCursor): EventFormat[] {
  return readFormats(cursor, 'ftrace', cursor.u32());
}

/** EVENT FORMATS: for each system its name and formats. */
export function readEventSystems(cursor: DatCursor): EventFormat[] {
  const systems = cursor.u32();
  if (systems > MOST_EVENTS) throw cursor.error(`${systems} systems are impossible`);
  const formats: EventFormat[] = [];
  for (let index = 0; index < systems; index++) {
    const system = cursor.string();
    formats.push(...readFormats(cursor, system, cursor.u32()));
  }
  return formats;
}

function readFormats(cursor: DatCursor, system: string, count: number): EventFormat[] {
  if (count > MOST_EVENTS) throw cursor.error(`${count} events are impossible`);
  const formats: EventFormat[] = [];
  for (let index = 0; index < count; index++) {
    const format = parseEventFormat(system, cursor.text(cursor.u64()));
    if (format) formats.push(format);
  }
  return formats;
}

/** The number of CPUs that something was recorded on. */
export function readCpuCount(cursor: DatCursor): number {
  const cpus = cursor.u32();
  if (cpus > MOST_CPUS) throw cursor.error(`${cpus} CPUs are impossible`);
  return cpus;
}

/** SAVED COMMAND LINES: a pid and a name a line. */
export function readCommands(cursor: DatCursor): Map<number, string> {
  const commands = new Map<number, string>([[0, '<idle>']]);
  const text = cursor.text(cursor.u64()).replace(/\0+$/, '');
  for (const line of text.split('\n')) {
    const [, pid, name] = /^\s*(\d+)\s(.*)$/.exec(line) ?? [];
    if (pid !== undefined && name !== undefined) commands.set(Number(pid), name);
  }
  return commands;
}

/** The offset that an OFFSET option adds to times: decimal or hexadecimal nanoseconds. */
export function timeOffset(text: string): bigint {
  const [, sign, digits] = /^\s*(-?)(0x[0-9a-fA-F]+|\d+)/.exec(text) ?? [];
  if (digits === undefined) return 0n;
  const value = BigInt.asIntN(64, BigInt(digits));
  return sign === '-' ? -value : value;
}

export const textOf = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, Math.min(end < 0 ? bytes.length : end, 1024)));
};

export const REST_HINT = 'The rest is read. Was the file copied whole?';

/** What could not be read, as a problem of the trace. */
export const problemOf = (error: unknown, code: string, hint: string) => {
  if (!(error instanceof DatError)) throw error;
  return { severity: 'warning' as const, code, message: `${error.message}.`, hint, offset: error.offset };
};
