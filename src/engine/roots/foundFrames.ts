import { type PhysicalMemory } from '../memory/physicalMemory';
import { frameNumber } from '../values';
import { countWhere, type SignatureId } from './signature';

/** Frames of one form that are kept: memory of a machine has a few hundred at most, other data hardly any. */
const MOST_KEPT = 2 ** 18;

/** Frames of one piece of the map of zeros. */
const PIECE_FRAMES = 2 ** 15;

/** The frames that have the form of device structures. */
export class FoundFrames {
  readonly #memory: PhysicalMemory;
  readonly #byForm = new Map<SignatureId, Map<number, number>>();
  /** The first word that is not 0 of each, by form. */
  readonly #firstWords = new Map<SignatureId, Map<number, number>>();
  /** A bit for each frame of zeros, in pieces where there are any. */
  readonly #zeros = new Map<number, Uint32Array>();
  /** First frame number beyond the memory. */
  readonly limit: number;
  /** True when frames of a form were left out because there were too many. */
  overflowed = false;

  constructor(memory: PhysicalMemory, limit: number) {
    this.#memory = memory;
    this.limit = limit;
  }

  /**
   * Keeps a frame with its number of present entries and its first 64-bit word that is not 0. Frames come in the order of
   * their addresses.
   */
  add(id: SignatureId, frame: number, entries: number, firstWord: number): void {
    const known = this.#byForm.get(id) ?? new Map<number, number>();
    const words = this.#firstWords.get(id) ?? new Map<number, number>();
    this.#byForm.set(id, known);
    this.#firstWords.set(id, words);
    if (known.size < MOST_KEPT) {
      known.set(frame, entries);
      words.set(frame, firstWord);
    } else this.overflowed = true;
  }

  /**
   * The frames of a form whose first pointer leads to a frame of one of the forms `to`, or of zeros: the others need not be
   * read again. `unit`: what a word is divided by for the frame number it points to.
   */
  leading(id: SignatureId, unit: number, to: readonly SignatureId[]): readonly number[] {
    return [...(this.#firstWords.get(id) ?? [])].flatMap(([frame, word]) => {
      const target = Math.floor(word / unit);
      return this.isZero(target) || to.some((form) => this.has(form, target)) ? [frame] : [];
    });
  }

  /** All frames of a form, by address. */
  frames(id: SignatureId): readonly number[] {
    return [...(this.#byForm.get(id)?.keys() ?? [])];
  }

  has(id: SignatureId, frame: number): boolean {
    return this.#byForm.get(id)?.has(frame) ?? false;
  }

  /** Present entries of a form in the `frames` frames from `first` on. */
  entries(id: SignatureId, first: number, frames: number): number {
    const known = this.#byForm.get(id);
    let entries = 0;
    for (let frame = first; known && frame < first + frames; frame++) entries += known.get(frame) ?? 0;
    return entries;
  }

  /** Entries of `halves` words in the frames from `first` on for which `test` holds. */
  count(
    first: number,
    frames: number,
    halves: number,
    test: (words: Uint32Array, at: number) => boolean,
  ): number {
    let count = 0;
    for (let frame = first; frame < first + frames; frame++)
      count += countWhere(this.read(frame), halves, test);
    return count;
  }

  /** A copy of a frame's words, which stays as it is; undefined when the frame is not held. */
  read(frame: number): Uint32Array | undefined {
    return this.#memory.readFrame(frameNumber(frame))?.slice();
  }

  addZero(frame: number): void {
    const number = Math.floor(frame / PIECE_FRAMES);
    let piece = this.#zeros.get(number);
    if (!piece) this.#zeros.set(number, (piece = new Uint32Array(PIECE_FRAMES / 32)));
    const at = frame % PIECE_FRAMES;
    piece[at >>> 5] = (piece[at >>> 5] ?? 0) | (1 << (at & 31));
  }

  /** Whether the memory holds the frame and all of it is 0. */
  isZero(frame: number): boolean {
    const piece = this.#zeros.get(Math.floor(frame / PIECE_FRAMES));
    const at = frame % PIECE_FRAMES;
    return (((piece?.[at >>> 5] ?? 0) >>> (at & 31)) & 1) === 1;
  }
}
