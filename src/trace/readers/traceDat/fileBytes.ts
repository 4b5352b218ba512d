import { type ByteSource } from '../../../bytes/byteSource';
import { utf8 } from '../../text/utf8';

/** What is wrong with a trace.dat, and where: read with `offset` in the file, or in the unpacked section that `of` names. */
export class DatError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/** Names are short: a longer one is no name. */
const MOST_NAME = 65_536;
/** What is read of a description to begin with: about as much as one has. */
const FIRST_BYTES = 2 ** 20;

/** Reads numbers in the byte order of a file, from left to right; beyond the end it throws a DatError. */
export class DatCursor {
  at = 0;
  #view: DataView;

  /**
   * `base`: where the bytes stand in the file, for messages. `more`: the same bytes and those behind them, at least `length`;
   * undefined when there are not as many.
   */
  constructor(
    public bytes: Uint8Array,
    readonly bigEndian: boolean,
    readonly base: number,
    readonly of: string,
    private readonly more?: (length: number) => Uint8Array | undefined,
  ) {
    this.#view = viewOf(bytes);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    const start = this.#step(1);
    return this.#view.getUint8(start);
  }

  u16(): number {
    const start = this.#step(2);
    return this.#view.getUint16(start, !this.bigEndian);
  }

  u32(): number {
    const start = this.#step(4);
    return this.#view.getUint32(start, !this.bigEndian);
  }

  /** An offset or a size: below 2^53, or the file is damaged. */
  u64(): number {
    const start = this.#step(8);
    const value = Number(this.#view.getBigUint64(start, !this.bigEndian));
    if (!Number.isSafeInteger(value)) throw this.error(`a size of ${value} is impossible`);
    return value;
  }

  take(length: number): Uint8Array {
    const start = this.#step(length);
    return this.bytes.subarray(start, start + length);
  }

  text(length: number): string {
    return utf8(this.take(length));
  }

  /** Up to a NUL, which is stepped over. */
  string(): string {
    let end = this.bytes.indexOf(0, this.at);
    while (end < 0 && this.left < MOST_NAME && this.#grow(this.bytes.length + 1))
      end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw this.error('a name has no end');
    const text = utf8(this.bytes.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }

  error(what: string): DatError {
    return new DatError(`${this.of}: ${what}`, this.base + this.at);
  }

  #step(count: number): number {
    const start = this.at;
    if (count > this.left && !this.#grow(start + count))
      throw this.error(`it ends where ${count} more bytes should be`);
    this.at += count;
    return start;
  }

  #grow(length: number): boolean {
    const bytes = this.more?.(length);
    if (!bytes) return false;
    this.bytes = bytes;
    this.#view = viewOf(bytes);
    return true;
  }
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Reads bytes [base, base + limit) of a file as far as they are asked for: twice as many each time. */
export function growingCursor(
  source: ByteSource,
  base: number,
  limit: number,
  bigEndian: boolean,
  of: string,
): DatCursor {
  const most = Math.max(0, Math.min(source.size - base, limit));
  let bytes = readBytes(source, base, Math.min(most, FIRST_BYTES), of);
  return new DatCursor(bytes, bigEndian, base, of, (length) => {
    if (length > most) return undefined;
    bytes = readBytes(source, base, Math.min(most, Math.max(length, 2 * bytes.length)), of);
    return bytes;
  });
}

/** Bytes [offset, offset + length) of the file; fewer are a DatError. */
export function readBytes(source: ByteSource, offset: number, length: number, what: string): Uint8Array {
  if (offset + length > source.size) {
    throw new DatError(`${what} should have ${length} bytes, and the file ends before`, offset);
  }
  const bytes = new Uint8Array(length);
  if (source.read(offset, bytes) < length) {
    throw new DatError(
      `${what} cannot be read: ${source.fault?.() ?? 'the file is shorter than it was'}`,
      offset,
    );
  }
  return bytes;
}
