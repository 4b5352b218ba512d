import { type PhysicalMemory } from '../engine/memory/physicalMemory';
import { FRAME_BYTES, FRAME_WORDS, type FrameNumber, hex } from '../engine/values';
import { type ByteSource } from '../bytes/byteSource';
import { FrameCache } from './frameCache';
import { type SegmentMap, ZEROS } from './segments';

/** Addresses that the file describes but does not hold, half-open. */
export interface MissingRange {
  readonly start: number;
  readonly end: number;
}

export interface MemoryImageParts {
  readonly source: ByteSource;
  readonly map: SegmentMap;
  /** What the file is, for people: `ELF64 core`. */
  readonly format: string;
  /** Parts that a truncated file lacks. */
  readonly missing?: readonly MissingRange[];
  /** Bytes of memory the cache of a source that is not in memory may take; at least 1 MiB. */
  readonly cacheBytes?: number;
  /** Bytes of memory held, where segments of the map have gaps: pages that a dump left out. */
  readonly bytesHeld?: number;
  /** Why the format does not give the bytes at an address inside the memory it describes; undefined when it does not know. */
  readonly explain?: (address: number) => string | undefined;
  /** Where memory ends, when the map goes on with what stands at no address of the machine. */
  readonly end?: number;
  /** For a source that says only some words: whether it says word `index` of the table at `frame`. */
  readonly knows?: (frame: FrameNumber, index: number) => boolean;
}

/**
 * Holds the tables of a domain of 64 GiB in 4K pages (128 MiB of leaf tables and a few above them), and hardly more: with
 * less, reading through such a domain finds nothing in the cache.
 */
const CACHE_BYTES = 288 * 1024 * 1024;
const ZERO_FRAME = new Uint32Array(FRAME_WORDS);
/** Views kept, by the low bits of the frame number: making one costs more than a walk's step. A power of two. */
const VIEWS = 8192;

/** Physical memory as an image file holds it, read on demand. */
export class MemoryImage implements PhysicalMemory {
  readonly name: string;
  readonly format: string;
  private readonly source: ByteSource;
  private readonly map: SegmentMap;
  private readonly missing: readonly MissingRange[];
  private readonly explain: (address: number) => string | undefined;
  /** Bytes of physical memory held, zeros that the file only describes included. */
  readonly bytesHeld: number;
  /** Absent for a source that says every word it holds: then nobody need ask. */
  readonly knows?: (frame: FrameNumber, index: number) => boolean;
  /** The highest byte held; 0 for an empty image. */
  readonly highestAddress: number;
  private readonly cache: FrameCache;
  /** Frame number of each view, -1 for none. */
  private readonly viewed = new Float64Array(VIEWS).fill(-1);
  private readonly views: (Uint32Array | undefined)[] = new Array<Uint32Array | undefined>(VIEWS).fill(
    undefined,
  );
  private closed = false;

  constructor(parts: MemoryImageParts) {
    this.source = parts.source;
    this.name = parts.source.name;
    this.format = parts.format;
    this.map = parts.map;
    this.missing = parts.missing ?? [];
    this.bytesHeld = parts.bytesHeld ?? parts.map.bytesHeld;
    this.explain = parts.explain ?? (() => undefined);
    this.highestAddress = Math.max(0, (parts.end ?? parts.map.end) - 1);
    if (parts.knows) this.knows = parts.knows;
    this.cache = new FrameCache(parts.cacheBytes ?? CACHE_BYTES, (start, target) => this.read(start, target));
  }

  /** Contiguous pieces after joining neighbours and aliases. */
  get segments(): number {
    return this.map.count;
  }

  /** Half-open physical ranges held, by ascending address; at most `limit`. */
  ranges(limit: number): MissingRange[] {
    return Array.from({ length: Math.min(limit, this.map.count) }, (_, index) => {
      const { paddr, length } = this.map.segment(index);
      return { start: paddr, end: paddr + length };
    });
  }

  get generation(): number {
    return this.cache.generation;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const slot = frame & (VIEWS - 1);
    if (this.viewed[slot] === frame) return this.views[slot];
    if (this.closed) return undefined;
    const { map, source } = this;
    const start = frame * FRAME_BYTES;
    const index = map.find(start);
    if (index < 0) return undefined;
    if (start + FRAME_BYTES <= (map.ends[index] ?? 0)) {
      const offset = map.offsets[index] ?? 0;
      if (offset === ZEROS) return ZERO_FRAME;
      const words = source.words?.(offset + start - (map.starts[index] ?? 0), FRAME_WORDS);
      if (words) {
        this.viewed[slot] = frame;
        this.views[slot] = words;
        return words;
      }
    }
    return this.cache.frame(frame);
  }

  /**
   * Fills `target` with the bytes from physical address `start` on, as far as they are held without a gap.
   *
   * @returns Bytes read.
   */
  read(start: number, target: Uint8Array): number {
    let done = 0;
    while (done < target.length && !this.closed) {
      const address = start + done;
      const index = this.map.find(address);
      if (index < 0) break;
      const wanted = Math.min(target.length - done, (this.map.ends[index] ?? 0) - address);
      const part = target.subarray(done, done + wanted);
      const got = this.readSegment(index, address, part);
      done += got;
      if (got < wanted) break;
    }
    return done;
  }

  private readSegment(index: number, address: number, target: Uint8Array): number {
    const offset = this.map.offsets[index] ?? 0;
    if (offset === ZEROS) {
      target.fill(0);
      return target.length;
    }
    return this.source.read(offset + address - (this.map.starts[index] ?? 0), target);
  }

  explainMissing(frame: FrameNumber): string {
    const start = frame * FRAME_BYTES;
    const end = start + FRAME_BYTES;
    const what = `physical address ${hex(start)}`;
    if (this.closed) return `${what} cannot be read: ${this.name} was closed`;
    const known = this.explain(start);
    if (known !== undefined) return `${what} ${known}`;
    const lacking = this.missing.find((range) => range.start < end && start < range.end);
    if (lacking) {
      const range = `${hex(lacking.start)}-${hex(lacking.end)}`;
      return `${what} is past the end of the file: ${this.name} is truncated and lacks ${range}`;
    }
    const index = this.map.find(start);
    if (index >= 0 && this.readFrame(frame) === undefined) {
      const fault = this.source.fault?.();
      if (fault !== undefined) return `${what} cannot be read: ${fault}`;
      return `${what} is only partly in the image (the segment ends at ${hex(this.map.ends[index] ?? 0)})`;
    }
    const nearest = this.nearest(start);
    return nearest === ''
      ? `${what} is not in the image`
      : `${what} is not in the image (nearest: ${nearest})`;
  }

  private nearest(address: number): string {
    const below = this.map.atOrBelow(address);
    return [below, below + 1]
      .filter((index) => index >= 0 && index < this.map.count)
      .map((index) => `${hex(this.map.starts[index] ?? 0)}-${hex(this.map.ends[index] ?? 0)}`)
      .join(' and ');
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cache.clear();
    this.viewed.fill(-1);
    this.views.fill(undefined);
    this.source.close();
  }
}
