import { type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { FRAME_ENTRIES } from '../memory/words';
import { frameNumber, type FrameNumber } from '../values';
import { alignedFrame, classify, isRun, leafFrame, pageShift } from './entry';
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

/** Not the marks of a run. */
const DIFFERENT = -1;

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
  const shift = pageShift(format, level, words[2 * index] ?? 0, words[2 * index + 1] ?? 0);
  const count = 1 << (shift - level.shift);
  const first = index & ~(count - 1);
  const lo = words[2 * first] ?? 0;
  const hi = words[2 * first + 1] ?? 0;
  const inOneFrame = first + count <= FRAME_ENTRIES;
  const good = inOneFrame && (first === index || isOfRun(format, level, lo, hi, shift));
  const marks = good ? marksOfRun(format, level, words, first, count, shift) : DIFFERENT;
  if (marks === DIFFERENT) return partAt(format, level, words, index, index - first);
  const offset = format.runKind === 'own-address' ? level.shift : shift;
  const frame = alignedFrame(format, offset, lo, hi);
  return { first, end: first + count, shift, frame, lo, hi, marks, whole: true };
}

/** One of the entries that should be a page together, and are not. */
function partAt(
  format: CompiledFormat,
  level: CompiledLevel,
  words: Uint32Array,
  index: number,
  place: number,
): FoundPage {
  const lo = words[2 * index] ?? 0;
  const hi = words[2 * index + 1] ?? 0;
  const own = leafFrame(format, level, lo, hi);
  return {
    first: index,
    end: index + 1,
    shift: level.shift,
    frame: frameNumber(format.runKind === 'own-address' ? own : own + place * level.pagesPerEntry),
    lo,
    hi,
    marks: marksOf(format, lo, hi),
    whole: false,
  };
}

/** The marks of any entry of a run, or DIFFERENT when they are not one page. The first one is known to be of a run. */
function marksOfRun(
  format: CompiledFormat,
  level: CompiledLevel,
  words: Uint32Array,
  first: number,
  count: number,
  shift: number,
): number {
  const lo = words[2 * first] ?? 0;
  const hi = words[2 * first + 1] ?? 0;
  const ownAddress = format.runKind === 'own-address';
  const bit = format.pageStepShift + level.shift - (format.levels[1]?.shift ?? level.shift);
  const stepLo = ownAddress && bit < 32 ? 1 << bit : 0;
  const stepHi = ownAddress && bit >= 32 ? 1 << (bit - 32) : 0;
  let marks = marksOf(format, lo, hi);
  let sameLo = unmarkedLo(format, lo, hi);
  let sameHi = unmarkedHi(format, lo, hi);
  const usedLo = lo ^ sameLo;
  const usedHi = hi ^ sameHi;
  for (let at = first + 1; at < first + count; at++) {
    sameLo = (sameLo + stepLo) | 0;
    sameHi = (sameHi + stepHi + (sameLo >>> 0 < stepLo >>> 0 ? 1 : 0)) | 0;
    const otherLo = words[2 * at] ?? 0;
    const otherHi = words[2 * at + 1] ?? 0;
    // Most have the marks of the first.
    if ((otherLo ^ usedLo) === sameLo && (otherHi ^ usedHi) === sameHi) continue;
    const like =
      unmarkedLo(format, otherLo, otherHi) === sameLo && unmarkedHi(format, otherLo, otherHi) === sameHi;
    if (!like || !isOfRun(format, level, otherLo, otherHi, shift)) return DIFFERENT;
    marks |= marksOf(format, otherLo, otherHi);
  }
  return marks;
}

function isOfRun(
  format: CompiledFormat,
  level: CompiledLevel,
  lo: number,
  hi: number,
  shift: number,
): boolean {
  return (
    classify(format, level, lo, hi) === LEAF &&
    isRun(format, level, lo, hi) &&
    pageShift(format, level, lo, hi) === shift
  );
}
