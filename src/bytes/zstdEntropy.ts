/** Entropy coding of Zstandard: RFC 8878 §4. What is damaged throws an `Error`. */

const CUT = 'the data end in the middle';

/** Reads bits from the end of a range of bytes to its start; the highest 1 of the last byte marks the end. */
export class BackwardBits {
  /** Bits not yet read. */
  left: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly start: number,
    end: number,
  ) {
    const last = bytes[end - 1] ?? 0;
    if (end <= start || last === 0) throw new Error('a bit stream has no end mark');
    this.left = 8 * (end - start) - 1 - Math.clz32(last << 24);
  }

  /** The next `count` bits, at most 24. */
  read(count: number): number {
    if (count > this.left) throw new Error(CUT);
    this.left -= count;
    return this.bitsAt(this.left, count);
  }

  /** The next `count` bits without taking them; zeros follow where fewer are left. */
  peek(count: number): number {
    if (count <= this.left) return this.bitsAt(this.left - count, count);
    return this.bitsAt(0, this.left) << (count - this.left);
  }

  private bitsAt(bit: number, count: number): number {
    const at = this.start + (bit >> 3);
    const { bytes } = this;
    const word =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    return (word >>> (bit & 7)) & ((1 << count) - 1);
  }
}

/** A decoding table of finite state entropy: by state, the symbol and how to come to the next state. */
export interface FseTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
}

/** A table that always gives the same symbol and takes no bits. */
export const singleSymbol = (symbol: number): FseTable => ({
  log: 0,
  symbols: Uint8Array.of(symbol),
  bits: new Uint8Array(1),
  bases: new Uint16Array(1),
});

/** §4.1.1: spreads symbols over 2^log states by their probabilities; -1 stands for less than one. */
export function fseTable(probabilities: readonly number[], log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(probabilities.length);
  let high = size;
  for (const [symbol, probability] of probabilities.entries()) {
    next[symbol] = Math.abs(probability);
    if (probability === -1) symbols[--high] = symbol;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (const [symbol, probability] of probabilities.entries()) {
    for (let i = 0; i < probability; i++) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at >= high);
    }
  }
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] ?? 0;
    const place = next[symbol] ?? 0;
    next[symbol] = place + 1;
    const count = log - (31 - Math.clz32(place));
    bits[state] = count;
    bases[state] = (place << count) - size;
  }
  return { log, symbols, bits, bases };
}

/** Reads a table description (§4.1.1) from `start` on; `end` is where it may end at most. */
export function readFseTable(
  bytes: Uint8Array,
  start: number,
  end: number,
  mostLog: number,
  mostSymbol: number,
): { readonly table: FseTable; readonly end: number } {
  let bit = 8 * start;
  const peek = (count: number): number => {
    const at = bit >> 3;
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    return (word >> (bit & 7)) & ((1 << count) - 1);
  };
  const skip = (count: number): void => {
    bit += count;
    if (bit > 8 * end) throw new Error(CUT);
  };
  const log = peek(4) + 5;
  skip(4);
  if (log > mostLog) throw new Error(`an entropy table of 2^${log} states, where 2^${mostLog} are allowed`);
  const probabilities: number[] = [];
  let remaining = 1 << log;
  while (remaining > 0) {
    // Values from 0 to remaining + 1; the lowest of them take one bit less.
    const most = remaining + 1;
    const count = 32 - Math.clz32(most);
    const lowMask = (1 << (count - 1)) - 1;
    const short = (1 << count) - 1 - most;
    let code = peek(count);
    if ((code & lowMask) < short) {
      skip(count - 1);
      code &= lowMask;
    } else {
      skip(count);
      if (code > lowMask) code -= short;
    }
    const probability = code - 1;
    remaining -= Math.abs(probability);
    probabilities.push(probability);
    // Zeros are followed by how many more there are: 3 means that two more bits follow.
    for (let more = probability === 0 ? 3 : 0; more === 3;) {
      more = peek(2);
      skip(2);
      for (let i = 0; i < more; i++) probabilities.push(0);
    }
    if (probabilities.length > mostSymbol + 1) throw new Error('an entropy table has too many symbols');
  }
  return { table: fseTable(probabilities, log), end: (bit + 7) >> 3 };
}

/** A state that walks through a table. */
export class FseState {
  private state: number;

  constructor(
    private readonly table: FseTable,
    private readonly input: BackwardBits,
  ) {
    this.state = input.read(table.log);
  }

  get symbol(): number {
    return this.table.symbols[this.state] ?? 0;
  }

  /** Bits that the next state takes. */
  get cost(): number {
    return this.table.bits[this.state] ?? 0;
  }

  advance(): void {
    this.state = (this.table.bases[this.state] ?? 0) + this.input.read(this.cost);
  }
}

/** A table of prefix codes: by the next `bits` bits, the symbol and the length of its code. */
export interface HuffmanTable {
  readonly bits: number;
  readonly symbols: Uint8Array;
  readonly lengths: Uint8Array;
}

const MOST_CODE_BITS = 11;
const MOST_WEIGHT_LOG = 6;

/** §4.2.1: reads a description of prefix codes. */
export function readHuffmanTable(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly table: HuffmanTable; readonly end: number } {
  const header = bytes[start] ?? 0;
  const after = start + 1 + (header < 128 ? header : (header - 126) >> 1);
  if (start >= end || after > end) throw new Error(CUT);
  const weights: number[] = [];
  if (header >= 128) {
    for (let i = 0; i < header - 127; i++) {
      const byte = bytes[start + 1 + (i >> 1)] ?? 0;
      weights.push(i % 2 === 0 ? byte >> 4 : byte & 15);
    }
  } else {
    const described = readFseTable(bytes, start + 1, after, MOST_WEIGHT_LOG, MOST_CODE_BITS);
    const input = new BackwardBits(bytes, described.end, after);
    let state = new FseState(described.table, input);
    let other = new FseState(described.table, input);
    // Two states take turns; when the bits do not suffice for the next step of one, the other's symbol is the last.
    while (weights.length < 255) {
      weights.push(state.symbol);
      if (input.left < state.cost) {
        weights.push(other.symbol);
        break;
      }
      state.advance();
      [state, other] = [other, state];
    }
  }
  return { table: huffmanTable(weights), end: after };
}

/** The last symbol's weight is not written: it makes the sum a power of two. */
function huffmanTable(weights: number[]): HuffmanTable {
  const sum = weights.reduce((total, weight) => total + (weight === 0 ? 0 : 2 ** (weight - 1)), 0);
  const bits = sum === 0 ? 0 : 32 - Math.clz32(sum);
  const size = 1 << bits;
  const rest = size - sum;
  if (bits === 0 || bits > MOST_CODE_BITS || (rest & (rest - 1)) !== 0 || weights.length > 255) {
    throw new Error('the lengths of prefix codes do not fit together');
  }
  const all = [...weights, 32 - Math.clz32(rest)];
  const symbols = new Uint8Array(size);
  const lengths = new Uint8Array(size);
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (const [symbol, own] of all.entries()) {
      if (own !== weight) continue;
      const end = at + (1 << (weight - 1));
      symbols.fill(symbol, at, end);
      lengths.fill(bits + 1 - weight, at, end);
      at = end;
    }
  }
  return { bits, symbols, lengths };
}

/** §4.2.2: fills `output` from one stream, which has to end with it. */
export function decodeHuffman(
  table: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  output: Uint8Array,
): void {
  const input = new BackwardBits(bytes, start, end);
  for (let i = 0; i < output.length; i++) {
    const code = input.peek(table.bits);
    output[i] = table.symbols[code] ?? 0;
    input.left -= table.lengths[code] ?? 0;
    if (input.left < 0) throw new Error(CUT);
  }
  if (input.left > 0) throw new Error('a stream of literals has bits too many');
}
