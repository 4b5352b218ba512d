import { bits, reservedMask, type BitField } from '../../bits/bitFields';
import { FRAME_ENTRIES, readWord } from '../../memory/words';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type Failure } from '../../result';
import { frameNumber, requesterId, type FrameNumber, type RequesterId } from '../../values';
import { type StructureEntry } from '../deviceDirectory';
import { MOST_PROBLEMS } from '../processBudget';
import { anySet, readStructure, refusal, type Refusal } from '../structures';
import { contextProblem } from './contextChecks';
import {
  DDTE_LAYOUT,
  contextLayout,
  readContext,
  sayContext,
  sayPointer,
  type DeviceContext,
} from './entries';
import { DDTP_MODES, has, type RiscvRegisters } from './registers';

/** Tables of device contexts that are listed: 64 or 128 devices each. Rubbish may claim 262,144 of them. */
const MAX_CONTEXT_TABLES = 4096;

const POINTER_RESERVED = DDTE_LAYOUT.map(reservedMask);
const HINT = 'Check ddtp, and that the image holds the directory.';

/** The way to a device context, which is there when it is valid and well made. */
export interface LocatedContext {
  readonly entries: StructureEntry[];
  readonly found:
    | { readonly ok: true; readonly context: DeviceContext }
    | { readonly ok: false; readonly refusal: Refusal };
}

/** The device-directory table: one to three levels (RISC-V IOMMU 1.0 §2.1, §2.3.1). */
export class DeviceTables {
  readonly contextLayout: readonly (readonly BitField[])[];
  readonly #memory: PhysicalMemory;
  readonly #registers: RiscvRegisters;
  readonly #root: FrameNumber;
  readonly #levels: number;
  /** Bits of DDI[0], DDI[1] and DDI[2]. */
  readonly #widths: readonly number[];
  readonly #contextWords: number;
  /** By word of a context. */
  readonly #reserved: readonly bigint[];

  constructor(memory: PhysicalMemory, registers: RiscvRegisters) {
    this.#memory = memory;
    this.#registers = registers;
    this.#root = frameNumber(Number(bits(registers.ddtp, 53, 10)));
    this.#levels = Number(bits(registers.ddtp, 3, 0)) - 1;
    const extended = has(registers, 'MSI_FLAT');
    this.#widths = extended ? [6, 9, 9] : [7, 9, 8];
    this.#contextWords = extended ? 8 : 4;
    this.contextLayout = contextLayout(registers);
    this.#reserved = this.contextLayout.map(reservedMask);
  }

  locate(requester: RequesterId): LocatedContext {
    const entries: StructureEntry[] = [];
    const refuse = (fault: Refusal['fault'], why: string, hint?: string): LocatedContext => ({
      entries,
      found: { ok: false, refusal: refusal(fault, why, hint) },
    });
    const width = this.#shift(this.#levels);
    if (requester >= 2 ** width) {
      const mode = DDTP_MODES[this.#levels + 1] ?? '';
      return refuse(
        'requester-out-of-range',
        `device_id 0x${requester.toString(16)} is wider than the ${width} bits of ddtp mode ${mode}.`,
      );
    }
    let table = this.#root;
    for (let level = this.#levels - 1; level > 0; level--) {
      const place = { role: 'root', table, index: this.#index(requester, level), words: 1 } as const;
      const read = readStructure(this.#memory, undefined, place, sayPointer);
      if (!read.ok)
        return refuse('root-entry-unreadable', `The device directory cannot be read: ${why(read)}.`, HINT);
      entries.push(read.entry);
      const [word = 0n] = read.entry.words;
      const which = `The level-${level} entry of the device directory`;
      if (bits(word, 0) === 0n) return refuse('root-entry-not-present', `${which} is not valid.`);
      if (anySet(read.entry.words, POINTER_RESERVED))
        return refuse('root-entry-reserved', `${which} has reserved bits set.`);
      table = frameNumber(Number(bits(word, 53, 10)));
    }
    const index = this.#index(requester, 0);
    const place = { role: 'context', table, index, words: this.#contextWords } as const;
    const read = readStructure(this.#memory, undefined, place, sayContext);
    if (!read.ok)
      return refuse('context-entry-unreadable', `The device context cannot be read: ${why(read)}.`, HINT);
    entries.push(read.entry);
    const { words } = read.entry;
    if (bits(words[0] ?? 0n, 0) === 0n)
      return refuse('context-entry-not-present', 'The device context is not valid.');
    const context = readContext(words);
    const problem = contextProblem(words, this.#reserved, context, this.#registers);
    return { entries, found: problem ? { ok: false, refusal: problem } : { ok: true, context } };
  }

  /** Ids whose device context is valid, in order; undefined after each table. */
  devices(): Generator<RequesterId | undefined> {
    return this.#devicesBelow(this.#root, this.#levels - 1, 0, { left: MAX_CONTEXT_TABLES });
  }

  problems(): Failure[] {
    const found: Failure[] = [];
    let tables = 0;
    const tell = (fault: string, message: string) => {
      found.push({ code: `directory/${fault}`, message, hint: HINT });
    };
    const look = (table: FrameNumber, level: number, first: number): void => {
      // Copied: what follows reads other frames, and this one may be overwritten then.
      const frame = this.#memory.readFrame(table)?.slice();
      if (!frame) {
        const what = level === 0 ? 'device contexts' : `level-${level} entries of the device directory`;
        const missing = this.#memory.explainMissing(table);
        tell(
          level === 0 ? 'context-entry-unreadable' : 'root-entry-unreadable',
          `The ${what} from device_id 0x${first.toString(16)} on cannot be read: ${missing}.`,
        );
        return;
      }
      if (level === 0 && ++tables === MAX_CONTEXT_TABLES + 1) {
        const from = `device_id 0x${first.toString(16)}`;
        tell(
          'too-many-devices',
          `Devices are listed up to ${from} only: the directory has more tables than that.`,
        );
      }
      for (let index = 0; level > 0 && index < this.#entries(level); index++) {
        if (found.length >= MOST_PROBLEMS || tables > MAX_CONTEXT_TABLES) return;
        const word = readWord(frame, index);
        if (bits(word, 0) === 0n) continue;
        const start = first + index * 2 ** this.#shift(level);
        if (!anySet([word], POINTER_RESERVED)) look(pointed(word), level - 1, start);
        else
          tell(
            'root-entry-reserved',
            `The level-${level} entry of the device directory for device_id 0x${start.toString(16)} has reserved bits set.`,
          );
      }
    };
    look(this.#root, this.#levels - 1, 0);
    return found;
  }

  *#devicesBelow(
    table: FrameNumber,
    level: number,
    first: number,
    budget: { left: number },
  ): Generator<RequesterId | undefined> {
    if (level === 0 && budget.left-- <= 0) return;
    const stride = level === 0 ? this.#contextWords : 1;
    for (let index = 0; index < this.#entries(level) && budget.left >= 0; index++) {
      const frame = this.#memory.readFrame(table);
      const word = frame ? readWord(frame, index * stride) : 0n;
      if (bits(word, 0) === 0n) continue;
      const start = first + index * 2 ** this.#shift(level);
      if (level === 0) yield requesterId(start);
      else if (!anySet([word], POINTER_RESERVED))
        yield* this.#devicesBelow(pointed(word), level - 1, start, budget);
    }
    yield undefined;
  }

  /** Lowest bit of the device_id that selects an entry at a level. */
  #shift(level: number): number {
    return this.#widths.slice(0, level).reduce((sum, width) => sum + width, 0);
  }

  #index(requester: RequesterId, level: number): number {
    return Math.floor(requester / 2 ** this.#shift(level)) % this.#entries(level);
  }

  #entries(level: number): number {
    return Math.min(2 ** (this.#widths[level] ?? 0), FRAME_ENTRIES);
  }
}

const pointed = (word: bigint): FrameNumber => frameNumber(Number(bits(word, 53, 10)));

function why(read: { readonly ok: false; readonly why?: string }): string {
  return read.why ?? 'refused';
}
