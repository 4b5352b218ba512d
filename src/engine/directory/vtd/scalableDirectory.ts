import { bits } from '../../bits/bitFields';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { READ_WRITE } from '../../pageTable/entryClass';
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
import { type Fault } from '../../faults';
import { MOST_PROBLEMS, ProcessBudget } from '../processBudget';
import { anySet, readStructure, refusal, type Refusal, type StructurePlace } from '../structures';
import { vtdFaultCode } from './faultCodes';
import { LEVELS_OF_WIDTH } from './legacyEntries';
import { presentPasids } from './pasids';
import { reservedFields } from './reservedFields';
import { translationOff, VTD_INTERRUPT_WINDOW, VTD_WORDS, vtdRegisters } from './registers';
import {
  capabilitiesOf,
  contextProblem,
  pasidProblem,
  processProblem,
  type Capabilities,
} from './scalableChecks';
import {
  PASID_DIRECTORY_LAYOUT,
  PASID_DIRECTORY_RESERVED,
  PASID_TABLE_LAYOUT,
  PGTT,
  SCALABLE_CONTEXT_LAYOUT,
  SCALABLE_ROOT_LAYOUT,
  SCALABLE_ROOT_RESERVED,
} from './scalableEntries';
import { sayContext, sayDirectory, sayProcess, sayRoot } from './scalableWords';
import { VtdSpaces } from './spaces';

const HALVES = ['lower', 'upper'];

const TITLES: Readonly<Record<StructureRole, { readonly title: string; readonly section: string }>> = {
  root: { title: 'Scalable-mode root entry', section: 'VT-d 4.1 §9.2' },
  context: { title: 'Scalable-mode context entry', section: 'VT-d 4.1 §9.4' },
  'process-directory': { title: 'PASID-directory entry', section: 'VT-d 4.1 §9.5' },
  process: { title: 'PASID-table entry', section: 'VT-d 4.1 §9.6' },
};
const LAYOUTS = {
  root: SCALABLE_ROOT_LAYOUT,
  context: SCALABLE_CONTEXT_LAYOUT,
  'process-directory': PASID_DIRECTORY_LAYOUT,
  process: PASID_TABLE_LAYOUT,
};

/** Root, context and PASID tables of scalable mode (RTADDR.TTM = 01). */
export class VtdScalableDirectory implements DeviceDirectory {
  readonly mode = 'VT-d scalable';
  readonly interruptWindow = VTD_INTERRUPT_WINDOW;
  readonly words = VTD_WORDS;
  readonly registers: readonly Register[];
  readonly off: DeviceDirectory['off'];
  readonly #memory: PhysicalMemory;
  readonly #capabilities: Capabilities;
  readonly #rootTable: FrameNumber;
  readonly #spaces: VtdSpaces;

  constructor(memory: PhysicalMemory, values: ReadonlyMap<string, bigint>) {
    this.#memory = memory;
    this.#capabilities = capabilitiesOf(values);
    this.registers = vtdRegisters(values);
    this.#rootTable = frameAt(values.get('RTADDR') ?? 0n);
    this.off = translationOff(values);
    this.#spaces = new VtdSpaces(memory, values);
  }

  layouts(role: StructureRole) {
    return LAYOUTS[role];
  }

  reserved(role: StructureRole): readonly bigint[] {
    const { contextReserved, processReserved } = this.#capabilities;
    return {
      root: SCALABLE_ROOT_RESERVED,
      context: contextReserved,
      'process-directory': PASID_DIRECTORY_RESERVED,
      process: processReserved,
    }[role];
  }

  titleOf(role: StructureRole) {
    return TITLES[role];
  }

  /** A frame of context entries or of the directory does not tell which half or part of it is there. */
  placeOf(role: StructureRole, index: number): string | undefined {
    if (role === 'root') return `bus 0x${index.toString(16)}`;
    return role === 'process' ? `PASID bits 5:0 = ${index}` : undefined;
  }

  faultCode(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): string | undefined {
    return vtdFaultCode('scalable', fault, access, stage);
  }

  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    const entries: StructureEntry[] = [];
    return { answer: this.#resolve(requester, pasid, entries), entries };
  }

  problems(): Failure[] {
    if (!this.#memory.readFrame(this.#rootTable)) {
      const hint = 'Check RTADDR, and that the image holds the table.';
      return [{ code: 'directory/root-unreadable', message: this.#rootMissing(), hint }];
    }
    const found: Failure[] = [];
    for (let half = 0; half < 512 && found.length < MOST_PROBLEMS; half++) {
      const { answer, entries } = this.lookup(requesterId(half << 7), null);
      if (answer.kind !== 'fault' || entries.length > 1 || answer.fault === 'root-entry-not-present')
        continue;
      const message = `Bus 0x${(half >> 1).toString(16)}, ${HALVES[half & 1] ?? ''} half: ${answer.why}`;
      found.push({
        code: `directory/${answer.fault}`,
        message,
        hint: 'Check RTADDR: this may not be a root table of scalable mode.',
      });
    }
    return found;
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    const work = new ProcessBudget();
    for (let half = 0; half < 512; half++) {
      const root = this.#read({ role: 'root', table: this.#rootTable, index: half >> 1, words: 2 });
      if (bits(root?.words[half & 1] ?? 0n, 0) === 1n) {
        for (let device = 0; device < 128; device++) {
          const requester = requesterId((half << 7) | device);
          const lookup = this.lookup(requester, null);
          const control = lookup.entries[1]?.words[0] ?? 0n;
          if (bits(control, 0) === 0n) continue;
          yield { requester, pasid: null, lookup };
          yield* this.#processes(requester, lookup, work);
        }
      }
      yield undefined;
    }
  }

  /** Processes of a device that takes requests with a PASID. */
  *#processes(
    requester: RequesterId,
    { entries }: DirectoryLookup,
    work: ProcessBudget,
  ): Generator<DirectoryDevice | undefined> {
    const [root, context] = entries;
    if (!root || !context || contextProblem(context.words, this.#capabilities)) return;
    const [control = 0n, rid = 0n] = context.words;
    if (bits(control, 3) === 0n) return;
    for (const pasid of presentPasids(this.#memory, control, work)) {
      if (pasid === undefined) yield undefined;
      else if (BigInt(pasid) !== bits(rid, 19, 0)) {
        const read = [root, context];
        const answer = this.#resolvePasid(context.words, pasid, read);
        yield { requester, pasid, lookup: { answer, entries: read } };
      }
    }
  }

  /** The answer; pushes each entry that was read. Checks in the order of VT-d 4.1 §7.1.3. */
  #resolve(requester: RequesterId, pasid: Pasid | null, entries: StructureEntry[]): DirectoryAnswer {
    const bus = requester >> 8;
    const half = (requester >> 7) & 1;
    const root = this.#read({ role: 'root', table: this.#rootTable, index: bus, words: 2 });
    if (!root) {
      const hint = 'Check RTADDR, and that the image holds the table.';
      return refusal('root-entry-unreadable', this.#rootMissing(), hint);
    }
    entries.push(root);
    const pointer = root.words[half] ?? 0n;
    const name = `The ${HALVES[half] ?? ''} half of the root entry of bus ${bus}`;
    if (bits(pointer, 0) === 0n) return refusal('root-entry-not-present', `${name} is not present.`);
    const reserved = SCALABLE_ROOT_RESERVED.map((bitsOf, word) => (word === half ? bitsOf : 0n));
    if (anySet(root.words, reserved)) {
      const fields = reservedFields(root.words, reserved, SCALABLE_ROOT_LAYOUT);
      return refusal('root-entry-reserved', `${name} has set what must be 0: ${fields}.`);
    }
    const table = frameAt(pointer);
    const context = this.#read({ role: 'context', table, index: requester & 0x7f, words: 4 });
    if (!context) return this.#unreadable('context-entry-unreadable', 'context table', table);
    entries.push(context);
    return (
      contextProblem(context.words, this.#capabilities) ?? this.#resolvePasid(context.words, pasid, entries)
    );
  }

  /** The answer below a good context entry. */
  #resolvePasid(context: readonly bigint[], pasid: Pasid | null, entries: StructureEntry[]): DirectoryAnswer {
    const wrong = pasid === null ? undefined : pasidProblem(context, pasid, this.#capabilities);
    return wrong ?? this.#resolveProcess(context, pasid, entries);
  }

  #resolveProcess(
    [control = 0n, rid = 0n]: readonly bigint[],
    pasid: Pasid | null,
    entries: StructureEntry[],
  ): DirectoryAnswer {
    const used = pasid ?? Number(bits(rid, 19, 0));
    const directory = frameAt(control);
    const index = used >> 6;
    const found = this.#read({ role: 'process-directory', table: directory, index, words: 1 });
    if (!found) {
      const frame = frameNumber(directory + (index >> 9));
      return this.#unreadable('process-entry-unreadable', 'PASID directory', frame);
    }
    entries.push(found);
    const [pointer = 0n] = found.words;
    const name = `The PASID-directory entry of PASIDs ${index * 64} to ${index * 64 + 63}`;
    if (bits(pointer, 0) === 0n) return refusal('process-entry-not-present', `${name} is not present.`);
    if (anySet(found.words, PASID_DIRECTORY_RESERVED)) {
      const fields = reservedFields(found.words, PASID_DIRECTORY_RESERVED, PASID_DIRECTORY_LAYOUT);
      return refusal('process-entry-reserved', `${name} has set what must be 0: ${fields}.`);
    }
    const table = frameAt(pointer);
    const process = this.#read({ role: 'process', table, index: used & 63, words: 8 });
    if (!process) return this.#unreadable('process-entry-unreadable', 'PASID table', table);
    entries.push(process);
    return this.#interpret(process.words, pasid === null && bits(rid, 20) === 1n);
  }

  /** Whether walks snoop caches: ECAP.SMPWCS, and PWSNP of the PASID-table entry. Else hardware must set no A and D (§3.10). */
  #walksCoherently(tags: bigint): boolean {
    const { ecap } = this.#capabilities;
    return ecap === undefined || (bits(ecap, 48) === 1n && bits(tags, 23) === 1n);
  }

  /** What a PASID-table entry makes of a request. */
  #interpret(words: readonly bigint[], privileged: boolean): DirectoryAnswer {
    const inputBits = (levels: number): number => this.#spaces.inputBits(levels);
    const wrong = processProblem(words, this.#capabilities, privileged, inputBits);
    if (wrong) return wrong;
    const [control = 0n, tags = 0n, first = 0n] = words;
    const type = bits(control, 8, 6);
    if (type === PGTT.passThrough) return { kind: 'pass-through', permission: READ_WRITE };
    const domain = Number(bits(tags, 15, 0));
    const refusesMarks = !this.#walksCoherently(tags);
    const stage2 =
      type === PGTT.first
        ? undefined
        : this.#spaces.second({
            domain,
            root: frameAt(control),
            levels: LEVELS_OF_WIDTH[Number(bits(control, 4, 2))] ?? 4,
            marks: bits(control, 9) === 1n,
            refusesMarks,
          });
    if (type === PGTT.second && stage2) return { kind: 'table', space: stage2, permission: READ_WRITE };
    const space = this.#spaces.first(
      {
        domain,
        root: frameAt(first),
        levels: bits(first, 3, 2) === 1n ? 5 : 4,
        privileged,
        writeProtect: bits(first, 4) === 1n,
        refusesMarks,
      },
      stage2,
    );
    return { kind: 'table', space, permission: READ_WRITE };
  }

  #rootMissing(): string {
    return `The root table cannot be read: ${this.#memory.explainMissing(this.#rootTable)}.`;
  }

  #unreadable(fault: Fault, what: string, frame: FrameNumber): Refusal {
    return refusal(
      fault,
      `The ${what} cannot be read: ${this.#memory.explainMissing(frame)}.`,
      'Check that the image holds it.',
    );
  }

  #read(place: StructurePlace): StructureEntry | undefined {
    const say = {
      root: sayRoot,
      context: sayContext,
      'process-directory': sayDirectory,
      process: sayProcess,
    };
    const read = readStructure(this.#memory, undefined, place, say[place.role]);
    return read.ok ? read.entry : undefined;
  }
}

/** The frame that bits 51:12 of a word point to. */
function frameAt(word: bigint): FrameNumber {
  return frameNumber(Number(bits(word, 51, 12)));
}
