import { type StructureMemory } from './structureMemory';

const FRAME = 4096;

/** A page that hardware writes completions to. */
export class StatusPage {
  readonly #memory: StructureMemory;
  #address = 0;
  #taken = 0;

  constructor(memory: StructureMemory) {
    this.#memory = memory;
  }

  /** False: memory is full. */
  make(): boolean {
    this.#address = this.#memory.allocate(FRAME) ?? 0;
    return this.#address !== 0;
  }

  /** The next number that a completion stores: never 0, which the page begins with, and at most 32 bits. */
  takeNumber(): bigint {
    this.#taken = (this.#taken % 0xffff_ffff) + 1;
    return BigInt(this.#taken);
  }

  addressOf(word: number): number {
    return this.#address + 8 * word;
  }

  read(word: number): bigint {
    return this.#memory.read(this.addressOf(word));
  }
}
