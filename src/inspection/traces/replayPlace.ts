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
  const { starts, ends } = mappedFrames(spaces);
  let at = FIRST_FRAME;
  let best = { start: at, frames: 0 };
  let ended = 0;
  for (let started = 0; started <= starts.length; started++) {
    const start = Math.min(starts[started] ?? END_FRAME, END_FRAME);
    // What began before has ended, too: nothing is mapped from `at` on.
    if (ended === started && start > at) {
      if (start - at >= frames) return { start: at, frames };
      if (start - at > best.frames) best = { start: at, frames: start - at };
    }
    for (
      let end = ends[ended];
      end !== undefined && end <= (starts[started + 1] ?? END_FRAME);
      end = ends[ended]
    ) {
      ended++;
      // Tables of the larger granules take several frames, at a multiple of as many.
      at = Math.max(at, Math.ceil(end / 16) * 16);
    }
  }
  return best;
}

/** Where mappings begin, and where they end: each ascending. */
function mappedFrames(spaces: readonly LiveSpace[]): {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
} {
  const count = spaces.reduce((sum, { live }) => sum + live.count, 0);
  const starts = new Float64Array(count);
  const ends = new Float64Array(count);
  let known = 0;
  for (const { live } of spaces) {
    for (const { start, end, frame } of live.within()) {
      if (Number.isNaN(frame)) continue;
      starts[known] = frame;
      ends[known++] = frame + end - start;
    }
  }
  return { starts: starts.subarray(0, known).sort(), ends: ends.subarray(0, known).sort() };
}
