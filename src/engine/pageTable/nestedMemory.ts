import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_ENTRIES, frameOf, readEntry, type EntryHalves } from '../memory/words';
import { frameHalves, frameNumber, type FrameNumber } from '../values';
import { type AddressSpace } from './addressSpace';
import { walkTables } from './walk';

/** Frames whose translation is kept, by all guest memories of a physical one together. */
export const MOST_KEPT_FRAMES = 2 ** 18;
const NOT_MAPPED = -1;

/** What the guest memories of one physical memory keep: there may be one for each virtual machine. */
class KeptFrames {
  /** Those that are not empty: guest frame -> physical frame. */
  #maps: Map<number, number>[] = [];
  #count = 0;

  add(map: Map<number, number>, guest: number, physical: number): void {
    if (this.#count === MOST_KEPT_FRAMES) {
      for (const each of this.#maps) each.clear();
      this.#maps = [];
      this.#count = 0;
    }
    if (map.size === 0) this.#maps.push(map);
    map.set(guest, physical);
    this.#count++;
  }

  drop(map: Map<number, number>): void {
    if (map.size === 0) return;
    this.#maps = this.#maps.filter((each) => each !== map);
    this.#count -= map.size;
    map.clear();
  }
}

const keptOf = new WeakMap<PhysicalMemory, KeptFrames>();

/** Guest physical memory: what stage 2 makes of it. Tables of stage 1 are read from here. */
export class NestedMemory implements PhysicalMemory {
  readonly #physical: PhysicalMemory;
  readonly #stage2: AddressSpace;
  readonly #budget: KeptFrames;
  /** Guest frame -> physical frame. */
  readonly #kept = new Map<number, number>();
  /** Of the physical memory, when the first of them was kept. */
  #version: number | undefined;
  /** Absent where all of the physical memory is known: nobody then asks for each word. */
  readonly knows?: (frame: FrameNumber, index: number) => boolean;

  constructor(physical: PhysicalMemory, stage2: AddressSpace) {
    this.#physical = physical;
    this.#stage2 = stage2;
    this.#budget = keptOf.get(physical) ?? new KeptFrames();
    keptOf.set(physical, this.#budget);
    this.#version = physical.version;
    if (!physical.knows) return;
    this.knows = (guest, index) => {
      const frame = this.physicalFrame(guest);
      return frame === undefined || (physical.knows?.(frame, index) ?? true);
    };
  }

  /** Frames whose translation is kept now. */
  get kept(): number {
    return this.#kept.size;
  }

  get generation(): number {
    return this.#physical.generation;
  }

  get version(): number | undefined {
    return this.#physical.version;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const physical = this.physicalFrame(frame);
    return physical === undefined ? undefined : this.#physical.readFrame(physical);
  }

  readEntry(table: FrameNumber, index: number, into: EntryHalves): boolean {
    const physical = this.physicalFrame(frameOf(table, index));
    return physical !== undefined && readEntry(this.#physical, physical, index % FRAME_ENTRIES, into);
  }

  explainMissing(frame: FrameNumber): string {
    const physical = this.physicalFrame(frame);
    if (physical !== undefined) return this.#physical.explainMissing(physical);
    return `guest frame 0x${(BigInt(frame) << 12n).toString(16)} is not mapped by stage 2`;
  }

  /** Where stage 2 puts a guest frame; undefined when it cannot be read there. */
  physicalFrame(frame: FrameNumber): FrameNumber | undefined {
    const { version } = this.#physical;
    if (version !== this.#version) {
      this.#budget.drop(this.#kept);
      this.#version = version;
    }
    const kept = this.#kept.get(frame);
    if (kept !== undefined) return kept === NOT_MAPPED ? undefined : frameNumber(kept);
    const { lo, hi } = frameHalves(frame);
    const { outcome } = walkTables(this.#stage2, lo, hi, false);
    const found = outcome.ok ? outcome.paddrHi * 0x100000 + (outcome.paddrLo >>> 12) : NOT_MAPPED;
    this.#budget.add(this.#kept, frame, found);
    return found === NOT_MAPPED ? undefined : frameNumber(found);
  }
}
