import { type PhysicalMemory } from '../../src/engine/memory/physicalMemory';
import { FRAME_WORDS, type FrameNumber } from '../../src/engine/values';

/** Arrays that a memory must keep apart: one given stays as it is until 64 others were. */
const KEPT = 65;

/** A memory that writes over what it gave, as soon as `PhysicalMemory.readFrame` allows that. */
export class RingMemory implements PhysicalMemory {
  readonly #inner: PhysicalMemory;
  readonly #ring = Array.from({ length: KEPT }, () => new Uint32Array(FRAME_WORDS));
  #reads = 0;

  constructor(inner: PhysicalMemory) {
    this.#inner = inner;
  }

  get generation(): number {
    return this.#reads;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const held = this.#inner.readFrame(frame);
    const given = held && this.#ring[this.#reads++ % KEPT];
    given?.set(held ?? []);
    return given;
  }

  explainMissing(frame: FrameNumber): string {
    return this.#inner.explainMissing(frame);
  }
}
