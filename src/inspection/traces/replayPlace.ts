import { type LiveSpace } from '../../trace/replay/replay';

/** From here on, so that tables are not taken for something of a small machine's low memory. */
const FIRST_FRAME = 2 ** 20;
/** Frames of 46 bits of physical address: every vendor's tables and structures can point there. */
const END_FRAME = 2 ** 34;
/** Structures of devices and queues: a few thousand frames at most. */
const STRUCTURES = 2 ** 14;

/** Frames that the tables of these mappings take at most. */
export function framesNeeded(spaces: readonly LiveSpace[], levels: number): number {
  let frames = STRUCTURES;
  // A mapping has at its two ends a table of each level of its own at most, and whole ones between.
  for (const { live } of spaces) frames += live.count * 2 * levels + Math.ceil(live.pages / 256) + levels;
  return frames;
}

/** The first frames, one after the other, of which nothing is mapped; as many as there are when so many are nowhere. */
export function freePlace(
  spaces: readonly LiveSpace[],
  frames: number,
): { readonly start: number; readonly frames: number } {
  const used: { readonly start: number; readonly end: number }[] = [];
  for (const { live } of spaces)
    for (const { start, end, frame } of live.within())
      if (!Number.isNaN(frame)) used.push({ start: frame, end: frame + end - start });
  used.sort((one, other) => one.start - other.start);
  let at = FIRST_FRAME;
  let best = { start: at, frames: 0 };
  for (const { start, end } of [...used, { start: END_FRAME, end: END_FRAME }]) {
    if (start - at >= frames) return { start: at, frames };
    if (start - at > best.frames) best = { start: at, frames: start - at };
    // Tables of the larger granules take several frames, at a multiple of as many.
    at = Math.max(at, Math.ceil(end / 16) * 16);
  }
  return best;
}
