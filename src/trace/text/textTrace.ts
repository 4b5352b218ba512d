import { type ByteSource } from '../../bytes/byteSource';
import { success } from '../../engine/result';
import { CHUNK_BYTES, RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type Filled, type OpenTrace, type Position, type TraceReader } from '../model/reader';
import { Blocks } from './blocks';
import { headBytes, markLength, textHead } from './head';
import { type LineFormat, type LineParser } from './lineFormat';
import { lineState, LineWatch } from './lineWatch';
import { utf8 } from './utf8';

/** A longer line is no line of a trace: it is kept, and not parsed. */
export const LONG_LINE = 65_536;
/** What is longer becomes several rows, so that a row is read in less than a slice of work. */
export const LONGEST_ROW = 16 * 2 ** 20;
/** Read at once when lines are shown or searched. */
const LINES_BYTES = 65_536;
/** Text of the first chunk: its rows are there at once. */
const FIRST_BYTES = 2 ** 20;
/** Of a chunk of a format that has no quick way: a line takes up to 15 µs, and a chunk is to be a slice of work. */
const GENERAL_BYTES = 2 ** 18;
/** Text in front of the rows that is kept. */
const HEADER_BYTES = 8192;
const [LINE_FEED, RETURN] = [0x0a, 0x0d];
const UNKNOWN = operationCode('unknown');
const LOST = operationCode('lost');

/** A reader of a format whose rows are lines. */
export const textReader = (format: LineFormat): TraceReader => ({
  format: format.format,
  title: format.title,
  recognise: (head, name) => format.recognise(textHead(head, name)),
  open: (source, names) => success(new TextTrace(format, source, names)),
});

/** The one loop over lines, for all formats. */
class TextTrace implements OpenTrace {
  readonly format: string;
  readonly title: string;
  readonly origin: bigint;
  readonly timeDigits: number;
  readonly namesDevices: boolean;
  readonly header: string;
  readonly start: Position;
  readonly problems = [];
  readonly #source: ByteSource;
  readonly #blocks: Blocks;
  readonly #parser: LineParser;
  readonly #window = new Uint8Array(LINES_BYTES);
  #windowStart = 0;
  #windowFilled = 0;

  constructor(format: LineFormat, source: ByteSource, names: TraceNames) {
    const head = headBytes(source);
    this.#source = source;
    this.#blocks = new Blocks(source);
    this.#parser = format.parser(textHead(head, source.name), names);
    this.format = format.format;
    this.title = this.#parser.title;
    this.origin = this.#parser.origin;
    this.timeDigits = this.#parser.timeDigits;
    this.namesDevices = this.#parser.namesDevices;
    this.start = { offset: markLength(head) };
    this.header = headerOf(head, this.start.offset, this.#parser);
  }

  fill(from: Position, into: RowBuilder): Filled {
    const watch = new LineWatch(into, lineState(from.state));
    this.#parser.restore?.(watch.parserState);
    this.#blocks.seek(from.offset);
    const next = this.#readLines(from.offset, into, watch);
    watch.times();
    const { end } = this.#blocks;
    if (next < end) {
      return { next: { offset: next, state: watch.save(this.#parser.save?.()) }, problems: watch.problems };
    }
    if (end < this.#source.size) watch.unreadable(end, this.#source.fault?.());
    else watch.end(this.#parser.expected);
    return { problems: watch.problems };
  }

  line(offset: number, length: number, limit: number): string {
    const wanted = Math.min(length, limit);
    if (wanted > this.#window.length) {
      const bytes = new Uint8Array(wanted);
      return utf8(bytes.subarray(0, this.#source.read(offset, bytes)));
    }
    // Lines are asked for one after the other, forwards and backwards: what stands around them is read with them.
    if (offset < this.#windowStart || offset + wanted > this.#windowStart + this.#windowFilled) {
      const back = offset < this.#windowStart ? this.#window.length - wanted : 0;
      this.#windowStart = Math.max(0, offset - back);
      this.#windowFilled = this.#source.read(this.#windowStart, this.#window);
    }
    const at = offset - this.#windowStart;
    return utf8(this.#window.subarray(at, Math.min(at + wanted, this.#windowFilled)));
  }

  /** Reads lines until the chunk is full; gives the offset behind the last. */
  #readLines(from: number, out: RowBuilder, watch: LineWatch): number {
    const blocks = this.#blocks;
    const parser = this.#parser;
    const { bytes } = blocks;
    const most = parser.fast ? CHUNK_BYTES : GENERAL_BYTES;
    const until = from + (from === this.start.offset ? Math.min(FIRST_BYTES, most) : most);
    let offset = from;
    while (offset < until && !out.full) {
      // A whole line stands in the window, if it is no longer than lines are.
      if (!blocks.last && blocks.start + blocks.filled - offset <= LONG_LINE + 1) blocks.moveTo(offset);
      const { start: base, filled } = blocks;
      let start = offset - base;
      if (start >= filled) break;
      if (watch.inLine) {
        offset = this.#longLine(offset, out, watch);
        continue;
      }
      if (parser.fast) {
        // Only whole blocks: what the fast way leaves is read by the other.
        start = parser.fast(bytes, start, filled, out, base, until - base);
        offset = base + start;
        if (out.rows === out.capacity || offset >= until || start >= filled) continue;
        if (filled - start <= LONG_LINE + 1 && !blocks.last) continue;
      }
      const feed = bytes.indexOf(LINE_FEED, start);
      const ended = feed >= 0 && feed < filled;
      const end = ended ? feed : filled;
      if (end - start > LONG_LINE) {
        offset = this.#longLine(offset, out, watch);
        continue;
      }
      const textEnd = ended && end > start && bytes[end - 1] === RETURN ? end - 1 : end;
      if (!ended) watch.openEnd(offset);
      if (parser.parse(bytes, start, textEnd, out, offset) === 'unknown') {
        watch.unknown(bytes, start, textEnd, offset, out.begin(offset, textEnd - start, UNKNOWN));
      }
      offset = base + end + (ended ? 1 : 0);
    }
    return offset;
  }

  /** Keeps a line that is too long to be one, or a piece of it; gives the offset behind it. */
  #longLine(offset: number, out: RowBuilder, watch: LineWatch): number {
    const blocks = this.#blocks;
    const longest = Math.min(offset + LONGEST_ROW, blocks.end);
    let at = offset;
    let ended = false;
    while (at < Math.min(longest, blocks.end) && !ended) {
      if (at >= blocks.start + blocks.filled) blocks.moveTo(at);
      const feed = blocks.bytes.subarray(0, blocks.filled).indexOf(LINE_FEED, at - blocks.start);
      ended = feed >= 0 && blocks.start + feed <= longest;
      at = ended ? blocks.start + feed : blocks.start + blocks.filled;
    }
    const end = Math.min(at, longest);
    watch.longLine(offset, end - offset, out.begin(offset, end - offset, UNKNOWN));
    watch.inLine = !ended;
    return ended ? end + 1 : end;
  }
}

/** The lines in front of the first event. Losses that a header tells of are rows, and their lines belong to it. */
function headerOf(head: Uint8Array, from: number, parser: LineParser): string {
  const rows = new RowBuilder(2);
  let start = from;
  while (start < Math.min(head.length, HEADER_BYTES)) {
    const feed = head.indexOf(LINE_FEED, start);
    const end = feed < 0 ? head.length : feed;
    const kind = parser.parse(head, start, end, rows, start);
    if (kind === 'unknown' || (kind === 'row' && rows.operation[0] !== LOST)) break;
    rows.clear();
    start = end + 1;
  }
  parser.restore?.(undefined);
  return utf8(head.subarray(from, Math.min(start, HEADER_BYTES, head.length))).replace(/\r/g, '');
}
