import { frameOf, readWord } from '../memory/words';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type AddressSpace } from '../pageTable/addressSpace';
import { levelOf } from '../formats/compile';
import { type TableWalk } from '../pageTable/tableWalk';
import { walkTables } from '../pageTable/walk';
import { FRAME_BYTES, frameHalves, frameNumber, type FrameNumber } from '../values';
import { type DirectoryAnswer, type StructureEntry, type StructureRole } from './deviceDirectory';
import { type Fault } from '../faults';

/** An answer that ends a request. */
export type Refusal = Extract<DirectoryAnswer, { kind: 'fault' }>;

/** `why` and `hint` are whole sentences. */
export function refusal(fault: Fault, why: string, hint?: string): Refusal {
  return { kind: 'fault', fault, why, ...(hint === undefined ? {} : { hint }) };
}

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
    ...(under && stage2 ? { under, through: stage2 } : {}),
  };
  return { ok: true, entry };
}

/** How a vendor tells of an access to a structure that stage 2 refused. */
interface RefusedBelow {
  /** `The context descriptor` */
  readonly what: string;
  /** The fault that hardware gives for one of the walk, where it is another. */
  readonly told?: (fault: Fault) => Fault;
  /** What the vendor calls the address; absent: `guest physical address`. */
  readonly address?: string;
}

/** What it means that stage 2 refused the access to an entry of a process. */
export function refusedBelow(
  { outcome, inputLo, inputHi }: TableWalk,
  stage2: AddressSpace | undefined,
  { what, told, address = 'guest physical address' }: RefusedBelow,
): Refusal {
  const at = ((BigInt(inputHi >>> 0) << 32n) | BigInt(inputLo >>> 0)).toString(16);
  const fault = outcome.ok ? 'process-entry-unreadable' : outcome.fault;
  const depth = outcome.ok ? 0 : outcome.depth;
  const why = `${what} is at ${address} 0x${at}, and stage 2 refuses the access (${fault}).`;
  return {
    ...refusal(told?.(fault) ?? fault, why),
    stage: 2,
    level: depth === 0 || !stage2 ? null : levelOf(stage2.format, depth).rule.level,
    ...(stage2
      ? { access: { space: stage2.forTables ?? stage2, addressLo: inputLo, addressHi: inputHi } }
      : {}),
  };
}

/** True when a word has a bit of its mask. */
export function anySet(words: readonly bigint[], masks: readonly bigint[]): boolean {
  return words.some((word, index) => (word & (masks[index] ?? 0n)) !== 0n);
}
