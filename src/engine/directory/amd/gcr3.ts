import { bits } from '../../bits/bitFields';
import { readWord } from '../../memory/words';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { frameNumber, hex, type FrameNumber, type Pasid } from '../../values';
import { type StructureEntry } from '../deviceDirectory';
import { anySet, readStructure, refusal, refusedBelow, type Refusal } from '../structures';
import { GCR3_RESERVED, sayGcr3, type DeviceTableEntry } from './entries';

/** Each level of a GCR3 table takes this many bits of the PASID. */
export const PASID_BITS_OF_LEVEL = 9;
const TABLE_ENTRIES = 2 ** PASID_BITS_OF_LEVEL;
const PASIDS = 2 ** 20;

/** The roots of guest tables by PASID: GCR3 tables of 1 to 3 levels. */
export class Gcr3Tables {
  readonly #memory: PhysicalMemory;
  readonly #notAddress: bigint;

  constructor(memory: PhysicalMemory, notAddress: bigint) {
    this.#memory = memory;
    this.#notAddress = notAddress;
  }

  /**
   * The root of the guest tables of a PASID that the table has a place for. `stage2`: the tables are at guest physical
   * addresses. The entries read are added to `entries`.
   */
  lookup(
    { gcr3Root, glx }: DeviceTableEntry,
    pasid: number,
    stage2: AddressSpace | undefined,
    entries: StructureEntry[],
  ): { readonly ok: true; readonly root: FrameNumber } | { readonly ok: false; readonly refusal: Refusal } {
    let table = this.#frameAt(gcr3Root);
    for (let level = glx; level >= 0; level--) {
      const index = (pasid >> (PASID_BITS_OF_LEVEL * level)) % TABLE_ENTRIES;
      const role = level === 0 ? ('process' as const) : ('process-directory' as const);
      const read = readStructure(this.#memory, stage2, { role, table, index, words: 1 }, sayGcr3);
      const name = `The level-${level + 1} GCR3 table entry of PASID ${hex(pasid)}`;
      if (!read.ok) return { ok: false, refusal: refused(read, stage2, name) };
      entries.push(read.entry);
      const [word = 0n] = read.entry.words;
      if (bits(word, 0) === 0n) {
        return { ok: false, refusal: refusal('process-entry-not-present', `${name} is not valid.`) };
      }
      if (anySet(read.entry.words, GCR3_RESERVED)) {
        return { ok: false, refusal: refusal('process-entry-reserved', `${name} has reserved bits set.`) };
      }
      table = this.#frameAt(word);
    }
    return { ok: true, root: table };
  }

  /** PASIDs that have a valid entry, in order; undefined after each table that was read. `memory`: where the tables are. */
  *present(memory: PhysicalMemory, { gcr3Root, glx }: DeviceTableEntry): Generator<Pasid | undefined> {
    yield* this.#presentIn(memory, this.#frameAt(gcr3Root), glx, 0);
  }

  *#presentIn(
    memory: PhysicalMemory,
    table: FrameNumber,
    level: number,
    first: number,
  ): Generator<Pasid | undefined> {
    const frame = memory.readFrame(table);
    // The words are copied: what follows reads other frames, and this one may be overwritten.
    const words = frame && Array.from({ length: TABLE_ENTRIES }, (_, index) => readWord(frame, index));
    yield undefined;
    for (const [index, word] of (words ?? []).entries()) {
      const pasid = first + index * TABLE_ENTRIES ** level;
      if (pasid >= PASIDS) return;
      if (bits(word, 0) === 0n) continue;
      if (level === 0) yield pasid as Pasid;
      else yield* this.#presentIn(memory, this.#frameAt(word), level - 1, pasid);
    }
  }

  #frameAt(word: bigint): FrameNumber {
    return frameNumber(Number((bits(word, 51, 12) << 12n) & ~this.#notAddress) / 4096);
  }
}

function refused(
  read: Exclude<ReturnType<typeof readStructure>, { ok: true }>,
  stage2: AddressSpace | undefined,
  name: string,
): Refusal {
  if (read.refused) return refusedBelow(read.refused, stage2, { what: name });
  const hint = 'Check that the image holds the GCR3 tables.';
  return refusal('process-entry-unreadable', `${name} cannot be read: ${read.why}.`, hint);
}
