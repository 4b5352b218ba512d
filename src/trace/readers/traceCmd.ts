import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineFormat, type LineKind, type LineParser, type TextHead } from '../text/lineFormat';
import { LineScanner, literal } from '../text/lineScanner';
import { emptyContext, readContext } from './ftraceContext';
import { KernelRows, namesDevices } from './kernelRows';

/** The text that `trace-cmd report` prints of a trace.dat, with and without flags (`latency`), in microseconds or nanoseconds. */
export const traceCmd: LineFormat = {
  format: 'trace-cmd',
  title: 'trace-cmd report',
  recognise,
  parser: (head, names) => new TraceCmdParser(head, names),
};

const [OTHER, LOST] = [operationCode('other'), operationCode('lost')];
const [COLON, NAME_BYTES] = [0x3a, 64];
const [CPU, OPEN, DROPPED, ANY_DROPPED] = [
  literal('CPU:'),
  literal(' ['),
  literal(' EVENTS DROPPED]'),
  literal('EVENTS DROPPED]'),
];
const STACK_ENTRY = literal('=> ');
/** Lines in front of the events: `cpus=2`, `version = 7`, `CPU 1 is empty`. */
const HEADERS = [literal('cpus='), literal('version = '), literal('CPU '), literal('cpu ')];

class TraceCmdParser implements LineParser {
  readonly title: string;
  readonly origin: bigint;
  readonly timeDigits: number;
  readonly namesDevices: boolean;
  readonly #rows: KernelRows;
  readonly #scanner = new LineScanner();
  readonly #context = emptyContext();

  constructor({ lines }: TextHead, names: TraceNames) {
    const first = lines.map((line) => EVENT.exec(line)).find((match) => match !== null);
    this.#rows = new KernelRows(Number(first?.[1] ?? 0), names);
    this.origin = this.#rows.origin;
    this.timeDigits = first?.[2]?.length ?? 6;
    this.title = this.timeDigits === 9 ? 'trace-cmd report, nanoseconds' : 'trace-cmd report';
    this.namesDevices = namesDevices(lines);
  }

  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind {
    const scanner = this.#scanner;
    scanner.reset(bytes, start, end);
    const context = this.#context;
    if (!readContext(scanner, 'default', context) && !readContext(scanner, 'latency', context)) {
      return this.#between(out, start, offset);
    }
    const { at } = scanner;
    let behind = at;
    while (behind < end && behind - at < NAME_BYTES && isName(bytes[behind] ?? 0)) behind++;
    if (behind === at || behind === end || bytes[behind] !== COLON) return 'unknown';
    scanner.at = behind + 1;
    scanner.spaces();
    const entry = this.#rows.events.entry(bytes, at, behind);
    if (!this.#rows.event(scanner, out, start, offset, entry)) return 'unknown';
    this.#rows.place(out, context.seconds, context.nanoseconds, context.cpu);
    this.#rows.task(bytes, out, context);
    return 'row';
  }

  /** What is no event: losses, stacks, what stands in front. Losses: trace-cmd's tracecmd/trace-read.c. */
  #between(out: RowBuilder, start: number, offset: number): LineKind {
    const scanner = this.#scanner;
    scanner.at = start;
    if (scanner.skip(CPU)) {
      const cpu = scanner.decimal();
      if (!(cpu >= 0) || !scanner.skip(OPEN)) return 'unknown';
      const count = scanner.decimal();
      if (!scanner.skip(Number.isNaN(count) ? ANY_DROPPED : DROPPED)) return 'unknown';
      const row = out.begin(offset, scanner.end - start, LOST);
      out.cpu[row] = cpu;
      out.count[row] = count;
      return 'row';
    }
    for (const header of HEADERS) if (scanner.skip(header)) return 'header';
    scanner.spaces();
    if (scanner.done) return 'header';
    if (!scanner.skip(STACK_ENTRY)) return 'unknown';
    const row = out.begin(offset, scanner.end - start, OTHER);
    out.event[row] = this.#rows.names.events.id('<stack trace>');
    return 'row';
  }
}

const isName = (byte: number): boolean =>
  (byte >= 0x61 && byte <= 0x7a) ||
  (byte >= 0x30 && byte <= 0x39) ||
  byte === 0x5f ||
  (byte >= 0x41 && byte <= 0x5a);

/** Events are padded to 20 characters, and a space or more behind the time. */
const EVENT = /-\d+ +(?:\[\d+\]|\d+\S{3,8}) (?:\S+ )? *(\d{1,20})\.(\d{6}|\d{9}): +\w+:/;
const PADDED = /: +\w+: {2,}\S|: +\w{19,}: \S/;
const FRONT = /^(cpus=\d+|version = \d+)$/;

/** The share of lines that are events padded as trace-cmd does; beyond doubt when the number of CPUs stands in front. */
function recognise({ lines }: TextHead): number {
  const said = lines.filter((line) => line.trim() !== '');
  const events = said.filter((line) => EVENT.test(line) && PADDED.test(line)).length;
  const others = said.filter((line) => FRONT.test(line) || /^CPU:?\d* |^ *=> /i.test(line)).length;
  if (said.length === 0) return 0;
  if (FRONT.test(said[0] ?? '')) return said.length === others || events > 0 ? 1 : 0;
  return events === 0 ? 0 : (0.98 * (events + others)) / said.length;
}
