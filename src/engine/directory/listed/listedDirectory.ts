import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type Failure } from '../../result';
import { formatRequester, hex, type FrameNumber, type Pasid, type RequesterId } from '../../values';
import {
  type DeviceDirectory,
  type DirectoryAnswer,
  type DirectoryDevice,
  type DirectoryLookup,
  type Register,
  type VendorWords,
} from '../deviceDirectory';
import { type Fault } from '../../faults';
import { PASSES } from '../gate';
import { vtdFaultCode } from '../vtd/faultCodes';
import { VTD_INTERRUPT_WINDOW, VTD_WORDS } from '../vtd/registers';
import { VtdSpaces } from '../vtd/spaces';

/** Page tables of a device, or of one of its processes, as someone listed them. */
export interface ListedTables {
  readonly requester: RequesterId;
  /** Null: for requests without a PASID. */
  readonly pasid: Pasid | null;
  readonly root: FrameNumber;
  /** 0: not known, as no entry is. */
  readonly levels: number;
  readonly stage: 1 | 2;
  /** Second stage: hardware sets A and D. */
  readonly marks: boolean;
}

/** VT-d page tables whose devices are a list: the root, context and PASID tables above them are not known. */
export class ListedDirectory implements DeviceDirectory {
  readonly mode = 'VT-d, from a text dump';
  /** The ids of domains are not listed either: tables are numbered. */
  readonly words: VendorWords = { ...VTD_WORDS, stage1Tag: 'Table', stage2Tag: 'Table' };
  readonly interruptWindow = VTD_INTERRUPT_WINDOW;
  readonly registers: readonly Register[] = [];
  readonly off: DeviceDirectory['off'];
  readonly #spaces: VtdSpaces;
  readonly #devices: readonly ListedTables[];
  readonly #rows = new Map<string, ListedTables>();
  /** By root: its number. */
  readonly #numbers = new Map<FrameNumber, number>();
  readonly #scalable: boolean;

  constructor(memory: PhysicalMemory, devices: readonly ListedTables[], off?: string) {
    this.#spaces = new VtdSpaces(memory, new Map());
    this.off = off === undefined ? undefined : { answer: PASSES, why: off };
    for (const tables of devices) {
      const key = keyOf(tables.requester, tables.pasid);
      const known = this.#rows.get(key);
      // One dump of a device without any mapping yields to one with mappings.
      if (!known || known.levels === 0) this.#rows.set(key, tables);
      if (!this.#numbers.has(tables.root)) this.#numbers.set(tables.root, this.#numbers.size + 1);
    }
    this.#devices = [...this.#rows.values()].sort(
      (a, b) => a.requester - b.requester || (a.pasid ?? -1) - (b.pasid ?? -1),
    );
    this.#scalable = devices.some(({ pasid, stage }) => pasid !== null || stage === 1);
  }

  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    const tables = this.#rows.get(keyOf(requester, pasid));
    const device = `${formatRequester(requester)}${pasid === null ? '' : ` with PASID ${hex(pasid)}`}`;
    if (!tables) {
      return unknown(
        `The dump lists no tables for ${device}.`,
        'Add the domain_translation_struct of this device to the file: that of one device says nothing of others.',
      );
    }
    if (tables.levels === 0) {
      return unknown(
        `The dump lists no mapped page for ${device}, so that it is not known how many levels its tables have.`,
        'Nothing was mapped for this device when the dump was printed.',
      );
    }
    const answer: DirectoryAnswer = {
      kind: 'table',
      space: this.#space(tables),
      permission: READ_WRITE,
    };
    return { answer, entries: [] };
  }

  problems(): Failure[] {
    return [];
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    for (const { requester, pasid } of this.#devices) {
      yield { requester, pasid, lookup: this.lookup(requester, pasid) };
    }
  }

  layouts() {
    return [];
  }

  titleOf() {
    return { title: 'Device, whose entries are not in the dump', section: 'VT-d 4.1 §9' };
  }

  faultCode(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): string | undefined {
    return vtdFaultCode(this.#scalable ? 'scalable' : 'legacy', fault, access, stage);
  }

  #space({ root, levels, stage, marks }: ListedTables): AddressSpace {
    const domain = this.#numbers.get(root) ?? 0;
    if (stage === 2) return this.#spaces.second({ domain, root, levels, marks });
    const first = { domain, root, levels: levels === 5 ? (5 as const) : (4 as const) };
    return this.#spaces.first({ ...first, privileged: false, writeProtect: false }, undefined);
  }
}

const keyOf = (requester: RequesterId, pasid: Pasid | null): string => `${requester} ${pasid ?? ''}`;

const unknown = (why: string, hint: string): DirectoryLookup => ({
  answer: { kind: 'fault', fault: 'entry-unknown', why, hint },
  entries: [],
});
