import { bits, fieldMakers, mask, type BitField } from '../../bits/bitFields';
import { compileFormat } from '../../formats/compile';
import { ept } from '../../formats/ept';
import { type Fault } from '../../faults';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type Failure } from '../../result';
import { domainId, frameNumber, hex, requesterId, type Pasid, type RequesterId } from '../../values';
import {
  type DeviceDirectory,
  type DirectoryDevice,
  type DirectoryLookup,
  type Register,
  type VendorWords,
} from '../deviceDirectory';
import { refusal } from '../structures';

const SECTION = 'Intel SDM vol. 3C §25.6.11';
const { flag, field, address, reserved } = fieldMakers(SECTION);
const MEMORY_TYPES: Partial<Record<string, string>> = { 0: 'UC', 6: 'WB' };

const EPTP_LAYOUT: readonly BitField[] = [
  field('MT', 2, 0, 'attribute', (value) => `tables read as ${MEMORY_TYPES[String(value)] ?? 'reserved'}`),
  field('Walk length', 5, 3, 'control', (value) => `${value + 1n} levels`),
  flag('A/D', 6, 'control', 'A and D are set', 'A and D are not set'),
  flag('SSS', 7, 'control', 'supervisor shadow stacks enforced', 'supervisor shadow stacks not enforced'),
  reserved(11, 8),
  address('EPML4', 51, 12, 'root of the tables at'),
  reserved(63, 52),
];
const EPTP_RESERVED = mask(11, 8) | mask(63, 52);

/** What leaves the guest; a guest physical address beyond the levels is not told by one of them. */
const EXITS: Partial<Readonly<Record<Fault, string>>> = {
  'not-present': 'EPT violation (exit reason 48)',
  'read-denied': 'EPT violation (exit reason 48)',
  'write-denied': 'EPT violation (exit reason 48)',
  'entry-reserved': 'EPT misconfiguration (exit reason 49)',
};

/** Levels of the tables that an EPTP names: 4 or 5 where hardware takes it. */
export const levelsOf = (eptp: bigint): number => Number(bits(eptp, 5, 3)) + 1;

/**
 * The extended page tables of one guest: there are no devices and no structures above them, so whoever asks is taken for the
 * guest. What it asks for are guest physical addresses.
 */
export class EptDirectory implements DeviceDirectory {
  readonly mode: string;
  readonly words: VendorWords = {
    requester: 'guest',
    pasid: 'PASID',
    stage1Tag: 'Guest',
    stage2Tag: 'Guest',
    contextEntry: 'EPTP',
  };
  readonly off = undefined;
  readonly interruptWindow = undefined;
  readonly registers: readonly Register[];
  readonly #eptp: bigint;
  readonly #space: AddressSpace;

  /** `eptp` has 4 or 5 levels. */
  constructor(memory: PhysicalMemory, eptp: bigint) {
    const marks = bits(eptp, 6) === 1n;
    const format = compileFormat(ept, levelsOf(eptp), { setsAccessed: marks, setsDirty: marks });
    this.mode = `EPT, ${levelsOf(eptp)} levels`;
    this.registers = [{ name: 'EPTP', value: eptp, layout: EPTP_LAYOUT }];
    this.#eptp = eptp;
    this.#space = {
      stage: 2,
      domainId: domainId(0),
      root: frameNumber(Number(bits(eptp, 51, 12))),
      rootEntry: 0,
      format,
      ...zeroExtended(format.addressBits),
      memory,
      stage2: undefined,
    };
  }

  lookup(_requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    const answer =
      pasid === null
        ? { kind: 'table' as const, space: this.#space, permission: READ_WRITE }
        : refusal('pasid-not-supported', 'EPT knows no processes of a guest.', 'Ask without a PASID.');
    return { answer, entries: [] };
  }

  problems(): Failure[] {
    const { root, memory } = this.#space;
    const found: Failure[] = [];
    const wrong = (what: string, hint: string) => {
      const message = `EPTP ${hex(this.#eptp)} ${what}`;
      found.push({ code: 'directory/register-value', message, hint });
    };
    if ((this.#eptp & EPTP_RESERVED) !== 0n) {
      wrong(
        'has reserved bits set: no processor runs a guest with it.',
        'Check it: bits 11:8 and 63:52 are 0.',
      );
    }
    if (MEMORY_TYPES[String(bits(this.#eptp, 2, 0))] === undefined) {
      wrong('has a memory type that no processor takes.', 'Check it: bits 2:0 are 0 or 6.');
    }
    if (!memory.readFrame(root)) {
      const message = `The root of the EPT cannot be read: ${memory.explainMissing(root)}.`;
      const hint = 'Check EPTP, and that the image holds the table.';
      found.push({ code: 'directory/root-unreadable', message, hint });
    }
    return found;
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    yield { requester: requesterId(0), pasid: null, lookup: this.lookup(requesterId(0), null) };
  }

  layouts() {
    return [];
  }

  titleOf() {
    return { title: 'EPTP', section: SECTION };
  }

  faultCode(fault: Fault): string | undefined {
    return EXITS[fault];
  }
}
