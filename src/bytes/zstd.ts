import { PageOutput } from './pageOutput';
import {
  BackwardBits,
  decodeHuffman,
  FseState,
  type FseTable,
  fseTable,
  type HuffmanTable,
  readFseTable,
  readHuffmanTable,
  singleSymbol,
} from './zstdEntropy';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const [RAW, RLE, COMPRESSED] = [0, 1, 2];
const CUT = 'the data end in the middle';

/** §3.1.1.3.2.1.1: what a code stands for, and how many bits more there are. */
interface Codes {
  readonly bases: readonly number[];
  readonly bits: readonly number[];
}

/** Codes whose values follow each other: each begins where the values of the one before end. */
function codes(first: number, bits: readonly number[]): Codes {
  let base = first;
  return { bits, bases: bits.map((count) => (base += 2 ** count) - 2 ** count) };
}
const zeros = (count: number): number[] => new Array<number>(count).fill(0);
const ones = (count: number): number[] => new Array<number>(count).fill(1);

const LITERAL_LENGTHS = codes(0, [
  ...zeros(16),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  6,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
]);
const MATCH_LENGTHS = codes(3, [
  ...zeros(32),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  4,
  5,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
]);
/** Larger offsets reach further back than the window of any level that is in use; more bits are not read at once. */
const MOST_OFFSET_CODE = 24;

/** The three tables of a block's sequences, in the order in which they are described. */
interface Kind {
  readonly mostLog: number;
  readonly mostSymbol: number;
  /** §3.1.1.3.2.2. */
  readonly standard: FseTable;
}
const KINDS: readonly [Kind, Kind, Kind] = [
  {
    mostLog: 9,
    mostSymbol: 35,
    standard: fseTable(
      [
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1,
        -1, -1, -1,
      ],
      6,
    ),
  },
  {
    mostLog: 8,
    mostSymbol: 31,
    standard: fseTable([...ones(6), 2, 2, 2, ...ones(15), -1, -1, -1, -1, -1], 5),
  },
  {
    mostLog: 9,
    mostSymbol: 52,
    standard: fseTable([1, 4, 3, 2, 2, 2, 2, 2, 2, ...ones(37), -1, -1, -1, -1, -1, -1, -1], 6),
  },
];

/**
 * Decompresses one Zstandard frame (RFC 8878) into `output`, which it has to fill. Throws an `Error` when the data are damaged.
 * Work is bounded by the input and the output. Dictionaries are refused; a checksum is not verified.
 */
export function decompressZstd(bytes: Uint8Array, output: Uint8Array): void {
  const start = readFrameHeader(bytes, output.length);
  new Frame(bytes, output).decompress(start.blocks, start.checksum);
}

/** §3.1.1.1. */
function readFrameHeader(
  bytes: Uint8Array,
  pageBytes: number,
): { readonly blocks: number; readonly checksum: boolean } {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw new Error('they are no Zstandard frame');
  const descriptor = bytes[4] ?? 0xff;
  if ((descriptor & 0x0b) !== 0) throw new Error('the frame needs a dictionary or has reserved bits');
  const single = (descriptor & 0x20) !== 0;
  const flag = descriptor >> 6;
  const sizeBytes = flag > 0 ? 1 << flag : single ? 1 : 0;
  // Without the single segment a byte tells the window, which a page does not need.
  const at = single ? 5 : 6;
  if (at + sizeBytes > bytes.length) throw new Error(CUT);
  if (sizeBytes > 0) {
    let size = flag === 1 ? 256 : 0;
    for (let i = 0; i < sizeBytes; i++) size += (bytes[at + i] ?? 0) * 256 ** i;
    if (size !== pageBytes)
      throw new Error(`they say that they give ${size} bytes of a page of ${pageBytes}`);
  }
  return { blocks: at + sizeBytes, checksum: (descriptor & 4) !== 0 };
}

class Frame {
  private readonly page: PageOutput;
  private huffman: HuffmanTable | undefined;
  private readonly tables: (FseTable | undefined)[] = [undefined, undefined, undefined];
  private offsets: [number, number, number] = [1, 4, 8];

  constructor(
    private readonly bytes: Uint8Array,
    private readonly output: Uint8Array,
  ) {
    this.page = new PageOutput(output);
  }

  /** §3.1.1.2. */
  decompress(start: number, checksum: boolean): void {
    const { bytes, page } = this;
    let at = start;
    for (let last = false; !last;) {
      if (at + BLOCK_HEADER_BYTES > bytes.length) throw new Error(CUT);
      const header = this.number(at, BLOCK_HEADER_BYTES);
      last = (header & 1) === 1;
      const [type, size] = [(header >> 1) & 3, header >> 3];
      at += BLOCK_HEADER_BYTES;
      const end = at + (type === RLE ? 1 : size);
      if (end > bytes.length) throw new Error(CUT);
      if (type === RAW) page.literals(bytes, at, size);
      else if (type === RLE) page.fill(bytes[at] ?? 0, size);
      else if (type === COMPRESSED) this.block(at, end);
      else throw new Error('a block has the reserved type');
      at = end;
    }
    const rest = bytes.length - at - (checksum ? CHECKSUM_BYTES : 0);
    if (rest !== 0) throw new Error(rest < 0 ? CUT : `${rest} bytes follow the end of the data`);
    page.end();
  }

  /** Little-endian; `at + count` is inside the bytes. */
  private number(at: number, count: number): number {
    let value = 0;
    for (let i = count - 1; i >= 0; i--) value = value * 256 + (this.bytes[at + i] ?? 0);
    return value;
  }

  /** §3.1.1.3: literals, then sequences. */
  private block(start: number, end: number): void {
    const { literals, end: at } = this.literals(start, end);
    const [first, second, third] = [this.bytes[at] ?? 0, this.bytes[at + 1] ?? 0, this.bytes[at + 2] ?? 0];
    const countBytes = first < 128 ? 1 : first < 255 ? 2 : 3;
    if (at + countBytes > end) throw new Error(CUT);
    let count = first;
    if (countBytes === 2) count = ((first - 128) << 8) + second;
    if (countBytes === 3) count = second + (third << 8) + 0x7f00;
    const used = count === 0 ? 0 : this.sequences(literals, count, at + countBytes, end);
    this.page.literals(literals, used, literals.length - used);
  }

  /** §3.1.1.3.1. */
  private literals(start: number, end: number): { readonly literals: Uint8Array; readonly end: number } {
    const { bytes } = this;
    const header = bytes[start] ?? 0;
    const [type, format] = [header & 3, (header >> 2) & 3];
    const plain = type === RAW || type === RLE;
    let headerBytes = format < 2 ? 3 : format + 2;
    if (plain) headerBytes = format === 3 ? 3 : format === 1 ? 2 : 1;
    let at = start + headerBytes;
    if (at > end) throw new Error(CUT);
    const fields = this.number(start, headerBytes);
    if (plain) {
      const size = this.checkLiterals(fields >> (headerBytes === 1 ? 3 : 4));
      const stored = type === RAW ? size : 1;
      if (at + stored > end) throw new Error(CUT);
      const literals =
        type === RAW ? bytes.subarray(at, at + size) : new Uint8Array(size).fill(bytes[at] ?? 0);
      return { literals, end: at + stored };
    }
    const bits = format < 2 ? 10 : format === 2 ? 14 : 18;
    const size = this.checkLiterals(Math.floor(fields / 16) % 2 ** bits);
    const after = at + Math.floor(fields / 2 ** (4 + bits));
    if (after > end) throw new Error(CUT);
    if (type === COMPRESSED) {
      const described = readHuffmanTable(bytes, at, after);
      this.huffman = described.table;
      at = described.end;
    }
    if (!this.huffman) throw new Error('a block repeats prefix codes that were not given');
    const literals = new Uint8Array(size);
    if (format === 0) decodeHuffman(this.huffman, bytes, at, after, literals);
    else this.fourStreams(this.huffman, at, after, literals);
    return { literals, end: after };
  }

  private checkLiterals(size: number): number {
    if (size > this.output.length) {
      throw new Error(`a block has ${size} literals for a page of ${this.output.length} bytes`);
    }
    return size;
  }

  /** §3.1.1.3.1.6: sizes of the first three streams, then four streams with a quarter of the literals each. */
  private fourStreams(table: HuffmanTable, start: number, end: number, literals: Uint8Array): void {
    const quarter = (literals.length + 3) >> 2;
    let at = start + 6;
    if (at > end || 3 * quarter > literals.length) throw new Error(CUT);
    for (let i = 0; i < 4; i++) {
      const after = i === 3 ? end : at + this.number(start + 2 * i, 2);
      if (after > end) throw new Error(CUT);
      const part = literals.subarray(i * quarter, i === 3 ? literals.length : (i + 1) * quarter);
      decodeHuffman(table, this.bytes, at, after, part);
      at = after;
    }
  }

  /** §3.1.1.3.2. Returns how many literals were used. */
  private sequences(literals: Uint8Array, count: number, start: number, end: number): number {
    const { page } = this;
    const { tables, end: at } = this.readTables(start, end);
    const input = new BackwardBits(this.bytes, at, end);
    const [literalState, offsetState, matchState] = tables.map((table) => new FseState(table, input));
    if (!literalState || !offsetState || !matchState) throw new Error(CUT);
    let used = 0;
    for (let i = 0; i < count; i++) {
      const code = offsetState.symbol;
      if (code > MOST_OFFSET_CODE) throw new Error(`a copy reaches 2^${code} bytes back`);
      const offset = 2 ** code + input.read(code);
      const matchLength = valueOf(MATCH_LENGTHS, matchState.symbol, input);
      const literalLength = valueOf(LITERAL_LENGTHS, literalState.symbol, input);
      page.literals(literals, used, literalLength);
      used += literalLength;
      page.copy(this.distance(offset, literalLength === 0), matchLength);
      if (i + 1 === count) break;
      literalState.advance();
      matchState.advance();
      offsetState.advance();
    }
    if (input.left !== 0) throw new Error('the sequences have bits too many');
    return used;
  }

  /** The tables of literal lengths, offsets and match lengths: standard, one symbol, described, or as before. */
  private readTables(start: number, end: number): { readonly tables: FseTable[]; readonly end: number } {
    const modes = this.bytes[start] ?? 0;
    let at = start + 1;
    if (at > end || (modes & 3) !== 0) throw new Error('the modes of the sequences are damaged');
    const tables = KINDS.map(({ mostLog, mostSymbol, standard }, i) => {
      const mode = (modes >> (6 - 2 * i)) & 3;
      let table = mode === 0 ? standard : this.tables[i];
      if (mode === 1) {
        const symbol = this.bytes[at++] ?? 0;
        if (at > end || symbol > mostSymbol) throw new Error('a code of the sequences is too high');
        table = singleSymbol(symbol);
      } else if (mode === 2) {
        const described = readFseTable(this.bytes, at, end, mostLog, mostSymbol);
        ({ table, end: at } = described);
      }
      if (!table) throw new Error('a block repeats tables that were not given');
      this.tables[i] = table;
      return table;
    });
    return { tables, end: at };
  }

  /** §3.1.1.5: the last three distances have short names, which shift by one where no literals came before. */
  private distance(offset: number, noLiterals: boolean): number {
    const [first, second, third] = this.offsets;
    if (offset > 3) {
      this.offsets = [offset - 3, first, second];
      return offset - 3;
    }
    const name = offset + (noLiterals ? 1 : 0);
    if (name === 1) return first;
    if (name === 2) this.offsets = [second, first, third];
    else this.offsets = [name === 3 ? third : first - 1, first, second];
    return this.offsets[0];
  }
}

function valueOf({ bases, bits }: Codes, code: number, input: BackwardBits): number {
  return (bases[code] ?? 0) + input.read(bits[code] ?? 0);
}
