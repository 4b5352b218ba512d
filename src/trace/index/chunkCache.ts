import { type TraceChunk } from '../model/chunk';

/** Packed chunks in memory, the least recently used of which make room. */
export class ChunkCache {
  readonly #budget: number;
  /** In the order of their last use. */
  readonly #chunks = new Map<number, TraceChunk>();
  #bytes = 0;

  /** @param budget Bytes; one chunk is held in any case. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(chunk: number): TraceChunk | undefined {
    const held = this.#chunks.get(chunk);
    if (held) {
      this.#chunks.delete(chunk);
      this.#chunks.set(chunk, held);
    }
    return held;
  }

  /** Like `get`, and is no use. */
  peek(chunk: number): TraceChunk | undefined {
    return this.#chunks.get(chunk);
  }

  put(chunk: number, packed: TraceChunk): void {
    const before = this.#chunks.get(chunk);
    if (before) this.#bytes -= before.bytes;
    this.#chunks.delete(chunk);
    this.#chunks.set(chunk, packed);
    this.#bytes += packed.bytes;
    for (const [oldest, { bytes }] of this.#chunks) {
      if (this.#bytes <= this.#budget || this.#chunks.size === 1) break;
      this.#chunks.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}
