import { levelOf, type CompiledFormat } from '../../formats/compile';
import { addressHalves, leafWords, tableWord } from '../../pageTable/encode';
import { type EntryHalves } from '../../memory/words';
import { classify, entryPermission } from '../../pageTable/entry';
import { LEAF, WRITE } from '../../pageTable/entryClass';
import { cleanedHalves } from '../../pageTable/marks';

/** What new entries hold besides address and permission. */
export interface NewMarks {
  /** Leaves are marked accessed. */
  readonly accessed: boolean;
  /** Leaves that may be written are marked dirty. */
  readonly dirty: boolean;
  /** Bits of every new leaf (memory type, shareability, software's own) and of every new table entry. */
  readonly leafBits?: bigint;
  readonly tableBits?: bigint;
}

/** Words of leaves of one kind, with an address of 0. */
export interface LeafTemplate {
  readonly depth: number;
  readonly shift: number;
  readonly permission: number;
  /** Of each entry of the page, as halves one after the other. */
  readonly words: Int32Array;
  readonly entries: number;
  /** Frames from an entry to the next: 0 where all say the first. */
  readonly step: number;
}

/** Makes leaves: encode.ts, with what is the same for all of a kind kept. */
export class LeafEncoder {
  readonly #known = new Map<string, LeafTemplate | undefined>();
  /** Pointers to a table at frame 0, by the depth they stand at. */
  readonly #pointers = new Map<number, EntryHalves>();

  /** The word of a new pointer at a depth to the table below. */
  pointer(format: CompiledFormat, depth: number, frame: number, { tableBits = 0n }: NewMarks): EntryHalves {
    const known = this.#pointers.get(depth) ?? halvesOf(tableWord(format, depth, 0) | tableBits);
    this.#pointers.set(depth, known);
    const halves: EntryHalves = { lo: 0, hi: 0 };
    addressHalves(format, frame, halves);
    return { lo: (known.lo | halves.lo) >>> 0, hi: (known.hi | halves.hi) >>> 0 };
  }

  /** Undefined: the format has no leaf with this permission. `tracked`: hardware may mark it dirty (Arm DBM). */
  template(
    format: CompiledFormat,
    depth: number,
    shift: number,
    permission: number,
    marks: NewMarks,
    tracked: boolean,
  ): LeafTemplate | undefined {
    const key = `${depth} ${shift} ${permission} ${marks.accessed} ${marks.dirty} ${tracked} ${marks.leafBits ?? 0n}`;
    if (this.#known.has(key)) return this.#known.get(key);
    const made = makeTemplate(format, depth, shift, permission, marks, tracked);
    this.#known.set(key, made);
    return made;
  }

  /** The word of entry `index` of a page at `frame`. */
  write(
    format: CompiledFormat,
    { words, step }: LeafTemplate,
    frame: number,
    index: number,
    into: EntryHalves,
  ): void {
    addressHalves(format, frame + index * step, into);
    into.lo = (into.lo | (words[2 * index] ?? 0)) >>> 0;
    into.hi = (into.hi | (words[2 * index + 1] ?? 0)) >>> 0;
  }
}

function makeTemplate(
  format: CompiledFormat,
  depth: number,
  shift: number,
  permission: number,
  marks: NewMarks,
  tracked: boolean,
): LeafTemplate | undefined {
  const mayWrite = (permission & WRITE) !== 0;
  // Where another bit lets hardware mark a leaf dirty (Arm DBM), that bit comes with the mark.
  const hasSwitch =
    (format.dirtyMaskLo | 0) !== format.dirtyMarkLo || format.dirtyMaskHi !== format.dirtyMarkHi;
  const dirty = mayWrite && (hasSwitch ? tracked : marks.dirty);
  const contents = { frame: 0, pageShift: shift, permission, accessed: marks.accessed, dirty };
  const clean = hasSwitch && dirty && !marks.dirty;
  const words = leafWords(format, depth, contents).map((word) => {
    const all = word | (marks.leafBits ?? 0n);
    return clean ? joined(cleanedHalves(format, halvesOf(all))) : all;
  });
  const { lo, hi } = halvesOf(words[0] ?? 0n);
  const found = classify(format, levelOf(format, depth), lo, hi);
  if (found !== LEAF) return undefined;
  // A clean leaf of a format whose mark is the permission to write allows writes only where hardware marks it.
  if (!clean && entryPermission(format, found, lo, hi) !== permission) return undefined;
  const isRun = words.length > 1;
  const step = isRun && format.runKind === 'own-address' ? levelOf(format, depth).pagesPerEntry : 0;
  const halves = Int32Array.from(words.map(halvesOf).flatMap((each) => [each.lo, each.hi]));
  return { depth, shift, permission, words: halves, entries: words.length, step };
}

export function halvesOf(word: bigint): EntryHalves {
  return { lo: Number(word & 0xffff_ffffn), hi: Number(word >> 32n) };
}

const joined = ({ lo, hi }: EntryHalves): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
