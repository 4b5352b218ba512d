import { type ByteSource } from '../../../bytes/byteSource';
import { assert } from '../../../engine/result';
import { type Unpack, unpackPiece } from './compression';
import { DatCursor, DatError, readBytes } from './fileBytes';

/** The pages of one CPU's ring buffer, one after the other. */
export interface CpuPages {
  /** Of what the file still has of them. */
  readonly bytes: number;
  /** Why there are fewer than there were. */
  readonly cut?: DatError;
  /** Fills `target` from byte `offset` of the pages on. Throws a DatError when they are damaged or cannot be read. */
  read(offset: number, target: Uint8Array): void;
  /** Where to go on when the bytes at `offset` could not be read. */
  behind(offset: number): number;
}

/** Pages that stand in the file as they are. */
export function plainPages(source: ByteSource, offset: number, size: number): CpuPages {
  const bytes = Math.max(0, Math.min(size, source.size - offset));
  return {
    bytes,
    ...(bytes < size && {
      cut: new DatError(`${size} bytes of pages should be here, and the file ends after ${bytes}`, offset),
    }),
    read(at, target) {
      target.set(readBytes(source, offset + at, target.length, 'a page'));
    },
    // A file that cannot be read here is not asked for each of its other pages.
    behind: () => bytes,
  };
}

/** A file of chunks has one of them for some hundred pages. */
const MOST_CHUNKS = 4_000_000;
/** Sizes packed and unpacked stand in front of each. */
const PIECE_HEADER_BYTES = 8;
const LIST_BYTES = 4096;
/** A chunk has ten pages or so. */
const MOST_CHUNK_BYTES = 16 * 2 ** 20;
/** Unpacked chunks of all CPUs that are held: readers go on in a chunk, and come back to it for lines. */
const HELD_BYTES = 64 * 2 ** 20;

/** The chunks that were unpacked last, of all CPUs. */
export class PiecesHeld {
  readonly #held = new Map<object, Uint8Array>();
  #bytes = 0;

  get(chunk: object): Uint8Array | undefined {
    const found = this.#held.get(chunk);
    if (found) {
      this.#held.delete(chunk);
      this.#held.set(chunk, found);
    }
    return found;
  }

  add(chunk: object, bytes: Uint8Array): void {
    this.#held.set(chunk, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#held) {
      if (this.#bytes <= HELD_BYTES || oldest === chunk) break;
      this.#held.delete(oldest);
      this.#bytes -= length;
    }
  }
}

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
  readonly cut?: DatError;
  readonly #chunks: Chunk[] = [];

  constructor(
    private readonly source: ByteSource,
    offset: number,
    private readonly bigEndian: boolean,
    private readonly unpack: Unpack,
    private readonly held: PiecesHeld,
  ) {
    try {
      this.#list(offset);
    } catch (error) {
      if (!(error instanceof DatError)) throw error;
      this.cut = error;
    }
    const last = this.#chunks.at(-1);
    this.bytes = last ? last.start + last.size : 0;
  }

  read(offset: number, target: Uint8Array): void {
    let filled = 0;
    while (filled < target.length) {
      const chunk = this.#at(offset + filled);
      assert(chunk !== undefined, 'read behind the pages');
      const from = offset + filled - chunk.start;
      const part = this.#unpacked(chunk).subarray(from, from + target.length - filled);
      target.set(part, filled);
      filled += part.length;
    }
  }

  behind(offset: number): number {
    const chunk = this.#at(offset);
    return chunk ? chunk.start + chunk.size : this.bytes;
  }

  /** Lists the chunks, up to the first that is not whole. */
  #list(offset: number): void {
    let block = this.#cursor(offset, 4);
    const count = block.u32();
    if (count > MOST_CHUNKS) throw new DatError(`packed data say that they are ${count} pieces`, offset);
    let [at, start] = [offset + 4, 0];
    for (let index = 0; index < count; index++) {
      // Small pieces are listed without a read for each.
      if (at + PIECE_HEADER_BYTES > block.base + block.bytes.length)
        block = this.#cursor(at, Math.max(PIECE_HEADER_BYTES, Math.min(LIST_BYTES, this.source.size - at)));
      block.at = at - block.base;
      const [packed, size] = [block.u32(), block.u32()];
      if (size === 0 || size > MOST_CHUNK_BYTES)
        throw new DatError(`a packed piece of ${size} bytes is impossible`, at);
      if (at + PIECE_HEADER_BYTES + packed > this.source.size)
        throw new DatError('a packed piece goes beyond the end of the file', at);
      this.#chunks.push({ offset: at + PIECE_HEADER_BYTES, packed, start, size });
      at += PIECE_HEADER_BYTES + packed;
      start += size;
    }
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
    const held = this.held.get(chunk);
    if (held) return held;
    const packed = readBytes(this.source, chunk.offset, chunk.packed, 'a packed piece');
    const bytes = unpackPiece(this.unpack, packed, chunk.size, chunk.offset);
    this.held.add(chunk, bytes);
    return bytes;
  }
}
