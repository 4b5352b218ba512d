import { type RowBuilder } from '../../model/columns';
import { type TraceNames } from '../../model/dictionary';
import { FLAGS } from '../../model/operation';
import { type LineScanner, literal } from '../../text/lineScanner';
import { flag, readDecimalAddress, readDevice } from './fields';

/** What a payload's `key=value` says; bits, so that a rule can ask for several. */
export const SAYS = {
  device: 1,
  iova: 2,
  paddr: 4,
  size: 8,
  direction: 16,
  iovas: 32,
  sizes: 64,
  paddrs: 128,
  entries: 256,
  error: 512,
  virtual: 1024,
  /** Anything else: stepped over. */
  other: 2048,
} as const;
type Meaning = (typeof SAYS)[keyof typeof SAYS];

/**
 * Keys of the print formats, and names of the record's fields: those are what trace-cmd prints when it does not understand a
 * format (`[FAILED TO PARSE]`).
 */
const KEYS: readonly (readonly [key: string, meaning: Meaning])[] = [
  ['dir', SAYS.direction],
  ['dma_addr', SAYS.iova],
  ['size', SAYS.size],
  ['phys_addr', SAYS.paddr],
  ['attrs', SAYS.other],
  ['dma_addrs', SAYS.iovas],
  ['sizes', SAYS.sizes],
  ['phys_addrs', SAYS.paddrs],
  ['ents', SAYS.entries],
  ['nents', SAYS.other],
  ['err', SAYS.error],
  ['flags', SAYS.other],
  ['virt_addr', SAYS.virtual],
  ['dev', SAYS.device],
  ['dev_addr', SAYS.iova],
  ['device', SAYS.device],
  ['full_ents', SAYS.entries],
  ['full_nents', SAYS.other],
  ['truncated', SAYS.other],
  ['addr', SAYS.iova],
  ['addrs', SAYS.paddrs],
  ['lengths', SAYS.sizes],
  ['iova', SAYS.iova],
  ['paddr', SAYS.paddr],
];
const NAMED = KEYS.map(([key, meaning]) => ({ key: literal(`${key}=`), meaning }));
const ATTRIBUTES = literal('attrs=');

/** What trace-cmd and perf print in front of a record's fields when they do not understand its format. */
export const FAILED_TO_PARSE = literal('[FAILED TO PARSE]');

const [SPACE, OPEN, SQUARE, COMMA, ZERO, NINE] = [0x20, 0x7b, 0x5b, 0x2c, 0x30, 0x39];
const [ARRAY, CLOSE, END, BYTE_END] = [literal('ARRAY['), literal('}'), literal(']'), literal(', ')];
const [NULL, PREFIX] = [literal('(null)'), literal('0x')];
const EQUALS = 0x3d;
const ERROR_PAGE = 2 ** 52 - 1;
const DIRECTIONS: readonly (readonly [text: Uint8Array, flags: number])[] = [
  [literal('BIDIRECTIONAL'), FLAGS.read | FLAGS.write],
  [literal('TO_DEVICE'), FLAGS.read],
  [literal('FROM_DEVICE'), FLAGS.write],
  [literal('NONE'), 0],
];

/** Reads `key=value` pairs up to the end. What they say, as bits of SAYS; -1 when the text is no list of them. */
export class PayloadFields {
  /** The list's entries, of the last list that was read. */
  #count = 0;
  #attributes = false;

  /** The payload had `attrs=`, which stands last in the events that have it: nothing is cut off. */
  get hasAttributes(): boolean {
    return this.#attributes;
  }

  /** `raw`: the fields of the record as trace-cmd prints them by itself, addresses without 0x in decimal. */
  read(scanner: LineScanner, out: RowBuilder, row: number, names: TraceNames, raw: boolean): number {
    let said = 0;
    this.#attributes = false;
    for (;;) {
      scanner.spaces();
      if (scanner.done) return said;
      // ` [TRUNCATED]` of long lists, ` [1/4]` of map_sg.
      if (scanner.bytes[scanner.at] === SQUARE) {
        scanner.word();
        continue;
      }
      const meaning = this.#key(scanner);
      if (meaning === undefined || !this.#value(meaning, scanner, out, row, names, raw)) return -1;
      if (scanner.at < scanner.end && scanner.bytes[scanner.at] !== SPACE) return -1;
      said |= meaning;
    }
  }

  #key(scanner: LineScanner): Meaning | undefined {
    if (scanner.skip(ATTRIBUTES)) {
      this.#attributes = true;
      return SAYS.other;
    }
    for (const { key, meaning } of NAMED) if (scanner.skip(key)) return meaning;
    const { bytes, end } = scanner;
    for (let at = scanner.at; at < end && bytes[at] !== SPACE; at++) {
      if (bytes[at] !== EQUALS) continue;
      scanner.at = at + 1;
      return SAYS.other;
    }
    return undefined;
  }

  #value(
    meaning: Meaning,
    scanner: LineScanner,
    out: RowBuilder,
    row: number,
    names: TraceNames,
    raw: boolean,
  ): boolean {
    switch (meaning) {
      case SAYS.device:
        return readDevice(scanner, out, row, names);
      case SAYS.iova:
        if (!number(scanner, raw)) return false;
        out.iovaPage[row] = scanner.page;
        out.iovaOffset[row] = scanner.offset;
        // DMA_MAPPING_ERROR of include/linux/dma-mapping.h: nothing was mapped.
        if (scanner.page === ERROR_PAGE && scanner.offset === 4095) flag(out, row, FLAGS.failed);
        return true;
      case SAYS.paddr:
        if (!number(scanner, raw)) return false;
        out.paddrPage[row] = scanner.page;
        out.paddrOffset[row] = scanner.offset;
        return true;
      case SAYS.size:
        if (!number(scanner, true)) return false;
        out.size[row] = scanner.page * 4096 + scanner.offset;
        return true;
      case SAYS.direction:
        return direction(scanner, out, row);
      case SAYS.entries:
        return entries(scanner, out, row);
      case SAYS.error: {
        const error = scanner.decimal();
        out.count[row] = error;
        return !Number.isNaN(error);
      }
      case SAYS.virtual:
        // The memory that dma_alloc gave: none when it failed.
        if (scanner.skip(NULL)) flag(out, row, FLAGS.failed);
        else if (scanner.address() && scanner.page === 0 && scanner.offset === 0)
          flag(out, row, FLAGS.failed);
        else scanner.word();
        return true;
      case SAYS.iovas:
        if (!this.#list(scanner, 8)) return false;
        if (this.#count === 0) return true;
        out.iovaPage[row] = scanner.page;
        out.iovaOffset[row] = scanner.offset;
        if (this.#count > 1) flag(out, row, FLAGS.list);
        return true;
      case SAYS.paddrs:
        if (!this.#list(scanner, 8)) return false;
        if (this.#count === 0) return true;
        out.paddrPage[row] = scanner.page;
        out.paddrOffset[row] = scanner.offset;
        return true;
      case SAYS.sizes:
        if (!this.#list(scanner, 4)) return false;
        if (this.#count > 0) out.size[row] = scanner.page * 4096 + scanner.offset;
        return true;
      default:
        scanner.word();
        return true;
    }
  }

  /**
   * A list; the first number stays in the scanner. The kernel prints `{0x1,0x2}`, libtraceevent `1 2` in decimal, and of a record
   * that it does not understand the bytes, `ARRAY[01, 00, ..]`.
   */
  #list(scanner: LineScanner, width: number): boolean {
    this.#count = 0;
    if (scanner.skip(ARRAY)) return this.#bytes(scanner, width);
    if (scanner.bytes[scanner.at] === OPEN) return this.#braces(scanner);
    let [page, offset] = [0, 0];
    while (isDigit(scanner.bytes[scanner.at] ?? 0) && scanner.at < scanner.end) {
      if (!readDecimalAddress(scanner)) return false;
      if (this.#count++ === 0) [page, offset] = [scanner.page, scanner.offset];
      const next = scanner.at + 1;
      if (scanner.bytes[scanner.at] !== SPACE || !isDigit(scanner.bytes[next] ?? 0)) break;
      scanner.at = next;
    }
    [scanner.page, scanner.offset] = [page, offset];
    return true;
  }

  #braces(scanner: LineScanner): boolean {
    scanner.at++;
    if (scanner.skip(CLOSE)) return true;
    if (!scanner.address()) return false;
    this.#count = 1;
    const { bytes, end } = scanner;
    for (let at = scanner.at; at < end; at++) {
      if (bytes[at] === COMMA) this.#count++;
      else if (bytes[at] === SPACE) return false;
      else if (bytes[at] === CLOSE[0]) {
        scanner.at = at + 1;
        return true;
      }
    }
    return false;
  }

  /** Bytes of numbers of `width` bytes, least significant first. */
  #bytes(scanner: LineScanner, width: number): boolean {
    let [low, high, read] = [0, 0, 0];
    while (!scanner.skip(END)) {
      if (read > 0 && !scanner.skip(BYTE_END)) return false;
      const byte = scanner.hex();
      if (!(byte < 256)) return false;
      if (read < 4) low += byte * 256 ** read;
      else if (read < width) high += byte * 256 ** (read - 4);
      read++;
    }
    this.#count = Math.floor(read / width);
    scanner.page = high * 2 ** 20 + Math.floor(low / 4096);
    scanner.offset = low % 4096;
    return read % width === 0;
  }
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

/** A number into page and offset: in decimal when asked and no 0x stands in front. */
function number(scanner: LineScanner, decimal: boolean): boolean {
  const { at } = scanner;
  const prefixed = scanner.skip(PREFIX);
  scanner.at = at;
  return decimal && !prefixed ? readDecimalAddress(scanner) : scanner.address();
}

/** `TO_DEVICE` reads memory, `FROM_DEVICE` writes it. As a number: enum dma_data_direction. */
function direction(scanner: LineScanner, out: RowBuilder, row: number): boolean {
  for (const [text, flags] of DIRECTIONS) {
    if (!scanner.skip(text)) continue;
    flag(out, row, flags);
    return true;
  }
  const known = DIRECTIONS[scanner.hex()];
  if (!known) return false;
  flag(out, row, known[1]);
  return true;
}

/** `ents=1/1`: those printed, and all. */
function entries(scanner: LineScanner, out: RowBuilder, row: number): boolean {
  let all = scanner.decimal();
  if (scanner.bytes[scanner.at] === 0x2f && !scanner.done) {
    scanner.at++;
    all = scanner.decimal();
  }
  out.count[row] = all;
  return !Number.isNaN(all);
}
