/** A power of two. */
const BUCKETS = 4096;
/** Slices that are remembered: a file of noise has a new one a line. */
const REMEMBERED = 65_536;

interface Slot {
  readonly bytes: Uint8Array;
  readonly value: number;
}

/** Numbers by slices of bytes: what was seen before is found without making a string. */
export class SliceTable {
  readonly #buckets: (Slot[] | undefined)[] = new Array<Slot[] | undefined>(BUCKETS).fill(undefined);
  #remembered = 0;

  /** The number of bytes[start, end); -1 when it has none. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const bucket = this.#buckets[bucketOf(bytes, start, end)];
    if (bucket) for (const slot of bucket) if (same(slot.bytes, bytes, start, end)) return slot.value;
    return -1;
  }

  /** Gives bytes[start, end), which had none, this number. */
  add(bytes: Uint8Array, start: number, end: number, value: number): void {
    if (this.#remembered === REMEMBERED) return;
    this.#remembered++;
    (this.#buckets[bucketOf(bytes, start, end)] ??= []).push({ bytes: bytes.slice(start, end), value });
  }
}

function bucketOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  return (hash ^ (hash >>> 12)) & (BUCKETS - 1);
}

function same(slice: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (slice.length !== end - start) return false;
  for (let at = 0; at < slice.length; at++) if (slice[at] !== bytes[start + at]) return false;
  return true;
}
