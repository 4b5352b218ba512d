import { frameOf, readWord } from '../memory/words';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type AddressSpace } from '../pageTable/addressSpace';
import { type TableWalk } from '../pageTable/tableWalk';
import { frameHalves, walkTables } from '../pageTable/walk';
import { FRAME_BYTES, frameNumber, type FrameNumber } from '../values';
import { type StructureEntry, type StructureRole } from './deviceDirectory';

/** Where a structure entry stands: entry `index` of `words` words each, of the table whose first byte is `offset` into a frame. */
export interface StructurePlace {
  readonly role: StructureRole;
  readonly table: FrameNumber;
  /** Bytes, a multiple of 8 below 4096; 0 for page-aligned tables. */
  readonly offset?: number;
  readonly index: number;
  readonly words: number;
}

export type StructureRead =
  | { readonly ok: true; readonly entry: StructureEntry }
  /** Stage 2 refused the access. */
  | { readonly ok: false; readonly refused: TableWalk }
  /** Not in the image; `why` is a sentence's end: `0x1000 is outside ...`. */
  | { readonly ok: false; readonly refused?: undefined; readonly why: string };

/**
 * Reads a structure entry, through stage 2 when its address is a guest physical one. Entries are aligned to their size, so
 * that one never spans frames.
 */
export function readStructure(
  memory: PhysicalMemory,
  stage2: AddressSpace | undefined,
  place: StructurePlace,
  say: (words: readonly bigint[]) => string,
): StructureRead {
  const { role, table, offset = 0, index, words: count } = place;
  const first = offset / 8 + index * count;
  const guest = frameOf(table, first);
  const at = first % 512;
  let frame = guest;
  let under: TableWalk | undefined;
  if (stage2) {
    const { lo, hi } = frameHalves(guest);
    under = walkTables(stage2, lo + at * 8, hi, false);
    if (!under.outcome.ok) return { ok: false, refused: under };
    frame = frameNumber(under.outcome.paddrHi * 0x100000 + (under.outcome.paddrLo >>> 12));
  }
  const held = memory.readFrame(frame);
  if (!held) return { ok: false, why: memory.explainMissing(frame) };
  const words = Array.from({ length: count }, (_, word) => readWord(held, at + word));
  const entry: StructureEntry = {
    role,
    address: frame * FRAME_BYTES + at * 8,
    index,
    words,
    says: say(words),
    ...(under ? { under } : {}),
  };
  return { ok: true, entry };
}

/** True when a word has a bit of its mask. */
export function anySet(words: readonly bigint[], masks: readonly bigint[]): boolean {
  return words.some((word, index) => (word & (masks[index] ?? 0n)) !== 0n);
}
