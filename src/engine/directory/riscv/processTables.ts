import { bits, reservedMask } from '../../bits/bitFields';
import { FRAME_ENTRIES, readWord } from '../../memory/words';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { frameNumber, pasid, type FrameNumber, type Pasid } from '../../values';
import { type StructureEntry } from '../deviceDirectory';
import { type Fault } from '../../faults';
import {
  anySet,
  readStructure,
  refusal,
  refusedBelow,
  type Refusal,
  type StructurePlace,
} from '../structures';
import { processProblem } from './contextChecks';
import { PDTE_LAYOUT, PROCESS_MODES, modeName, sayPointer, sayProcess, type DeviceContext } from './entries';
import { type RiscvRegisters } from './registers';

/** Bits of PDI[0], PDI[1] and PDI[2] (RISC-V IOMMU 1.0 §2). */
const WIDTHS = [8, 9, 3];
/** Lowest process_id bit that selects an entry at a level. */
const SHIFTS = [0, 8, 17, 20];
const POINTER_RESERVED = PDTE_LAYOUT.map(reservedMask);
const PROCESS_WORDS = 2;

/** A process context that was found, or why there is none. */
type LocatedProcess =
  { readonly ok: true; readonly words: readonly bigint[] } | { readonly ok: false; readonly answer: Refusal };

/** The process directory of a device context whose pdtp.MODE is not Bare: one to three levels. */
export class ProcessTables {
  readonly #memory: PhysicalMemory;
  readonly #registers: RiscvRegisters;
  readonly #context: DeviceContext;
  /** Translates what the guest gives as addresses; undefined without a second stage. */
  readonly #stage2: AddressSpace | undefined;

  constructor(
    memory: PhysicalMemory,
    registers: RiscvRegisters,
    context: DeviceContext,
    stage2: AddressSpace | undefined,
  ) {
    this.#memory = memory;
    this.#registers = registers;
    this.#context = context;
    this.#stage2 = stage2;
  }

  /** PD8, PD17 and PD20 are 1, 2 and 3 levels. */
  get #levels(): number {
    return this.#context.first.mode;
  }

  /** Why a process_id is wider than the directory; undefined when it is not. */
  tooWide(process: Pasid): Refusal | undefined {
    const width = SHIFTS[this.#levels] ?? 0;
    if (process < 2 ** width) return undefined;
    const mode = modeName(PROCESS_MODES, this.#levels) ?? '';
    const why = `process_id 0x${process.toString(16)} is wider than the ${width} bits of pdtp mode ${mode}.`;
    return refusal('pasid-out-of-range', why);
  }

  /** Walks to a process context; the entries read are added to `entries`. */
  locate(process: Pasid, entries: StructureEntry[]): LocatedProcess {
    let table = frameNumber(this.#context.first.page);
    for (let level = this.#levels - 1; level > 0; level--) {
      const index = Math.floor(process / 2 ** (SHIFTS[level] ?? 0)) % 2 ** (WIDTHS[level] ?? 0);
      const read = this.#read({ role: 'process-directory', table, index, words: 1 }, sayPointer, entries);
      if (!read.ok) return read;
      const [word = 0n] = read.words;
      const which = `The level-${level} entry of the process directory`;
      if (bits(word, 0) === 0n) return refuse('process-entry-not-present', `${which} is not valid.`);
      if (anySet(read.words, POINTER_RESERVED))
        return refuse('process-entry-reserved', `${which} has reserved bits set.`);
      table = pointed(word);
    }
    const index = process % 2 ** (WIDTHS[0] ?? 0);
    const read = this.#read({ role: 'process', table, index, words: PROCESS_WORDS }, sayProcess, entries);
    if (!read.ok) return read;
    if (bits(read.words[0] ?? 0n, 0) === 0n)
      return refuse('process-entry-not-present', `The context of process_id ${process} is not valid.`);
    const problem = processProblem(read.words, this.#context, this.#registers);
    return problem ? { ok: false, answer: problem } : read;
  }

  /** process_ids whose context is valid, in order, read in `memory` as the guest's addresses; undefined after each table. */
  processes(memory: PhysicalMemory): Generator<Pasid | undefined> {
    return this.#below(memory, frameNumber(this.#context.first.page), this.#levels - 1, 0);
  }

  *#below(
    memory: PhysicalMemory,
    table: FrameNumber,
    level: number,
    first: number,
  ): Generator<Pasid | undefined> {
    const stride = level === 0 ? PROCESS_WORDS : 1;
    const count = Math.min(2 ** (WIDTHS[level] ?? 0), FRAME_ENTRIES);
    // Copied: what follows reads other frames, and this one may be overwritten then.
    const frame = memory.readFrame(table)?.slice();
    for (let index = 0; frame && index < count; index++) {
      const word = readWord(frame, index * stride);
      if (bits(word, 0) === 0n) continue;
      const start = first + index * 2 ** (SHIFTS[level] ?? 0);
      if (level === 0) yield pasid(start);
      else if (!anySet([word], POINTER_RESERVED)) yield* this.#below(memory, pointed(word), level - 1, start);
    }
    yield undefined;
  }

  #read(
    place: StructurePlace,
    say: (words: readonly bigint[]) => string,
    entries: StructureEntry[],
  ): LocatedProcess {
    const read = readStructure(this.#memory, this.#stage2, place, say);
    if (read.ok) {
      entries.push(read.entry);
      return { ok: true, words: read.entry.words };
    }
    if (read.refused) {
      const what = `The ${place.role === 'process' ? 'process context' : 'process-directory entry'}`;
      return { ok: false, answer: refusedBelow(read.refused, this.#stage2, { what, told: structureFault }) };
    }
    return refuse('process-entry-unreadable', `The process directory cannot be read: ${read.why}.`);
  }
}

function refuse(fault: Fault, why: string): LocatedProcess {
  return { ok: false, answer: refusal(fault, why) };
}

/** Access faults of the second stage are those of the directory's own entry (RISC-V IOMMU 1.0 §2.3.2, cause 265). */
export function structureFault(fault: Fault): Fault {
  return fault === 'table-unreadable' || fault === 'address-size' ? 'process-entry-unreadable' : fault;
}

const pointed = (word: bigint): FrameNumber => frameNumber(Number(bits(word, 53, 10)));
