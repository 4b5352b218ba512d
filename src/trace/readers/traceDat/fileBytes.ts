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

/** Reads numbers in the byte order of a file, from left to right; beyond the end it throws a DatError. */
export class DatCursor {
  at = 0;
  readonly #view: DataView;

  /** `base`: where the bytes stand in the file, for messages. */
  constructor(
    readonly bytes: Uint8Array,
    readonly bigEndian: boolean,
    readonly base: number,
    readonly of: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#step(2), !this.bigEndian);
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4), !this.bigEndian);
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
    const end = this.bytes.indexOf(0, this.at);
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
    if (count > this.left) throw this.error(`it ends where ${count} more bytes should be`);
    this.at += count;
    return start;
  }
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
