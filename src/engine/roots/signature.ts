/** Frames of device structures, told by their words alone: what the first pass over a memory looks for. */

/** 32-bit words of a frame. */
export const HALVES = 1024;
/** Frames in 4 GiB: what bit 0 of the high word of a pointer stands for. */
const FRAMES_PER_HIGH = 0x100000;

/**
 * Counts the present entries of a frame when all of it has the form of one kind of structure, else gives 0.
 *
 * @param words Holds the frame from word `base` on.
 * @param first The first word of the frame that is not 0, counted from `base`.
 * @param limit First frame number beyond the memory: pointers are below it.
 */
export type CountEntries = (words: Uint32Array, base: number, first: number, limit: number) => number;

/** Whether the entry at word `at` has the form it must have. */
export type EntryForm = (words: Uint32Array, at: number, limit: number) => boolean;

export interface FrameSignature {
  readonly id: SignatureId;
  readonly count: CountEntries;
}

export type SignatureId =
  | 'vt-d root'
  | 'vt-d context'
  | 'vt-d scalable context'
  | 'amd dte'
  | 'smmu l1'
  | 'smmu ste'
  | 'riscv pointer'
  | 'riscv context'
  | 'riscv extended context';

/**
 * Entries of `halves` 32-bit words whose bit 0 says that they are present. Those that are not must be `isAbsent`: a table
 * that software keeps has nothing else in it, and other data fails here within a few words.
 */
export function entriesOf(halves: number, isPresent: EntryForm, isAbsent = allZero(halves)): CountEntries {
  return (words, base, first, limit) => {
    let count = 0;
    const end = base + HALVES;
    for (let at = base + first - (first % halves); at < end; at += halves) {
      if (((words[at] ?? 0) & 1) === 0) {
        if (!isAbsent(words, at, limit)) return 0;
      } else {
        if (!isPresent(words, at, limit)) return 0;
        count++;
      }
    }
    return count;
  };
}

function allZero(halves: number): EntryForm {
  return (words, at) => zeros(words, at, at + halves);
}

/** Whether words [from, to) are 0. */
export function zeros(words: Uint32Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (words[at] !== 0) return false;
  return true;
}

/** Frame number in bits 51:12 of the 64-bit word at `at`. */
export function frameAt(words: Uint32Array, at: number): number {
  return ((words[at + 1] ?? 0) & 0xfffff) * FRAMES_PER_HIGH + ((words[at] ?? 0) >>> 12);
}

/** Entries of `halves` words for which `test` holds, in words that hold whole frames. */
export function countWhere(
  words: Uint32Array | undefined,
  halves: number,
  test: (words: Uint32Array, at: number) => boolean,
): number {
  let count = 0;
  for (let at = 0; words && at < words.length; at += halves) if (test(words, at)) count++;
  return count;
}

/** Whether a pointer leads to a frame of the memory; frame 0 holds no tables. */
export const isHeldFrame = (frame: number, limit: number): boolean => frame > 0 && frame < limit;
