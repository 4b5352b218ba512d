import { joinHalves, type EntryHalves } from '../../../memory/words';
import { type FrameAllocator, type WritableMemory } from '../../../memory/writableMemory';
import { FRAME_BYTES, frameNumber } from '../../../values';
import { type SoftwareStep } from '../../softwareStep';
import { type Steps } from '../../../steps';

/** Structures of a driver in memory: frames for them, and their words by physical byte address (multiples of 8). */
export class StructureMemory {
  readonly #memory: WritableMemory;
  readonly #frames: FrameAllocator;
  readonly #writeBack: ((address: number, words: number) => void) | undefined;
  readonly #seen: EntryHalves = { lo: 0, hi: 0 };

  /** `writeBack`: puts words from the CPU's caches to where hardware sees them; absent: it snoops. */
  constructor(
    memory: WritableMemory,
    frames: FrameAllocator,
    writeBack: ((address: number, words: number) => void) | undefined,
  ) {
    this.#memory = memory;
    this.#frames = frames;
    this.#writeBack = writeBack;
  }

  /** Address of `bytes` of zeros, aligned to the power of two above; undefined: memory is full. */
  allocate(bytes: number): number | undefined {
    const frames = 2 ** Math.ceil(Math.log2(Math.max(1, bytes / FRAME_BYTES)));
    const first = this.#frames.allocate(frames);
    return first === undefined ? undefined : first * FRAME_BYTES;
  }

  read(address: number): bigint {
    const { frame, index } = placeOf(address);
    this.#memory.readEntry(frame, index, this.#seen);
    return joinHalves(this.#seen.lo, this.#seen.hi);
  }

  /** `count` words from an address on. */
  readAll(address: number, count: number): bigint[] {
    return Array.from({ length: count }, (_, index) => this.read(address + 8 * index));
  }

  /** Writes words that hardware does not look at yet. */
  put(address: number, words: readonly bigint[]): void {
    for (const [index, word] of words.entries()) this.#write(address + 8 * index, word);
    this.clean(address, words.length);
  }

  /** One store of a word, as a step. */
  *store(name: string, address: number, word: bigint): Steps<SoftwareStep, void> {
    this.put(address, [word]);
    yield { kind: 'store', name, address, word };
  }

  /** One store of 128 bits (AMD writes its entries by halves of that size), as a step that names the first word. */
  *storePair(name: string, address: number, words: readonly [bigint, bigint]): Steps<SoftwareStep, void> {
    this.put(address, words);
    yield { kind: 'store', name: `${name} (128 bits)`, address, word: words[0] };
  }

  clean(address: number, words: number): void {
    this.#writeBack?.(address, words);
  }

  #write(address: number, word: bigint): void {
    const { frame, index } = placeOf(address);
    this.#memory.writeEntry(frame, index, Number(word & 0xffff_ffffn), Number(word >> 32n));
  }
}

function placeOf(address: number) {
  const offset = address % FRAME_BYTES;
  return { frame: frameNumber((address - offset) / FRAME_BYTES), index: offset / 8 };
}
