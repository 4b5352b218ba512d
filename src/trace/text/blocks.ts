import { type ByteSource } from '../../bytes/byteSource';

const BLOCK_BYTES = 2 ** 20;

/** A window on a source that moves forward: bytes [start, start + filled) of the file stand at [0, filled) of `bytes`. */
export class Blocks {
  readonly bytes: Uint8Array;
  readonly #source: ByteSource;
  start = 0;
  filled = 0;
  /** Where the source ends: nearer than it should when it cannot be read. */
  end: number;

  constructor(source: ByteSource, size = BLOCK_BYTES) {
    this.#source = source;
    this.end = source.size;
    this.bytes = new Uint8Array(Math.min(size, Math.max(source.size, 1)));
  }

  /** True when nothing of the source is behind the window. */
  get last(): boolean {
    return this.start + this.filled >= this.end;
  }

  /** Makes the window begin somewhere else, unless it has this byte already. */
  seek(offset: number): void {
    if (offset >= this.start && offset < this.start + this.filled) return;
    this.start = offset;
    this.filled = 0;
  }

  /** Moves the window so that it begins at this byte of the file, keeping what it has of it. */
  moveTo(offset: number): void {
    const kept = offset - this.start;
    if (kept >= 0 && kept < this.filled) this.bytes.copyWithin(0, kept, this.filled);
    this.filled = kept >= 0 && kept < this.filled ? this.filled - kept : 0;
    this.start = offset;
    const wanted = Math.min(this.bytes.length, this.end - offset) - this.filled;
    if (wanted <= 0) return;
    const target = this.bytes.subarray(this.filled, this.filled + wanted);
    const read = this.#source.read(offset + this.filled, target);
    this.filled += read;
    if (read < wanted) this.end = this.start + this.filled;
  }
}
