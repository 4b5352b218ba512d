import { type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { FRAME_ENTRIES } from '../memory/words';
import { frameNumber, type FrameNumber } from '../values';
import { classify, isRun, leafFrame, pageShift } from './entry';
import { LEAF } from './entryClass';
import { marksOf, unmarkedHi, unmarkedLo } from './marks';

/** The page that a leaf is, or is a part of. */
export interface FoundPage {
  /** Its entries in the frame, half-open: those of the page, or the one leaf when the others do not agree. */
  readonly first: number;
  readonly end: number;
  /** log2 of the bytes that these entries map. */
  readonly shift: number;
  /** First frame of what the first entry maps. */
  readonly frame: FrameNumber;
  /** The first entry's word. */
  readonly lo: number;
  readonly hi: number;
  /** ACCESSED | DIRTY of any of its entries: hardware may mark any of them. */
  readonly marks: number;
  /** False for a leaf whose neighbours should be like it, and are not. */
  readonly whole: boolean;
}

/** What leaf `index` of a frame of a table belongs to. */
export function pageAt(
  format: CompiledFormat,
  level: CompiledLevel,
  words: Uint32Array,
  index: number,
): FoundPage {
  const lo = words[2 * index] ?? 0;
  const hi = words[2 * index + 1] ?? 0;
  if (isRun(format, level, lo, hi)) return runAt(format, level, words, index);
  const frame = leafFrame(format, level, lo, hi);
  const { shift } = level;
  return { first: index, end: index + 1, shift, frame, lo, hi, marks: marksOf(format, lo, hi), whole: true };
}

function runAt(format: CompiledFormat, level: CompiledLevel, words: Uint32Array, index: number): FoundPage {
  const lo = words[2 * index] ?? 0;
  const hi = words[2 * index + 1] ?? 0;
  const shift = pageShift(format, level, lo, hi);
  const count = 2 ** (shift - level.shift);
  const first = index - (index % count);
  const ownAddress = format.runKind === 'own-address';
  let marks = 0;
  let whole = first + count <= FRAME_ENTRIES;
  for (let at = first; whole && at < first + count; at++) {
    const otherLo = words[2 * at] ?? 0;
    const otherHi = words[2 * at + 1] ?? 0;
    marks |= marksOf(format, otherLo, otherHi);
    whole =
      classify(format, level, otherLo, otherHi) === LEAF &&
      agree(format, level, lo, hi, otherLo, otherHi, ownAddress ? at - index : 0);
  }
  if (whole) {
    const firstLo = words[2 * first] ?? 0;
    const firstHi = words[2 * first + 1] ?? 0;
    const frame = leafFrame(format, level, firstLo, firstHi);
    return { first, end: first + count, shift, frame, lo: firstLo, hi: firstHi, marks, whole };
  }
  const own = leafFrame(format, level, lo, hi);
  const part = ownAddress ? own : own + (index - first) * level.pagesPerEntry;
  return {
    first: index,
    end: index + 1,
    shift: level.shift,
    frame: frameNumber(part),
    lo,
    hi,
    marks: marksOf(format, lo, hi),
    whole,
  };
}

/** Whether two entries of a run say the same but for their marks, and addresses `steps` entries apart. */
function agree(
  format: CompiledFormat,
  level: CompiledLevel,
  lo: number,
  hi: number,
  otherLo: number,
  otherHi: number,
  steps: number,
): boolean {
  const step = format.pageStep * 2 ** (level.shift - (format.levels[1]?.shift ?? level.shift));
  const sum = (unmarkedLo(format, lo, hi) >>> 0) + steps * step;
  const carry = Math.floor(sum / 2 ** 32);
  return (
    unmarkedLo(format, otherLo, otherHi) === (sum | 0) &&
    unmarkedHi(format, otherLo, otherHi) === ((unmarkedHi(format, lo, hi) + carry) | 0)
  );
}
