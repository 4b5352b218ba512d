import { bits } from '../../bits/bitFields';
import { readWord } from '../../memory/words';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { type Failure } from '../../result';
import {
  FRAME_BYTES,
  frameNumber,
  hex,
  requesterId,
  type FrameNumber,
  type Pasid,
  type RequesterId,
} from '../../values';
import {
  type DeviceDirectory,
  type DirectoryAnswer,
  type DirectoryDevice,
  type DirectoryLookup,
  type Register,
  type StructureEntry,
  type StructureRole,
} from '../deviceDirectory';
import { type Fault } from '../../faults';
import { MOST_PROBLEMS, ProcessBudget } from '../processBudget';
import { anySet, readStructure, refusal as refuse, type Refusal } from '../structures';
import { encryptedHostRoot, encryptionProblem, guessEncryptionBit } from './encryptionBit';
import {
  decodeDte,
  DTE_LAYOUT,
  DTE_RESERVED,
  DTE_SECTION,
  DTE_WORDS,
  DTES_IN_FRAME,
  GCR3_DIRECTORY_LAYOUT,
  GCR3_LAYOUT,
  GCR3_SECTION,
  sayDte,
  type DeviceTableEntry,
} from './entries';
import { amdFaultCode } from './faultCodes';
import { Gcr3Tables, PASID_BITS_OF_LEVEL } from './gcr3';
import { AMD_INTERRUPT_WINDOW, amdHardware, amdRegisters, type AmdHardware } from './registers';
import { AmdSpaces } from './spaces';

const TITLES: Readonly<Record<StructureRole, { title: string; section: string }>> = {
  root: { title: 'Device table entry', section: DTE_SECTION },
  context: { title: 'Device table entry', section: DTE_SECTION },
  'process-directory': { title: 'GCR3 table entry', section: GCR3_SECTION },
  process: { title: 'GCR3 table entry (level 1)', section: GCR3_SECTION },
};

const LAYOUTS = {
  root: DTE_LAYOUT,
  context: DTE_LAYOUT,
  'process-directory': GCR3_DIRECTORY_LAYOUT,
  process: GCR3_LAYOUT,
};

const OFF_WHY = 'Control.IommuEn is 0, so no request is translated.';

/** The device table of an AMD IOMMU and the GCR3 tables of its devices (AMD 48882 3.10 §2.2.2). */
export class AmdDirectory implements DeviceDirectory {
  readonly mode = 'AMD-Vi';
  readonly words = {
    requester: 'DeviceID',
    pasid: 'PASID',
    stage1Tag: 'DomainID',
    stage2Tag: 'DomainID',
    contextEntry: 'DTE',
  };
  readonly off: DeviceDirectory['off'];
  readonly interruptWindow = AMD_INTERRUPT_WINDOW;
  /** DTE.V = 0 (AMD 48882 §2.2.2.1). */
  readonly passesWithoutEntry = true;
  readonly registers: readonly Register[];
  readonly #memory: PhysicalMemory;
  readonly #hardware: AmdHardware;
  readonly #spaces: AmdSpaces;
  readonly #gcr3: Gcr3Tables;
  /** As the register has it, and without an encryption bit. */
  readonly #tableAddress: bigint;
  readonly #table: FrameNumber;
  readonly #frames: number;

  /** `values` has DevTabBase. */
  constructor(memory: PhysicalMemory, values: ReadonlyMap<string, bigint>) {
    const base = values.get('DevTabBase') ?? 0n;
    this.registers = amdRegisters(values);
    this.#memory = memory;
    this.#hardware = amdHardware(values);
    this.#spaces = new AmdSpaces(memory, this.#hardware);
    this.#gcr3 = new Gcr3Tables(memory, this.#hardware.notAddress);
    this.#tableAddress = bits(base, 51, 12) << 12n;
    this.#table = this.#frameAt(this.#tableAddress);
    this.#frames = Number(bits(base, 8, 0)) + 1;
    this.off = this.#hardware.on
      ? undefined
      : { answer: { kind: 'pass-through', permission: READ_WRITE }, why: OFF_WHY };
  }

  layouts(role: StructureRole) {
    return LAYOUTS[role];
  }

  titleOf(role: StructureRole) {
    return TITLES[role];
  }

  faultCode(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): string | undefined {
    return amdFaultCode(fault, access, stage);
  }

  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    const outside = this.#outside(requester);
    if (outside) return { answer: outside, entries: [] };
    const place = { role: 'context' as const, table: this.#table, index: requester, words: DTE_WORDS };
    const read = readStructure(this.#memory, undefined, place, sayDte);
    if (!read.ok) {
      const why = read.refused ? 'stage 2 refuses it' : read.why;
      return {
        answer: refuse(
          'context-entry-unreadable',
          `The device table entry of DeviceID ${hex(requester)} cannot be read: ${why}.`,
          'Check DevTabBase, and that the image holds the device table.',
        ),
        entries: [],
      };
    }
    const entries: StructureEntry[] = [read.entry];
    return { answer: this.#interpret(read.entry.words, pasid, entries), entries };
  }

  problems(): Failure[] {
    const found: Failure[] = [];
    let encryptedRoot: Failure | undefined;
    for (let at = 0; at < this.#frames && found.length < MOST_PROBLEMS; at++) {
      // Copied: looking for roots reads other frames, and this one may be overwritten then.
      const frame = this.#memory.readFrame(frameNumber(this.#table + at))?.slice();
      if (!frame) {
        found.push(this.#unreadable(at));
        continue;
      }
      encryptedRoot ??= encryptedHostRoot(this.#memory, frame, at * DTES_IN_FRAME, this.#hardware.notAddress);
    }
    return (encryptedRoot ? [encryptedRoot, ...found] : found).slice(0, MOST_PROBLEMS);
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    const left = new ProcessBudget();
    for (let at = 0; at < this.#frames; at++) {
      // Copied: lookups read other frames, and this one may be overwritten then.
      const frame = this.#memory.readFrame(frameNumber(this.#table + at))?.slice();
      for (let index = 0; frame && index < DTES_IN_FRAME; index++) {
        const words = Array.from({ length: DTE_WORDS }, (_, word) =>
          readWord(frame, DTE_WORDS * index + word),
        );
        if (!isUsed(words)) continue;
        const requester = requesterId(at * DTES_IN_FRAME + index);
        if (this.#outside(requester)) return;
        yield { requester, pasid: null, lookup: this.lookup(requester, null) };
        yield* this.#processes(requester, words, left);
      }
      yield undefined;
    }
  }

  /** Rows for the PASIDs of a device that have guest tables. Takes what it uses from `left`. */
  *#processes(
    requester: RequesterId,
    words: readonly bigint[],
    left: ProcessBudget,
  ): Generator<DirectoryDevice | undefined> {
    const entry = decodeDte(words);
    if (!this.#hasGuest(entry) || this.#illegal(entry, words)) return;
    const host = this.#host(entry);
    const memory = this.#spaces.memoryAbove(this.#hardware.gcr3AtGuestAddress ? host : undefined);
    left.startDevice();
    for (const pasid of this.#gcr3.present(memory, entry)) {
      if (pasid === undefined) {
        if (!left.takeStep()) return;
        yield undefined;
      } else if (pasid >= 2 ** this.#hardware.pasidBits) {
        return;
      } else if (!this.#usesPasid0(entry) || pasid !== 0) {
        if (!left.takeRow()) return;
        yield { requester, pasid, lookup: this.lookup(requester, pasid) };
      }
    }
  }

  /** Refuses a DeviceID that has no place in the device table, or whose segment is not known. */
  #outside(requester: RequesterId): Refusal | undefined {
    const { segments } = this.#hardware;
    const segment = requester >> (16 - segments);
    if (segments > 0 && segment > 0) {
      return refuse(
        'not-read',
        `DeviceID ${hex(requester)} has its entry in device table segment ${segment}, whose base register is not known.`,
        'Only segment 0, that of DevTabBase, can be read (Control.DevTblSegEn).',
      );
    }
    if (requester < this.#frames * DTES_IN_FRAME) return undefined;
    return refuse(
      'requester-out-of-range',
      `DeviceID ${hex(requester)} is beyond the device table, which has ${this.#frames * DTES_IN_FRAME} entries.`,
      'Check the DeviceID, and the size in DevTabBase.',
    );
  }

  /** What a device table entry makes of a request: "V, TV, and GV" of AMD 48882 3.10 §2.2.2.1. */
  #interpret(words: readonly bigint[], pasid: Pasid | null, entries: StructureEntry[]): DirectoryAnswer {
    const entry = decodeDte(words);
    if (!entry.valid) return { kind: 'pass-through', permission: READ_WRITE };
    const illegal = this.#illegal(entry, words);
    if (illegal) return illegal;
    if (!entry.translationValid) {
      return refuse(
        'translation-blocked',
        'The DTE is valid, but its translation fields are not (V = 1, TV = 0).',
      );
    }
    const host = this.#host(entry);
    const guest = this.#hasGuest(entry);
    if (pasid !== null && !guest) {
      return refuse(
        'pasid-not-supported',
        'The device has no guest translation (GV = 0), so that requests with a PASID are refused.',
        'Ask without a PASID.',
      );
    }
    if (guest && (pasid !== null || this.#usesPasid0(entry)))
      return this.#guest(entry, pasid ?? 0, host, entries);
    const { permission } = entry;
    return host ? { kind: 'table', space: host, permission } : { kind: 'pass-through', permission };
  }

  #guest(
    entry: DeviceTableEntry,
    pasid: number,
    host: AddressSpace | undefined,
    entries: StructureEntry[],
  ): DirectoryAnswer {
    const pasidBits = PASID_BITS_OF_LEVEL * (entry.glx + 1);
    if (pasid >= 2 ** this.#hardware.pasidBits) {
      const why = `PASID ${hex(pasid)} has more than the ${this.#hardware.pasidBits} bits that ExtFeat.PASmax allows.`;
      return refuse('pasid-out-of-range', why);
    }
    if (pasid >= 2 ** pasidBits) {
      return refuse(
        'pasid-out-of-range',
        `PASID ${hex(pasid)} has more than the ${pasidBits} bits of the GCR3 table (GLX = ${entry.glx}).`,
      );
    }
    const found = this.#gcr3.lookup(
      entry,
      pasid,
      this.#hardware.gcr3AtGuestAddress ? host : undefined,
      entries,
    );
    if (!found.ok) return found.refusal;
    const space = this.#spaces.guest(entry.domainId, found.root, 4 + entry.guestPagingMode, pasid, host);
    return { kind: 'table', space, permission: entry.permission };
  }

  /** Whether guest translation is used: a device entry's GV counts when Control.GTEn allows it. */
  #hasGuest(entry: DeviceTableEntry): boolean {
    return entry.gv && entry.translationValid && this.#hardware.guestTranslation;
  }

  /** Whether requests without a PASID use PASID 0: GIOV counts where ExtFeat.GIoSup is 1. */
  #usesPasid0({ giov }: DeviceTableEntry): boolean {
    return giov && this.#hardware.guestIo;
  }

  #host(entry: DeviceTableEntry): AddressSpace | undefined {
    return entry.mode === 0 ? undefined : this.#spaces.host(entry, this.#frameAt(entry.hostRoot));
  }

  /** What makes a valid entry illegal. */
  #illegal(entry: DeviceTableEntry, words: readonly bigint[]): Refusal | undefined {
    if (anySet(words, DTE_RESERVED)) {
      return refuse('context-entry-reserved', 'The DTE has reserved bits set.');
    }
    if (!entry.translationValid) return undefined;
    const { hostLevels, guestLevels } = this.#hardware;
    const invalid = (why: string) =>
      refuse('context-entry-invalid', why, 'Check who wrote the device table entry.');
    if (entry.mode === 7) return invalid('Mode is 7, which is reserved: host tables have 1 to 6 levels.');
    if (entry.mode > hostLevels) {
      return invalid(
        `Mode is ${entry.mode}, but the hardware walks at most ${hostLevels} levels (ExtFeat.HATS).`,
      );
    }
    if (entry.had === 2) return invalid('HAD is 2, which is reserved.');
    if (!this.#hasGuest(entry)) return undefined;
    if (entry.glx === 3) return invalid('GLX is 3, which is reserved: GCR3 tables have 1 to 3 levels.');
    if (entry.glx > this.#hardware.mostGlx) {
      return invalid(
        `GLX is ${entry.glx}, but the hardware reads GCR3 tables of at most ${this.#hardware.mostGlx + 1} levels (ExtFeat.GLXSup).`,
      );
    }
    const levels = 4 + entry.guestPagingMode;
    if (levels > 5) return invalid(`GuestPagingMode is ${entry.guestPagingMode}, which is reserved.`);
    if (levels > guestLevels) {
      return invalid(
        `Guest tables have ${levels} levels, but the hardware walks at most ${guestLevels} (ExtFeat.GATS).`,
      );
    }
    return undefined;
  }

  #frameAt(address: bigint): FrameNumber {
    return frameNumber(Number((address & ~this.#hardware.notAddress) >> 12n));
  }

  #unreadable(at: number): Failure {
    const address = this.#tableAddress + BigInt(at * FRAME_BYTES);
    const bit = guessEncryptionBit(this.#memory, address);
    if (bit !== undefined) return encryptionProblem('The device table', address, bit);
    const first = at * DTES_IN_FRAME;
    const missing = this.#memory.explainMissing(frameNumber(this.#table + at));
    return {
      code: at === 0 ? 'directory/root-unreadable' : 'directory/table-unreadable',
      message: `The device table entries of DeviceIDs ${hex(first)} to ${hex(first + DTES_IN_FRAME - 1)} cannot be read: ${missing}.`,
      hint: 'Check DevTabBase, and that the image holds the device table.',
    };
  }
}

/** Kernels fill the table with entries that allow nothing (no tables, IR = IW = 0, or TV = 0): those are no devices. */
function isUsed(words: readonly bigint[]): boolean {
  const { valid, translationValid, mode, gv, permission } = decodeDte(words);
  return valid && translationValid && (mode !== 0 || gv || permission !== 0);
}
