import { EventTable } from '../events/lookUp';
import { QEMU_EVENTS } from '../events/qemu';
import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineFormat, type LineKind, type LineParser, type TextHead } from '../text/lineFormat';
import { LineScanner, latin1 } from '../text/lineScanner';

/** `PID@SECONDS.MICROSECONDS:event …`, with `-msg timestamp=on`; without it `event …`. */
const TIMED = /^\d{1,20}@(\d{1,20})\.(\d{1,9}):[A-Za-z_]\w*( |$)/;
const BARE = /^([A-Za-z]\w*_\w*)( |$)/;
const [AT, DOT, COLON, SPACE, UNDERSCORE] = [0x40, 0x2e, 0x3a, 0x20, 0x5f];
const SECOND = 1e9;
const NANO_DIGITS = 9;
/** QEMU's longest name is about 60 characters; it has some 6000 events. */
const LONGEST_NAME = 96;
const MOST_EVENTS = 8192;
const OTHER = operationCode('other');
const CODES = new Map([...QEMU_EVENTS.values()].map((rule) => [rule, operationCode(rule.operation)]));

/** What QEMU's `-trace` writes with its log backend: the IOMMU's events by their rules, all others as they are called. */
export const qemuLog: LineFormat = {
  format: 'qemu',
  title: 'QEMU trace log',

  recognise({ lines }) {
    let [sure, maybe] = [0, 0];
    for (const line of lines) {
      if (TIMED.test(line) || QEMU_EVENTS.has(BARE.exec(line)?.[1] ?? '')) sure++;
      else if (BARE.test(line)) maybe++;
    }
    return sure === 0 ? 0 : (sure + maybe / 2) / lines.length;
  },

  parser: (head, names) => new QemuLogParser(head, names),
};

class QemuLogParser implements LineParser {
  readonly title: string;
  readonly origin: bigint;
  readonly timeDigits: number;
  readonly namesDevices = true;
  readonly #second: number;
  readonly #names: TraceNames;
  readonly #events: EventTable;
  readonly #scanner = new LineScanner();
  /** The thread of the last line, and the number of its task. */
  #thread = Number.NaN;
  #task = Number.NaN;

  constructor(head: TextHead, names: TraceNames) {
    const first = head.lines.map((line) => TIMED.exec(line)).find((match) => match !== null);
    this.#second = Number(first?.[1] ?? 0);
    this.origin = BigInt(this.#second) * BigInt(SECOND);
    this.timeDigits = first?.[2]?.length ?? 0;
    this.title = first ? qemuLog.title : `${qemuLog.title}, without times`;
    this.#names = names;
    this.#events = new EventTable(QEMU_EVENTS, names);
  }

  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind {
    const scanner = this.#scanner;
    scanner.reset(bytes, start, end);
    const row = out.begin(offset, end - start, OTHER);
    if (this.#prefix(out, row) && this.#event(out, row, scanner.at > start)) return 'row';
    out.drop();
    return 'unknown';
  }

  /** Reads thread and time, when they are there. False when something else begins like them. */
  #prefix(out: RowBuilder, row: number): boolean {
    const scanner = this.#scanner;
    const { bytes } = scanner;
    const thread = scanner.decimal();
    if (Number.isNaN(thread)) return true;
    if (bytes[scanner.at] !== AT) return false;
    scanner.at++;
    const second = scanner.decimal();
    if (!(second >= 0) || bytes[scanner.at] !== DOT) return false;
    const first = ++scanner.at;
    const fraction = scanner.decimal();
    const digits = scanner.at - first;
    if (!(fraction >= 0) || digits > NANO_DIGITS || bytes[scanner.at] !== COLON) return false;
    scanner.at++;
    out.time[row] = (second - this.#second) * SECOND + fraction * 10 ** (NANO_DIGITS - digits);
    if (thread !== this.#thread) {
      this.#thread = thread;
      this.#task = this.#names.tasks.id({ name: '', pid: thread, tgid: null });
    }
    out.task[row] = this.#task;
    return true;
  }

  /** `timed`: the prefix says that an event comes; without it, an unknown word must look like the name of one. */
  #event(out: RowBuilder, row: number, timed: boolean): boolean {
    const scanner = this.#scanner;
    const { bytes, at: start, end } = scanner;
    let at = start;
    let underscore = timed;
    for (; at < end && bytes[at] !== SPACE; at++) {
      const byte = bytes[at] ?? 0;
      if (!isWordByte(byte)) return false;
      if (byte === UNDERSCORE) underscore = true;
    }
    if (at === start || at - start > LONGEST_NAME || !underscore) return false;
    const entry = this.#known(bytes, start, at);
    if (!entry) return false;
    out.event[row] = entry.id;
    scanner.at = Math.min(at + 1, end);
    if (!entry.rule) return true;
    out.operation[row] = CODES.get(entry.rule) ?? OTHER;
    return entry.rule.read(scanner, out, row, this.#names);
  }

  /** A file of noise has a new name in every line: those beyond what QEMU can have are not events. */
  #known(bytes: Uint8Array, start: number, end: number): ReturnType<EventTable['find']> {
    const known = this.#events.find(bytes, start, end);
    if (known) return known;
    const { events } = this.#names;
    if (events.size < MOST_EVENTS || events.find(latin1(bytes, start, end)) !== undefined) {
      return this.#events.entry(bytes, start, end);
    }
    return undefined;
  }
}

/** Of a C identifier. */
const isWordByte = (byte: number): boolean =>
  (byte >= 0x61 && byte <= 0x7a) ||
  byte === UNDERSCORE ||
  (byte >= 0x30 && byte <= 0x39) ||
  (byte >= 0x41 && byte <= 0x5a);
