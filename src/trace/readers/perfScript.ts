import { KERNEL_SYSTEMS } from '../events/kernel/index';
import { type EventEntry } from '../events/lookUp';
import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineFormat, type LineKind, type LineParser, type TextHead } from '../text/lineFormat';
import { latin1, LineScanner, literal } from '../text/lineScanner';
import { KernelRows, namesDevices, type TaskPlace } from './kernelRows';

/** The text that `perf script` prints of a perf.data. */
export const perfScript: LineFormat = {
  format: 'perf',
  title: 'perf script',
  recognise,
  parser: (head, names) => new PerfParser(head, names),
};

const LOST = operationCode('lost');
const [SPACE, TAB, COLON, HASH, POINT, SLASH] = [0x20, 0x09, 0x3a, 0x23, 0x2e, 0x2f];
const [OPEN, CLOSE, MINUS] = [0x5b, 0x5d, 0x2d];
/** How far from its beginning a line's time stands at most: names of tasks are short. */
const FRONT_BYTES = 128;
const [RECORD_LOST, LOST_COUNT, LOST_LINE] = [
  literal('PERF_RECORD_LOST'),
  literal('lost '),
  literal('LOST '),
];
const [EVENTS, PROCESSED] = [literal(' events'), literal('Processed ')];
/** Letters behind the name of an event that is no tracepoint: `cycles:P`. */
const MODIFIERS = /^[ukhpPGHSDWIeb]{1,8}$/;

interface Front extends TaskPlace {
  cpu: number;
  seconds: number;
  nanoseconds: number;
}

class PerfParser implements LineParser {
  readonly title = 'perf script';
  readonly origin: bigint;
  readonly timeDigits: number;
  readonly namesDevices: boolean;
  readonly #rows: KernelRows;
  readonly #scanner = new LineScanner();
  readonly #front: Front = {
    commStart: 0,
    commEnd: 0,
    prefixStart: 0,
    prefixEnd: 0,
    pid: 0,
    tgid: Number.NaN,
    cpu: Number.NaN,
    seconds: 0,
    nanoseconds: 0,
  };

  constructor({ lines }: TextHead, names: TraceNames) {
    const first = lines.map((line) => EVENT.exec(line)).find((match) => match !== null);
    this.#rows = new KernelRows(Number(first?.[1] ?? 0), names);
    this.origin = this.#rows.origin;
    this.timeDigits = first?.[2]?.length ?? 6;
    this.namesDevices = namesDevices(lines);
  }

  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind {
    const scanner = this.#scanner;
    scanner.reset(bytes, start, end);
    if (start === end || bytes[start] === HASH) return 'header';
    const front = this.#front;
    if (!readFront(scanner, front)) return this.#between(out, start, offset);
    if (scanner.skip(RECORD_LOST)) {
      scanner.after(LOST_COUNT);
      out.count[out.begin(offset, end - start, LOST)] = scanner.decimal();
    } else {
      const entry = this.#event();
      if (!entry || !this.#rows.event(scanner, out, start, offset, entry)) return 'unknown';
    }
    this.#rows.place(out, front.seconds, front.nanoseconds, front.cpu);
    this.#rows.task(bytes, out, front);
    return 'row';
  }

  /** `[period ]system:event: `; the scanner stands at the payload afterwards. */
  #event(): EventEntry | undefined {
    const scanner = this.#scanner;
    const { bytes, at } = scanner;
    if (Number.isNaN(scanner.decimal()) || (scanner.at < scanner.end && bytes[scanner.at] !== SPACE))
      scanner.at = at;
    else scanner.spaces();
    const start = scanner.at;
    let behind = start;
    let system = -1;
    while (behind < scanner.end && bytes[behind] !== SPACE) {
      if (bytes[behind] === COLON && system < 0) system = behind;
      behind++;
    }
    const last = behind - 1;
    if (last <= start || bytes[last] !== COLON) return undefined;
    scanner.at = behind;
    scanner.spaces();
    const { events } = this.#rows;
    if (system === last) return events.entry(bytes, start, last);
    const name = system + 1;
    if (KERNEL_SYSTEMS.has(latin1(bytes, start, system))) return events.entry(bytes, name, last);
    const isModified = MODIFIERS.test(latin1(bytes, name, Math.min(last, name + 16)));
    const text = latin1(bytes, isModified ? start : name, last);
    return { rule: undefined, id: this.#rows.names.events.id(text) };
  }

  /** What is no event: losses, and lines of the event before: its call chain, and the empty line behind that. */
  #between(out: RowBuilder, start: number, offset: number): LineKind {
    const scanner = this.#scanner;
    const { bytes, end } = scanner;
    scanner.at = start;
    if (scanner.skip(LOST_LINE)) {
      const count = scanner.decimal();
      if (!(count >= 0) || !scanner.skip(EVENTS)) return 'unknown';
      out.count[out.begin(offset, end - start, LOST)] = count;
      return 'row';
    }
    // Of chunks it is not known how many events they had.
    if (scanner.skip(PROCESSED) && scanner.after(literal(' lost '))) {
      out.begin(offset, end - start, LOST);
      return 'row';
    }
    scanner.at = start;
    scanner.spaces();
    if (scanner.done) return 'header';
    const indented = bytes[start] === SPACE || bytes[start] === TAB;
    return indented && scanner.address() && (scanner.at >= end || bytes[scanner.at] === SPACE)
      ? 'header'
      : 'unknown';
  }
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/**
 * `comm  pid[/tid] [cpu] seconds.fraction: `, read back from the time, because a name may hold anything. Leaves the scanner behind
 * the spaces. Source: Linux tools/perf/builtin-script.c, perf_sample__fprintf_start.
 */
function readFront(scanner: LineScanner, into: Front): boolean {
  const { bytes, at: start } = scanner;
  const limit = Math.min(scanner.end, start + FRONT_BYTES);
  for (let colon = start + 4; colon < limit; colon++) {
    if (bytes[colon] !== COLON || !isDigit(bytes[colon - 1])) continue;
    const point = digitsBefore(bytes, start, colon);
    const count = colon - point;
    if (bytes[point - 1] !== POINT || (count !== 6 && count !== 9)) continue;
    const whole = digitsBefore(bytes, start, point - 1);
    if (whole === point - 1 || bytes[whole - 1] !== SPACE || !readTask(scanner, start, whole - 1, into))
      continue;
    scanner.at = whole;
    into.seconds = scanner.decimal();
    if (Number.isNaN(into.seconds)) continue;
    scanner.at = point;
    into.nanoseconds = scanner.decimal() * 10 ** (9 - count);
    scanner.at = colon + 1;
    scanner.spaces();
    return true;
  }
  scanner.at = start;
  return false;
}

/** Reads `comm  pid[/tid] [cpu]` in [start, end), back from its end. */
function readTask(scanner: LineScanner, start: number, end: number, into: Front): boolean {
  const { bytes } = scanner;
  let behind = spacesBefore(bytes, start, end);
  into.cpu = Number.NaN;
  if (behind > start && bytes[behind - 1] === CLOSE) {
    const first = digitsBefore(bytes, start, behind - 1);
    if (first === behind - 1 || bytes[first - 1] !== OPEN) return false;
    scanner.at = first;
    into.cpu = scanner.decimal();
    behind = spacesBefore(bytes, start, first - 1);
  }
  const tid = digitsBefore(bytes, start, behind);
  if (tid === behind || tid === start) return false;
  // The task without a process has the number -1.
  const first = bytes[tid - 1] === MINUS ? tid - 1 : tid;
  scanner.at = first;
  into.pid = scanner.decimal();
  if (Number.isNaN(into.pid)) return false;
  into.tgid = Number.NaN;
  into.prefixStart = start;
  into.prefixEnd = behind;
  let commEnd = first;
  if (bytes[first - 1] === SLASH) {
    const digits = digitsBefore(bytes, start, first - 1);
    if (digits < first - 1) {
      const pid = bytes[digits - 1] === MINUS ? digits - 1 : digits;
      scanner.at = pid;
      into.tgid = scanner.decimal();
      commEnd = pid;
    }
  }
  if (commEnd === start || bytes[commEnd - 1] !== SPACE) return false;
  into.commEnd = spacesBefore(bytes, start, commEnd);
  into.commStart = start;
  while (into.commStart < into.commEnd && bytes[into.commStart] === SPACE) into.commStart++;
  return true;
}

/** Where the digits begin that end at `end`: `end` when there are none. */
function digitsBefore(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isDigit(bytes[at - 1])) at--;
  return at;
}

function spacesBefore(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && bytes[at - 1] === SPACE) at--;
  return at;
}

const EVENT =
  /^ *\S.{0,60}? +-?\d+(?:\/-?\d+)? +(?:\[\d+\] +)?(\d{1,20})\.(\d{6}|\d{9}): +(?:\d+ +)?(?:PERF_RECORD_|[\w.-]+:[\w:.-]*:? )/;
const CHAIN = /^[ \t]+[0-9a-f]{4,16} /;

/** The share of lines that are samples of perf, or belong to one. */
function recognise({ lines }: TextHead): number {
  const said = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const events = said.filter((line) => EVENT.test(line)).length;
  if (events === 0) return 0;
  const others = said.filter((line) => CHAIN.test(line) || /^LOST \d+ events/.test(line)).length;
  return (0.97 * (events + others)) / said.length;
}
