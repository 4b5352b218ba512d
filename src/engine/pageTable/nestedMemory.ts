import { type PhysicalMemory } from '../memory/physicalMemory';
import { frameHalves, frameNumber, type FrameNumber } from '../values';
import { type AddressSpace } from './addressSpace';
import { walkTables } from './walk';

/** Frames whose translation is kept. */
const MOST_KEPT = 2 ** 18;
const NOT_MAPPED = -1;

/** Guest physical memory: what stage 2 makes of it. Tables of stage 1 are read from here. */
export class NestedMemory implements PhysicalMemory {
  readonly #physical: PhysicalMemory;
  readonly #stage2: AddressSpace;
  /** Guest frame -> physical frame. */
  readonly #kept = new Map<number, number>();

  constructor(physical: PhysicalMemory, stage2: AddressSpace) {
    this.#physical = physical;
    this.#stage2 = stage2;
  }

  get generation(): number {
    return this.#physical.generation;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const physical = this.physicalFrame(frame);
    return physical === undefined ? undefined : this.#physical.readFrame(physical);
  }

  knows(frame: FrameNumber, index: number): boolean {
    const physical = this.physicalFrame(frame);
    return physical === undefined || (this.#physical.knows?.(physical, index) ?? true);
  }

  explainMissing(frame: FrameNumber): string {
    const physical = this.physicalFrame(frame);
    if (physical !== undefined) return this.#physical.explainMissing(physical);
    return `guest frame 0x${(BigInt(frame) << 12n).toString(16)} is not mapped by stage 2`;
  }

  /** Where stage 2 puts a guest frame; undefined when it cannot be read there. */
  physicalFrame(frame: FrameNumber): FrameNumber | undefined {
    const kept = this.#kept.get(frame);
    if (kept !== undefined) return kept === NOT_MAPPED ? undefined : frameNumber(kept);
    const { lo, hi } = frameHalves(frame);
    const { outcome } = walkTables(this.#stage2, lo, hi, false);
    const found = outcome.ok ? outcome.paddrHi * 0x100000 + (outcome.paddrLo >>> 12) : NOT_MAPPED;
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(frame, found);
    return found === NOT_MAPPED ? undefined : frameNumber(found);
  }
}
