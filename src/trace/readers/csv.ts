import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineFormat, type LineKind, type LineParser, type TextHead } from '../text/lineFormat';
import { LineScanner } from '../text/lineScanner';
import { SliceTable } from '../text/sliceTable';
import { utf8 } from '../text/utf8';
import { type Field, type Pending } from './fieldRules';
import { digitsOf, nanosecondsOf, originOf } from './fieldTexts';
import { NamedFields, namesDevice, sureOfColumns, timeUnit } from './namedFields';

const DELIMITERS = [',', '\t', ';'] as const;
const QUOTE = '"';
const QUOTE_BYTE = 0x22;
/** Texts of cells that are kept. */
const REMEMBERED = 65_536;
/** A record over several lines has no more of them, and no more characters: behind that a quote was forgotten. */
const RECORD_LINES = 64;
const RECORD_LENGTH = 65_536;
const UNKNOWN = operationCode('unknown');

/**
 * CSV (RFC 4180) and TSV with a line of column names: those of our own export, and what other tools call them. Addresses have `0x`
 * or are decimal; the column of times may have its unit in its name (`time_ns`).
 */
export const csv: LineFormat = {
  format: 'csv',
  title: 'CSV',

  recognise(head) {
    const columns = columnsOf(head);
    return columns === undefined ? 0 : sureOfColumns(columns.names);
  },

  parser: (head, names) => new CsvParser(head, names),
};

interface Columns {
  readonly line: string;
  readonly delimiter: string;
  readonly names: readonly string[];
}

/** Lines in front of the column names: empty, or a comment. */
const isPreface = (line: string): boolean => line === '' || line.startsWith('#');

function columnsOf({ lines }: TextHead): Columns | undefined {
  const line = lines.find((text) => !isPreface(text));
  const delimiter = DELIMITERS.find((text) => line?.includes(text) === true);
  if (line === undefined || delimiter === undefined) return undefined;
  const names = cellsOf(line, delimiter);
  return names && { line, delimiter, names };
}

/** The cells of a record; undefined when a quote is open at its end. */
export function cellsOf(record: string, delimiter: string): string[] | undefined {
  if (!record.includes(QUOTE)) return record.split(delimiter);
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    let cell: string;
    if (record[at] === QUOTE) {
      const close = closingQuote(record, at + 1);
      if (close < 0) return undefined;
      cell = record.slice(at + 1, close).replaceAll('""', QUOTE);
      at = close + 1;
      // Behind the closing quote nothing should stand before the delimiter; what does is kept.
      const next = nextDelimiter(record, delimiter, at);
      cell += record.slice(at, next);
      at = next;
    } else {
      const next = nextDelimiter(record, delimiter, at);
      cell = record.slice(at, next);
      at = next;
    }
    cells.push(cell);
    if (at >= record.length) return cells;
    at += delimiter.length;
  }
}

function nextDelimiter(record: string, delimiter: string, from: number): number {
  const next = record.indexOf(delimiter, from);
  return next < 0 ? record.length : next;
}

function closingQuote(record: string, from: number): number {
  for (let at = record.indexOf(QUOTE, from); at >= 0; at = record.indexOf(QUOTE, at + 2)) {
    if (record[at + 1] !== QUOTE) return at;
  }
  return -1;
}

/** What an export puts in front of a text that a spreadsheet would take for a formula. */
const APOSTROPHE = /^'(?='*[=+\-@\t\r])/;

class CsvParser implements LineParser {
  readonly title: string;
  readonly origin: bigint;
  readonly timeDigits: number;
  readonly namesDevices: boolean;
  readonly #columns: Columns;
  readonly #delimiter: number;
  readonly #rows: NamedFields;
  readonly #fields: readonly (Field | undefined)[];
  readonly #scanner = new LineScanner();
  /** Cells that were met before, and their texts. */
  readonly #known = new SliceTable();
  readonly #texts: string[] = [];
  /** The line of column names was read. */
  #begun = false;
  /** The record that goes on in the next line: what there is of it, its row, and its lines so far. */
  #open: { record: string; row: number; lines: number } | undefined;

  constructor(head: TextHead, names: TraceNames) {
    this.#columns = columnsOf(head) ?? { line: '', delimiter: ',', names: [] };
    this.#delimiter = this.#columns.delimiter.charCodeAt(0);
    this.title = this.#columns.delimiter === '\t' ? 'TSV' : 'CSV';
    const times = timesOf(head, this.#columns);
    this.origin = originOf(times.first);
    this.timeDigits = times.digits;
    this.namesDevices = this.#columns.names.some(namesDevice);
    this.#rows = new NamedFields(names, this.origin);
    this.#fields = this.#columns.names.map((name) => this.#rows.field(name));
  }

  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind {
    if (this.#begun && !this.#open) {
      const read = this.#quick(bytes, start, end, out, offset);
      if (read !== undefined) return read ? 'row' : 'unknown';
    }
    const line = utf8(bytes.subarray(start, end));
    if (!this.#begun) {
      if (line === this.#columns.line) this.#begun = true;
      if (this.#begun || isPreface(line)) return 'header';
    }
    if (this.#open) return this.#goOn(line, offset + end - start, out);
    const cells = cellsOf(line, this.#columns.delimiter);
    if (cells) return this.#record(cells, offset, end - start, out) ? 'row' : 'unknown';
    // The record goes on: its row is unknown until it is whole.
    this.#open = { record: line, row: out.begin(offset, end - start, UNKNOWN), lines: 1 };
    return 'row';
  }

  /** Reads a record without making strings of it. Undefined: it has quotes that are more than around a cell. */
  #quick(
    bytes: Uint8Array,
    start: number,
    end: number,
    out: RowBuilder,
    offset: number,
  ): boolean | undefined {
    const into = this.#rows.begin(offset, end - start, out);
    const last = this.#fields.length - 1;
    let at = start;
    for (let column = 0; column <= last; column++) {
      const quoted = at < end && bytes[at] === QUOTE_BYTE;
      const first = quoted ? at + 1 : at;
      const behind = indexOf(bytes, quoted ? QUOTE_BYTE : this.#delimiter, first, end);
      const next = quoted ? behind + 1 : behind;
      if (quoted && (behind === end || (next < end && bytes[next] !== this.#delimiter))) {
        out.drop();
        return undefined;
      }
      const field = this.#fields[column];
      const isRead = behind === first || !field || this.#cell(field, bytes, first, behind, into);
      // A record of another width is not of this table; an empty line is none.
      if (!isRead || next >= end !== (column === last)) {
        out.drop();
        return false;
      }
      at = next + 1;
    }
    return this.#rows.finish() || dropped(out);
  }

  #cell(field: Field, bytes: Uint8Array, start: number, end: number, into: Pending): boolean {
    if (field.bytes) {
      this.#scanner.reset(bytes, start, end);
      if (field.bytes(this.#scanner, into)) return true;
    }
    return field.text(this.#text(bytes, start, end), into);
  }

  #text(bytes: Uint8Array, start: number, end: number): string {
    const known = this.#texts[this.#known.find(bytes, start, end)];
    if (known !== undefined) return known;
    const text = utf8(bytes.subarray(start, end)).replace(APOSTROPHE, '');
    if (this.#texts.length < REMEMBERED) {
      this.#known.add(bytes, start, end, this.#texts.length);
      this.#texts.push(text);
    }
    return text;
  }

  /** One more line of a record. In another chunk than its first its row is out of reach: the line is then one of its own. */
  #goOn(line: string, end: number, out: RowBuilder): LineKind {
    const open = this.#open;
    const isLast = open?.row === out.rows - 1;
    if (!open || !isLast || open.lines >= RECORD_LINES || open.record.length > RECORD_LENGTH) {
      this.#open = undefined;
      return 'unknown';
    }
    const record = `${open.record}\n${line}`;
    const offset = out.offset[open.row] ?? 0;
    const length = end - offset;
    const cells = cellsOf(record, this.#columns.delimiter);
    if (!cells) {
      out.length[open.row] = length;
      this.#open = { record, row: open.row, lines: open.lines + 1 };
      return 'row';
    }
    this.#open = undefined;
    out.drop();
    if (!this.#record(cells, offset, length, out)) out.begin(offset, length, UNKNOWN);
    return 'row';
  }

  #record(cells: readonly string[], offset: number, length: number, out: RowBuilder): boolean {
    if (cells.length !== this.#fields.length) return false;
    const into = this.#rows.begin(offset, length, out);
    for (const [column, cell] of cells.entries()) {
      const field = this.#fields[column];
      if (cell !== '' && field && !field.text(cell.replace(APOSTROPHE, ''), into)) return dropped(out);
    }
    return this.#rows.finish() || dropped(out);
  }

  save(): unknown {
    return this.#begun ? { begun: true } : undefined;
  }

  restore(state: unknown): void {
    this.#begun = state !== undefined;
    this.#open = undefined;
  }
}

function dropped(out: RowBuilder): false {
  out.drop();
  return false;
}

/** Where the byte is next, or `end`. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

/** The first time of the head's records, and how many digits of a second they have at most. */
function timesOf(
  { lines }: TextHead,
  { line, delimiter, names }: Columns,
): { first: bigint | undefined; digits: number } {
  const index = names.findIndex((name) => timeUnit(name) !== undefined);
  const unit = timeUnit(names[index] ?? '');
  let first: bigint | undefined;
  let digits = 0;
  if (unit === undefined) return { first, digits };
  for (const text of lines.slice(lines.indexOf(line) + 1)) {
    const cell = cellsOf(text, delimiter)?.[index];
    const time = cell === undefined ? undefined : nanosecondsOf(cell, unit);
    if (cell === undefined || time === undefined) continue;
    first ??= time;
    digits = Math.max(digits, digitsOf(cell, unit));
  }
  return { first, digits };
}
