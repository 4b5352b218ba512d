import { reservedMask } from '../../bits/bitFields';
import { FRAME_BYTES, formatRequester, frameNumber, hex, type Pasid, type RequesterId } from '../../values';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type Failure } from '../../result';
import {
  type DeviceDirectory,
  type DirectoryDevice,
  type DirectoryLookup,
  type PageWindow,
  type Register,
  type StructureEntry,
  type StructureRole,
  type VendorWords,
} from '../deviceDirectory';
import { type Fault } from '../../faults';

/** Refusals that only mean that the dump lists no entry there. */
const UNREADABLE: readonly Fault[] = [
  'root-entry-unreadable',
  'context-entry-unreadable',
  'process-entry-unreadable',
];
const HINT =
  'A dump lists the entries that were present when it was printed: this one was not, or the text was cut.';

export interface DumpedOptions {
  /** Entries of this role stand at invented addresses. What leads to them is not in the dump, and is not shown. */
  readonly unplaced: StructureRole;
  /** The devices that are listed; absent: those that the directory finds. */
  readonly requesters?: readonly RequesterId[];
  /** Absent: those of the directory. */
  readonly registers?: readonly Register[];
}

/**
 * A vendor's directory over a memory of which only some words are known: an entry that is not listed is unknown, not absent.
 * So no device passes without an entry either (`passesWithoutEntry`): what it does is not known.
 */
export class DumpedDirectory implements DeviceDirectory {
  readonly mode: string;
  readonly words: VendorWords;
  readonly off: DeviceDirectory['off'];
  readonly interruptWindow: PageWindow | undefined;
  readonly registers: readonly Register[];
  readonly #inner: DeviceDirectory;
  readonly #memory: PhysicalMemory;
  readonly #options: DumpedOptions;

  constructor(inner: DeviceDirectory, memory: PhysicalMemory, options: DumpedOptions) {
    this.#inner = inner;
    this.#memory = memory;
    this.#options = options;
    this.mode = `${inner.mode}, from a text dump`;
    this.words = inner.words;
    this.off = inner.off;
    this.interruptWindow = inner.interruptWindow;
    this.registers = options.registers ?? inner.registers;
  }

  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    return this.#known(this.#inner.lookup(requester, pasid), requester, pasid);
  }

  /** What is not listed is no problem of the directory: the memory as a whole is known only in part. */
  problems(): Failure[] {
    return this.#inner.problems().filter(({ code }) => !code.endsWith('-unreadable'));
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    const { requesters } = this.#options;
    if (requesters) {
      for (const requester of requesters)
        yield { requester, pasid: null, lookup: this.lookup(requester, null) };
      return;
    }
    for (const device of this.#inner.devices()) {
      yield device && { ...device, lookup: this.#known(device.lookup, device.requester, device.pasid) };
    }
  }

  layouts(role: StructureRole) {
    return this.#inner.layouts(role);
  }

  reserved(role: StructureRole): readonly bigint[] {
    return this.#inner.reserved?.(role) ?? this.layouts(role).map(reservedMask);
  }

  titleOf(role: StructureRole) {
    const told = this.#inner.titleOf(role);
    if (role !== this.#options.unplaced) return told;
    return { ...told, title: `${told.title}, whose address is not in the dump` };
  }

  placeOf(role: StructureRole, index: number): string | undefined {
    return this.#inner.placeOf?.(role, index);
  }

  faultCode(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): string | undefined {
    return this.#inner.faultCode(fault, access, stage);
  }

  /** A lookup as far as the dump lists its entries. */
  #known({ answer, entries }: DirectoryLookup, requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    const last = entries.at(-1);
    const shown: StructureEntry[] = [];
    for (const entry of entries) {
      if (this.#isListed(entry)) {
        shown.push(entry);
        continue;
      }
      // What leads to an unplaced entry is assumed; where nothing stands behind it, that entry is what is missing.
      const leads = entry.role === 'process-directory';
      if (leads && entry !== last) continue;
      if (!leads) shown.push({ ...entry, says: 'not in the dump' });
      return unknown(shown, requester, pasid);
    }
    const missing = answer.kind === 'fault' && UNREADABLE.includes(answer.fault);
    return missing ? unknown(shown, requester, pasid) : { answer, entries: shown };
  }

  #isListed({ address }: StructureEntry): boolean {
    const frame = frameNumber(Math.floor(address / FRAME_BYTES));
    return this.#memory.knows?.(frame, (address % FRAME_BYTES) / 8) ?? true;
  }
}

function unknown(
  entries: readonly StructureEntry[],
  requester: RequesterId,
  pasid: Pasid | null,
): DirectoryLookup {
  const device = `${formatRequester(requester)}${pasid === null ? '' : ` with PASID ${hex(pasid)}`}`;
  const why = `The dump lists no entry for ${device}.`;
  return { answer: { kind: 'fault', fault: 'entry-unknown', why, hint: HINT }, entries };
}
