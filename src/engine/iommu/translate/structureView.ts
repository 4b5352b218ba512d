import { type StructureEntry } from '../../directory/deviceDirectory';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { FRAME_BYTES, frameNumber, type FrameNumber } from '../../values';

/** Memory as directories are looked up in: where an entry is cached, its cached words take the place of what stands there. */
export class StructureView implements PhysicalMemory {
  readonly #memory: PhysicalMemory;
  #shown: readonly StructureEntry[] = [];

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  get generation(): number {
    return this.#memory.generation;
  }

  /** Shows these entries from now on. */
  show(entries: readonly StructureEntry[]): void {
    this.#shown = entries;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const words = this.#memory.readFrame(frame);
    if (!words) return undefined;
    const here = this.#shown.filter(({ address }) => Math.floor(address / FRAME_BYTES) === frame);
    if (here.length === 0) return words;
    const view = words.slice();
    for (const entry of here) {
      entry.words.forEach((word, index) => {
        const at = ((entry.address % FRAME_BYTES) / 8 + index) * 2;
        view[at] = Number(word & 0xffffffffn);
        view[at + 1] = Number(word >> 32n);
      });
    }
    return view;
  }

  explainMissing(frame: FrameNumber): string {
    return this.#memory.explainMissing(frameNumber(frame));
  }
}
