import { KERNEL_EVENTS } from '../events/kernel/index';
import { EventTable } from '../events/lookUp';
import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineFormat, type LineKind, type LineParser, type TextHead } from '../text/lineFormat';
import { LineScanner, literal } from '../text/lineScanner';
import { SliceTable } from '../text/sliceTable';
import { emptyContext, type FtraceContext, type FtraceLayout, readContext } from './ftraceContext';
import { utf8 } from '../text/utf8';
import { FtraceFast } from './ftraceFast';
import { originSecond } from './kernelRows';

/** The text of Linux's tracefs files trace and trace_pipe, with whatever options it was written. */
export const ftrace: LineFormat = {
  format: 'ftrace',
  title: 'ftrace text',
  recognise,
  parser: (head, names) => new FtraceParser(head, names),
};

const TITLES: Record<FtraceLayout, string> = {
  default: 'ftrace text',
  latency: 'ftrace text, latency format',
  bare: 'ftrace text without context',
};
const [OTHER, LOST] = [operationCode('other'), operationCode('lost')];
const [DMA_MAP, DMA_SYNC] = [operationCode('dma-map'), operationCode('dma-sync')];
const [SPACE, HASH, COLON, PLUS, LESS] = [0x20, 0x23, 0x3a, 0x2b, 0x3c];
const CPU = literal('CPU:');
const LOST_START = literal(' [LOST ');
const EVENTS_END = literal('EVENTS]');
const ENTRIES = literal('# entries-in-buffer/entries-written:');
const LATENCY = literal('# latency:');
const COUNT = literal(' #');
const SLASH = literal('/');
const STACK_ENTRY = literal(' => ');
const CALLED_BY = literal(' <-');
/** Bytes of an event's name at most. */
const NAME_BYTES = 64;

class FtraceParser implements LineParser {
  readonly title: string;
  readonly origin: bigint;
  readonly timeDigits: number;
  expected: number | undefined;
  readonly #layout: FtraceLayout;
  readonly #originSeconds: number;
  readonly #names: TraceNames;
  readonly #events: EventTable;
  readonly #tasks = new SliceTable();
  readonly #fast = new FtraceFast();
  readonly #scanner = new LineScanner();
  readonly #context = emptyContext();
  #devices: boolean;

  constructor(head: TextHead, names: TraceNames) {
    const { layout, seconds, ticks } = styleOf(head);
    this.#layout = layout;
    this.#originSeconds = originSecond(seconds);
    this.#names = names;
    this.#events = new EventTable(KERNEL_EVENTS, names);
    this.title = ticks ? `${TITLES[layout]}, clock without unit` : TITLES[layout];
    this.origin = BigInt(this.#originSeconds) * 1_000_000_000n;
    this.timeDigits = ticks ? 9 : 6;
    this.#devices = head.lines.some((line) => /\bdma_(map|unmap|sync)_\w+: /.test(line));
  }

  /** Only events of the DMA API say for which device something is mapped. */
  get namesDevices(): boolean {
    return this.#devices;
  }

  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind {
    const scanner = this.#scanner;
    scanner.reset(bytes, start, end);
    if (bytes[start] === HASH && start < end) return this.#comment(out, offset);
    const bare = this.#layout === 'bare' && this.#event(out, start, offset, undefined);
    if (bare) return 'row';
    scanner.at = start;
    const context = this.#readContext();
    if (this.#event(out, start, offset, context)) return 'row';
    if (context) return 'unknown';
    return this.#between(out, start, offset);
  }

  #readContext(): FtraceContext | undefined {
    const first = this.#layout === 'latency' ? 'latency' : 'default';
    const second = this.#layout === 'latency' ? 'default' : 'latency';
    const context = this.#context;
    const found = readContext(this.#scanner, first, context) || readContext(this.#scanner, second, context);
    return found ? context : undefined;
  }

  fast(bytes: Uint8Array, start: number, end: number, out: RowBuilder, base: number, until: number): number {
    if (this.#layout !== 'default') return start;
    return this.#fast.read(bytes, start, end, out, base, until, this.#originSeconds);
  }

  /** Reads what stands behind the context: the event's name, and what it says. */
  #event(out: RowBuilder, start: number, offset: number, context: FtraceContext | undefined): boolean {
    const scanner = this.#scanner;
    const { bytes, at, end } = scanner;
    const limit = Math.min(end, at + NAME_BYTES);
    let behind = at;
    while (behind < limit && isName(bytes[behind] ?? 0)) behind++;
    const named = behind > at && behind < end && bytes[behind] === COLON;
    // Without a context only what is known, or what follows the rule in a file that has none anywhere, is an event.
    const entry = !named
      ? undefined
      : context || this.#layout === 'bare'
        ? this.#events.entry(bytes, at, behind)
        : this.#events.find(bytes, at, behind);
    if (!entry) return context !== undefined && this.#plain(out, start, offset, context, behind);
    const { rule } = entry;
    const row = out.begin(offset, end - start, rule ? operationCode(rule.operation) : OTHER);
    out.event[row] = entry.id;
    if (context) this.#place(out, row, context);
    if (!rule) return true;
    scanner.at = behind + 1;
    scanner.spaces();
    if (!rule.read(scanner, out, row, this.#names)) {
      out.drop();
      return false;
    }
    if (context && this.#layout === 'default') {
      this.#fast.learn(bytes, start, context, out.task[row] ?? -1, this.#names);
    }
    const operation = out.operation[row] ?? 0;
    if (operation >= DMA_MAP && operation <= DMA_SYNC) this.#devices = true;
    return true;
  }

  /** Lines of other tracers, and prints of functions: `vfs_read <-ksys_read`, `probe+0x10/0x20: text`, `<stack trace>`. */
  #plain(out: RowBuilder, start: number, offset: number, context: FtraceContext, behind: number): boolean {
    const scanner = this.#scanner;
    const { bytes, end } = scanner;
    const stack = bytes[scanner.at] === LESS;
    const printed = behind > scanner.at && bytes[behind] === PLUS;
    scanner.at = behind;
    const called = behind < end && bytes[behind] === SPACE && scanner.skip(CALLED_BY);
    const event = stack ? '<stack trace>' : printed ? 'print' : called ? 'function' : undefined;
    if (event === undefined) return false;
    const row = out.begin(offset, end - start, OTHER);
    out.event[row] = this.#names.events.id(event);
    this.#place(out, row, context);
    return true;
  }

  /** Columns of the context. */
  #place(out: RowBuilder, row: number, context: FtraceContext): void {
    out.time[row] = (context.seconds - this.#originSeconds) * 1e9 + context.nanoseconds;
    out.cpu[row] = context.cpu;
    const { bytes } = this.#scanner;
    const { prefixStart, prefixEnd } = context;
    const known = this.#tasks.find(bytes, prefixStart, prefixEnd);
    out.task[row] = known >= 0 ? known : this.#task(bytes, context);
  }

  #task(bytes: Uint8Array, { commStart, commEnd, prefixStart, prefixEnd, pid, tgid }: FtraceContext): number {
    const name = utf8(bytes.subarray(commStart, commEnd));
    const id = this.#names.tasks.id({ name, pid, tgid: Number.isNaN(tgid) ? null : tgid });
    this.#tasks.add(bytes, prefixStart, prefixEnd, id);
    return id;
  }

  /** What stands between events: losses, beginnings of buffers, stacks. */
  #between(out: RowBuilder, start: number, offset: number): LineKind {
    const scanner = this.#scanner;
    scanner.at = start;
    scanner.spaces();
    if (scanner.done) return 'header';
    scanner.at = start;
    if (scanner.skip(CPU)) {
      const cpu = scanner.decimal();
      if (cpu >= 0 && scanner.skip(LOST_START)) {
        const count = scanner.decimal();
        scanner.spaces();
        if (!scanner.skip(EVENTS_END)) return 'unknown';
        const row = out.begin(offset, scanner.end - start, LOST);
        out.cpu[row] = cpu;
        out.count[row] = count;
        return 'row';
      }
    }
    if (!scanner.skip(STACK_ENTRY)) return 'unknown';
    const row = out.begin(offset, scanner.end - start, OTHER);
    out.event[row] = this.#names.events.id('<stack trace>');
    return 'row';
  }

  /** A comment. One tells how many events were written, and how many of them are left: the others, the oldest, are lost. */
  #comment(out: RowBuilder, offset: number): LineKind {
    const scanner = this.#scanner;
    const { at: start, end } = scanner;
    const latency = scanner.skip(LATENCY) && scanner.after(COUNT);
    if (!latency && !scanner.skip(ENTRIES)) return 'header';
    scanner.spaces();
    const left = scanner.decimal();
    if (!scanner.skip(SLASH)) return 'header';
    const written = scanner.decimal();
    if (!(left >= 0 && written >= left)) return 'header';
    this.expected = left;
    if (written === left) return 'header';
    out.count[out.begin(offset, end - start, LOST)] = written - left;
    return 'row';
  }
}

const isName = (byte: number): boolean =>
  (byte >= 0x61 && byte <= 0x7a) ||
  (byte >= 0x30 && byte <= 0x39) ||
  byte === 0x5f ||
  (byte >= 0x41 && byte <= 0x5a) ||
  byte === 0x2e;

const DEFAULT_LINE = /-\d+ +(\( *(\d+|-+)\) )?\[\d+\] (\S+ )? *(\d{1,20})(\.\d+)?: ?\S/;
const LATENCY_LINE = /^.{1,15}-\d+ +\d+\S{3,8} +\d+(us[^:]?)?: ?\S/;
const BARE_LINE = /^([A-Za-z_]\w*): ?/;

/** How the file's lines begin, and what their clock shows first. */
function styleOf({ lines }: TextHead): { layout: FtraceLayout; seconds: number; ticks: boolean } {
  for (const line of lines) {
    if (line.startsWith('#')) continue;
    const usual = DEFAULT_LINE.exec(line);
    if (usual)
      return {
        layout: 'default',
        seconds: usual[5] === undefined ? 0 : Number(usual[4]),
        ticks: usual[5] === undefined,
      };
    const latency = LATENCY_LINE.exec(line);
    if (latency) return { layout: 'latency', seconds: 0, ticks: latency[1] === undefined };
    const event = BARE_LINE.exec(line)?.[1];
    if (event !== undefined && KERNEL_EVENTS.has(event)) return { layout: 'bare', seconds: 0, ticks: false };
  }
  const art = lines.find((line) => /^# +(TASK-PID|cmd +pid)/.test(line));
  const layout =
    art === undefined && lines.some(isTracer)
      ? 'bare'
      : art?.includes('cmd') === true
        ? 'latency'
        : 'default';
  return { layout, seconds: 0, ticks: false };
}

const isTracer = (line: string): boolean => line.startsWith('# tracer:');

/** The share of lines that are of this form; trace-cmd's, which pads the names of events, is another's. */
function recognise({ lines }: TextHead): number {
  if (lines.some(isTracer)) return 1;
  if (/^(cpus=\d+|version = \d+)$/.test(lines[0] ?? '')) return 0;
  let [events, all] = [0, 0];
  // Only by its flags a line with a long name, which needs no padding, is not trace-cmd's.
  const flagged = lines.some((line) => DEFAULT_LINE.exec(line)?.[3] !== undefined);
  for (const line of lines) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    all++;
    const context = DEFAULT_LINE.test(line) || LATENCY_LINE.test(line);
    const bare = !context && KERNEL_EVENTS.has(BARE_LINE.exec(line)?.[1] ?? '');
    if (bare || (context && !/\d: \w+: {2}|\d: \w+:\w+:/.test(line))) events++;
    else if (/^CPU:\d+ \[LOST|^ => |^#+ CPU/.test(line)) events++;
  }
  return all === 0 ? 0 : ((flagged ? 0.99 : 0.95) * events) / all;
}
