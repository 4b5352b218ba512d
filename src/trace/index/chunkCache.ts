import { type TraceChunk } from '../model/chunk';

/** The part of the budget that the chunks of late have: enough for all that is around a place somebody looks at. */
const RECENT_SHARE = 1 / 8;

/**
 * Packed chunks in memory. Those that came first stay; what does not fit beside them takes turns in the rest of the budget.
 * Questions go over all chunks in their order: would the least recently used always make room, each would be gone just
 * before it is asked for again, and a trace slightly beyond the budget be read anew by every question.
 */
export class ChunkCache {
  readonly #budget: number;
  readonly #kept = new Map<number, TraceChunk>();
  /** In the order of their last use. */
  readonly #recent = new Map<number, TraceChunk>();
  #keptBytes = 0;
  #recentBytes = 0;

  /** @param budget Bytes; one chunk is held in any case. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#keptBytes + this.#recentBytes;
  }

  get(chunk: number): TraceChunk | undefined {
    const recent = this.#recent.get(chunk);
    if (recent) {
      this.#recent.delete(chunk);
      this.#recent.set(chunk, recent);
    }
    return recent ?? this.#kept.get(chunk);
  }

  /** Like `get`, and is no use. */
  peek(chunk: number): TraceChunk | undefined {
    return this.#kept.get(chunk) ?? this.#recent.get(chunk);
  }

  put(chunk: number, packed: TraceChunk): void {
    this.#drop(chunk);
    if (this.#keptBytes + packed.bytes <= this.#budget * (1 - RECENT_SHARE)) {
      this.#kept.set(chunk, packed);
      this.#keptBytes += packed.bytes;
    } else {
      this.#recent.set(chunk, packed);
      this.#recentBytes += packed.bytes;
    }
    // The chunk that was put stays in any case, and a budget below two chunks lets nothing stay beside it.
    if (this.bytes <= this.#budget) return;
    for (const oldest of [...this.#recent.keys(), ...this.#kept.keys()]) {
      if (this.bytes <= this.#budget) break;
      if (oldest !== chunk) this.#drop(oldest);
    }
  }

  #drop(chunk: number): void {
    this.#keptBytes -= this.#kept.get(chunk)?.bytes ?? 0;
    this.#recentBytes -= this.#recent.get(chunk)?.bytes ?? 0;
    this.#kept.delete(chunk);
    this.#recent.delete(chunk);
  }
}
