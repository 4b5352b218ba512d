import { type ByteSource } from '../../bytes/byteSource';

const BLOCK_BYTES = 2 ** 20;

/** A window on a source that moves forward: bytes [start, start + filled) of the file stand at [0, filled) of `bytes`. */
export class Blocks {
  readonly bytes: Uint8Array;
  readonly #source: ByteSource;
  start = 0;
  filled = 0;

  constructor(source: ByteSource, size = BLOCK_BYTES) {
    this.#source = source;
    this.bytes = new Uint8Array(Math.min(size, Math.max(source.size, 1)));
  }

  /** True when nothing of the source is behind the window. */
  get last(): boolean {
    return this.start + this.filled >= this.#source.size;
  }

  /** Makes the window begin somewhere else, unless it has this byte already. */
  seek(offset: number): void {
    if (offset >= this.start && offset < this.start + this.filled) return;
    this.start = offset;
    this.filled = 0;
  }

  /**
   * Moves the window so that it begins at this byte of the file, keeping what it has of it.
   *
   * @returns False when the source could not be read to the window's end.
   */
  moveTo(offset: number): boolean {
    const kept = offset - this.start;
    if (kept >= 0 && kept < this.filled) this.bytes.copyWithin(0, kept, this.filled);
    this.filled = kept >= 0 && kept < this.filled ? this.filled - kept : 0;
    this.start = offset;
    const wanted = Math.max(0, Math.min(this.bytes.length, this.#source.size - offset)) - this.filled;
    if (wanted <= 0) return true;
    const read = this.#source.read(
      offset + this.filled,
      this.bytes.subarray(this.filled, this.filled + wanted),
    );
    this.filled += read;
    return read === wanted;
  }
}
