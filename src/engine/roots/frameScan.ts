import { FRAME_BYTES } from '../values';
import { type FoundFrames } from './foundFrames';
import { HALVES, type FrameSignature } from './signature';

/** Half-open, physical bytes. */
export interface HeldRange {
  readonly start: number;
  readonly end: number;
}

/** Fills `target` from a physical address on; returns how many bytes are held without a gap. */
export type ReadBytes = (start: number, target: Uint8Array) => number;

/** Frames read at once: a processor's second cache holds them. */
const FRAMES_AT_ONCE = 64;
/** Where bits 4:0 of an even first word may be a Span; all other forms have bit 0 of their first word set. */
const SPAN_BITS = 0x1f;
const MOST_SPAN = 11;

/**
 * Reads all frames of `ranges` once and keeps those that have one of the forms. Yields the number of frames read since the
 * last yield.
 */
export function* scanFrames(
  read: ReadBytes,
  ranges: readonly HeldRange[],
  signatures: readonly FrameSignature[],
  found: FoundFrames,
): Generator<number> {
  const bytes = new Uint8Array(FRAMES_AT_ONCE * FRAME_BYTES);
  const words = new Uint32Array(bytes.buffer);
  for (const { start, end } of wholeFrames(ranges)) {
    for (let frame = start; frame < end;) {
      const wanted = Math.min(FRAMES_AT_ONCE, end - frame);
      const got = read(frame * FRAME_BYTES, bytes.subarray(0, wanted * FRAME_BYTES));
      const frames = Math.floor(got / FRAME_BYTES);
      for (let each = 0; each < frames; each++) {
        lookAt(words, each * HALVES, frame + each, signatures, found);
      }
      // A frame that cannot be read is passed over.
      const passed = frames < wanted ? frames + 1 : frames;
      frame += passed;
      yield passed;
    }
  }
}

function lookAt(
  words: Uint32Array,
  base: number,
  frame: number,
  signatures: readonly FrameSignature[],
  found: FoundFrames,
): void {
  const first = firstNonZero(words, base);
  if (first === HALVES) found.addZero(frame);
  if (first === HALVES || (first & 1) !== 0) return;
  const word = words[base + first] ?? 0;
  if (
    (word & 1) === 0 &&
    ((word & 0x20) !== 0 || (word & SPAN_BITS) === 0 || (word & SPAN_BITS) > MOST_SPAN)
  ) {
    return;
  }
  for (const { id, count } of signatures) {
    const entries = count(words, base, first, found.limit);
    if (entries > 0) found.add(id, frame, entries, word + (words[base + first + 1] ?? 0) * 2 ** 32);
  }
}

/** The first word of a frame that is not 0; HALVES for a frame of zeros. */
function firstNonZero(words: Uint32Array, base: number): number {
  let at = base;
  const end = base + HALVES;
  // Eight at a time: most frames are zeros, or differ in their first words.
  while (
    at < end &&
    ((words[at] ?? 0) |
      (words[at + 1] ?? 0) |
      (words[at + 2] ?? 0) |
      (words[at + 3] ?? 0) |
      (words[at + 4] ?? 0) |
      (words[at + 5] ?? 0) |
      (words[at + 6] ?? 0) |
      (words[at + 7] ?? 0)) ===
      0
  ) {
    at += 8;
  }
  while (at < end && words[at] === 0) at++;
  return at - base;
}

/** Ranges of frame numbers, neighbours joined: a frame may stand in two pieces of the file. */
export function wholeFrames(ranges: readonly HeldRange[]): HeldRange[] {
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of ranges) {
    const last = joined.at(-1);
    if (last?.end === start) last.end = end;
    else joined.push({ start, end });
  }
  return joined
    .map(({ start, end }) => ({
      start: Math.ceil(start / FRAME_BYTES),
      end: Math.floor(end / FRAME_BYTES),
    }))
    .filter(({ start, end }) => start < end);
}
