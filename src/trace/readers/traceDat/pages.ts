import { type ByteSource } from '../../../bytes/byteSource';
import { type Unpack, unpackPiece } from './compression';
import { DatCursor, DatError, readBytes } from './fileBytes';

/** The pages of one CPU's ring buffer, one after the other. */
export interface CpuPages {
  readonly bytes: number;
  /** Bytes [offset, offset + target.length) of the pages; false when they cannot be read. Throws a DatError when they are damaged. */
  read(offset: number, target: Uint8Array): boolean;
}

/** Pages that stand in the file as they are. */
export const plainPages = (source: ByteSource, offset: number, bytes: number): CpuPages => ({
  bytes: Math.max(0, Math.min(bytes, source.size - offset)),
  read: (at, target) => source.read(offset + at, target) === target.length,
});

/** A file of chunks has one of them for some hundred pages. */
const MOST_CHUNKS = 4_000_000;
/** Unpacked chunks that are held for each CPU: readers go on in a chunk, and come back to it for lines. */
const HELD = 4;

interface Chunk {
  /** Where the packed bytes stand in the file, and where the chunk begins among the pages. */
  readonly offset: number;
  readonly packed: number;
  readonly start: number;
  readonly size: number;
}

/** Pages in packed chunks (trace-cmd.dat.v7, COMPRESSION FORMAT OF THE TRACE DATA), unpacked when they are read. */
export class PackedPages implements CpuPages {
  readonly bytes: number;
  readonly #chunks: readonly Chunk[];
  readonly #held = new Map<Chunk, Uint8Array>();

  constructor(
    private readonly source: ByteSource,
    offset: number,
    private readonly bigEndian: boolean,
    private readonly unpack: Unpack,
  ) {
    this.#chunks = this.#list(offset);
    const last = this.#chunks.at(-1);
    this.bytes = last ? last.start + last.size : 0;
  }

  read(offset: number, target: Uint8Array): boolean {
    let filled = 0;
    while (filled < target.length) {
      const chunk = this.#at(offset + filled);
      if (!chunk) return false;
      const from = offset + filled - chunk.start;
      const part = this.#unpacked(chunk).subarray(from, from + target.length - filled);
      target.set(part, filled);
      filled += part.length;
    }
    return true;
  }

  #list(offset: number): Chunk[] {
    const count = this.#cursor(offset, 4).u32();
    if (count > MOST_CHUNKS) throw new DatError(`packed data say that they are ${count} pieces`, offset);
    const chunks: Chunk[] = [];
    let [at, start] = [offset + 4, 0];
    for (let index = 0; index < count; index++) {
      const header = this.#cursor(at, 8);
      const [packed, size] = [header.u32(), header.u32()];
      if (size === 0) throw new DatError('a packed piece is empty', at);
      if (at + 8 + packed > this.source.size)
        throw new DatError('a packed piece goes beyond the end of the file', at);
      chunks.push({ offset: at + 8, packed, start, size });
      at += 8 + packed;
      start += size;
    }
    return chunks;
  }

  #cursor(offset: number, length: number): DatCursor {
    return new DatCursor(
      readBytes(this.source, offset, length, 'a packed piece'),
      this.bigEndian,
      offset,
      'trace data',
    );
  }

  #at(offset: number): Chunk | undefined {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const chunk = this.#chunks[middle];
      if (chunk && chunk.start + chunk.size <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#chunks[low];
  }

  #unpacked(chunk: Chunk): Uint8Array {
    const held = this.#held.get(chunk);
    if (held) return held;
    const packed = readBytes(this.source, chunk.offset, chunk.packed, 'a packed piece');
    const bytes = unpackPiece(this.unpack, packed, chunk.size, chunk.offset);
    const [oldest] = this.#held.keys();
    if (oldest && this.#held.size >= HELD) this.#held.delete(oldest);
    this.#held.set(chunk, bytes);
    return bytes;
  }
}
