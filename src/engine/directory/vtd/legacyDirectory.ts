import { bits } from '../../bits/bitFields';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type Failure } from '../../result';
import { frameNumber, requesterId, type FrameNumber, type Pasid, type RequesterId } from '../../values';
import {
  type DeviceDirectory,
  type DirectoryAnswer,
  type DirectoryDevice,
  type DirectoryLookup,
  type Register,
  type StructureEntry,
  type StructureRole,
} from '../deviceDirectory';
import {
  CONTEXT_LAYOUT,
  contextReserved,
  LEVELS_OF_WIDTH,
  ROOT_LAYOUT,
  ROOT_RESERVED,
} from './legacyEntries';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type Fault } from '../../faults';
import { MOST_PROBLEMS } from '../processBudget';
import { anySet, readStructure, refusal } from '../structures';
import { vtdFaultCode } from './faultCodes';
import { translationOff, VTD_INTERRUPT_WINDOW, VTD_WORDS, vtdRegisters } from './registers';
import { reservedFields } from './reservedFields';
import { VtdSpaces } from './spaces';

const PASS_THROUGH = 2n;

const SECTIONS = {
  root: { title: 'Root entry', section: 'VT-d 4.1 §9.1' },
  context: { title: 'Context entry', section: 'VT-d 4.1 §9.3' },
};

/** Root and context tables of legacy mode (RTADDR.TTM = 00). */
export class VtdLegacyDirectory implements DeviceDirectory {
  readonly mode = 'VT-d legacy';
  readonly interruptWindow = VTD_INTERRUPT_WINDOW;
  readonly words = VTD_WORDS;
  readonly registers: readonly Register[];
  readonly off: DeviceDirectory['off'];
  readonly #memory: PhysicalMemory;
  readonly #values: ReadonlyMap<string, bigint>;
  readonly #rootTable: FrameNumber;
  readonly #spaces: VtdSpaces;

  constructor(memory: PhysicalMemory, values: ReadonlyMap<string, bigint>) {
    this.#memory = memory;
    this.#values = values;
    this.registers = vtdRegisters(values);
    this.#spaces = new VtdSpaces(memory, values);
    this.#rootTable = frameNumber(Number(bits(values.get('RTADDR') ?? 0n, 51, 12)));
    this.off = translationOff(values);
  }

  layouts(role: StructureRole) {
    return role === 'root' ? ROOT_LAYOUT : CONTEXT_LAYOUT;
  }

  titleOf(role: StructureRole) {
    return role === 'root' ? SECTIONS.root : SECTIONS.context;
  }

  placeOf(role: StructureRole, index: number): string {
    return role === 'root' ? `bus 0x${index.toString(16)}` : `device ${index >> 3}, function ${index & 7}`;
  }

  faultCode(fault: Fault, access: 'read' | 'write'): string | undefined {
    return vtdFaultCode('legacy', fault, access, 2);
  }

  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    const entries: StructureEntry[] = [];
    const refuse = (fault: Fault, why: string, hint?: string): DirectoryLookup => ({
      answer: refusal(fault, why, hint),
      entries,
    });
    if (pasid !== null) {
      return refuse(
        'pasid-not-supported',
        'Requests with a PASID are blocked in legacy mode.',
        'Ask without a PASID.',
      );
    }
    const root = this.#read('root', this.#rootTable, requester >> 8, (words) => sayRoot(words));
    if (!root) {
      return refuse(
        'root-entry-unreadable',
        this.#rootMissing(),
        'Check RTADDR, and that the image holds the table.',
      );
    }
    entries.push(root);
    const [rootLo = 0n] = root.words;
    if (bits(rootLo, 0) === 0n) {
      return refuse('root-entry-not-present', `The root entry of bus ${requester >> 8} is not present.`);
    }
    if (anySet(root.words, ROOT_RESERVED)) {
      const fields = reservedFields(root.words, ROOT_RESERVED, ROOT_LAYOUT);
      return refuse('root-entry-reserved', `The root entry has set what must be 0: ${fields}.`);
    }
    const table = frameNumber(Number(rootLo >> 12n));
    const context = this.#read('context', table, requester & 0xff, (words) => sayContext(words));
    if (!context) {
      const missing = this.#memory.explainMissing(table);
      return refuse('context-entry-unreadable', `The context table cannot be read: ${missing}.`);
    }
    entries.push(context);
    return { answer: this.#interpret(context.words), entries };
  }

  problems(): Failure[] {
    if (!this.#memory.readFrame(this.#rootTable)) {
      const hint = 'Check RTADDR, and that the image holds the table.';
      return [{ code: 'directory/root-unreadable', message: this.#rootMissing(), hint }];
    }
    const found: Failure[] = [];
    for (let bus = 0; bus < 256 && found.length < MOST_PROBLEMS; bus++) {
      const { answer, entries } = this.lookup(requesterId(bus << 8), null);
      if (
        answer.kind !== 'fault' ||
        entries.at(-1)?.role === 'context' ||
        answer.fault === 'root-entry-not-present'
      )
        continue;
      const message = `Bus 0x${bus.toString(16)}: ${answer.why}`;
      found.push({
        code: `directory/${answer.fault}`,
        message,
        hint: 'Check RTADDR: this may not be a root table.',
      });
    }
    return found;
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    for (let bus = 0; bus < 256; bus++) {
      const present = this.#read('root', this.#rootTable, bus, sayRoot)?.words[0] ?? 0n;
      for (let device = 0; bits(present, 0) === 1n && device < 256; device++) {
        const requester = requesterId((bus << 8) | device);
        const lookup = this.lookup(requester, null);
        const context = lookup.entries[1];
        if (context && bits(context.words[0] ?? 0n, 0) === 1n) yield { requester, pasid: null, lookup };
      }
      yield undefined;
    }
  }

  #rootMissing(): string {
    return `The root table cannot be read: ${this.#memory.explainMissing(this.#rootTable)}.`;
  }

  /** What a context entry that was read makes of a request; AW must be good in pass-through too (VT-d 4.1 §9.3). */
  #interpret(words: readonly bigint[]): DirectoryAnswer {
    const [lo = 0n, hi = 0n] = words;
    if (bits(lo, 0) === 0n) return refusal('context-entry-not-present', 'The context entry is not present.');
    const reserved = contextReserved(this.#values.get('CAP'));
    if (anySet(words, reserved)) {
      const fields = reservedFields(words, reserved, CONTEXT_LAYOUT);
      return refusal('context-entry-reserved', `The context entry has set what must be 0: ${fields}.`);
    }
    const type = bits(lo, 3, 2);
    const ecap = this.#values.get('ECAP');
    if (type === 3n) return refusal('context-entry-invalid', 'TT = 3 is reserved.');
    if (type === 1n && ecap !== undefined && bits(ecap, 2) === 0n) {
      return refusal('context-entry-invalid', 'TT = 1 needs a device TLB, and ECAP.DT is 0.');
    }
    const width = Number(bits(hi, 2, 0));
    const levels = LEVELS_OF_WIDTH[width];
    if (levels === undefined) return refusal('context-entry-invalid', `AW = ${width} is reserved.`);
    const cap = this.#values.get('CAP');
    if (cap !== undefined && bits(cap, 8 + width) === 0n) {
      return refusal('context-entry-invalid', `AW = ${width} (${levels} levels) is not in CAP.SAGAW.`);
    }
    if (type === PASS_THROUGH) {
      return ecap !== undefined && bits(ecap, 6) === 0n
        ? refusal('context-entry-invalid', 'TT = 2 (pass-through), and ECAP.PT is 0.')
        : { kind: 'pass-through', permission: READ_WRITE };
    }
    const space = this.#spaces.second({
      domain: Number(bits(hi, 23, 8)),
      root: Number(lo >> 12n),
      levels,
      // Legacy mode has no A and D (VT-d 4.1 §3.7.2).
      marks: false,
    });
    return { kind: 'table', space, permission: READ_WRITE };
  }

  #read(role: StructureRole, table: FrameNumber, index: number, say: (words: readonly bigint[]) => string) {
    const read = readStructure(this.#memory, undefined, { role, table, index, words: 2 }, say);
    return read.ok ? read.entry : undefined;
  }
}

function sayRoot([lo = 0n]: readonly bigint[]): string {
  return bits(lo, 0) === 0n ? 'not present' : `context table at 0x${(lo & ~0xfffn).toString(16)}`;
}

function sayContext([lo = 0n, hi = 0n]: readonly bigint[]): string {
  if (bits(lo, 0) === 0n) return 'not present';
  const domain = `domain ${bits(hi, 23, 8)}`;
  if (bits(lo, 3, 2) === PASS_THROUGH) return `${domain}, pass-through`;
  const levels = LEVELS_OF_WIDTH[Number(bits(hi, 2, 0))];
  const depth = levels === undefined ? `reserved AW ${bits(hi, 2, 0)}` : `${levels} levels`;
  return `${domain}, ${depth}, tables at 0x${(lo & ~0xfffn).toString(16)}`;
}
