import { type DeviceDirectory } from '../engine/directory/deviceDirectory';
import { pasid, requesterId, type Pasid } from '../engine/values';
import { type FirmwareOwnership } from '../engine/firmware/index';
import { type DescribedIommu } from '../image/description/index';
import { type MachineOperation } from '../engine/machine/operation';
import { type Machine } from '../engine/machine/machine';
import { firmwareAnywhere } from './firmware';
import { NO_DEVICES, readDevices, type DeviceTable, type SharedSpace } from './deviceTable';
import {
  sameDomain,
  type DomainKey,
  type DomainRow,
  type InspectionSummary,
  type IommuSummary,
} from './protocol';
import { refuse } from './requestError';
import { type SourceMemory } from './sourceMemory';
import { domainKey } from './spaces';
import { type Work } from './work';

/** One IOMMU of an opened source. */
export interface OpenIommu {
  readonly summary: IommuSummary;
  readonly described: DescribedIommu;
  /** Undefined when it cannot be read; `summary.failure` says why. */
  readonly directory: DeviceDirectory | undefined;
}

/** A machine and what it was made by. It is replaced when an operation is taken back or given up half-way. */
export interface EmulatedMachine {
  current: Machine;
  readonly operations: MachineOperation[];
}

/** One opened source; everything a view shows comes from one. */
export class Inspection {
  /** Set when the source is an emulated machine. */
  readonly machine: EmulatedMachine | undefined;
  #memory: SourceMemory;
  #summary: InspectionSummary;
  #iommus: readonly OpenIommu[];
  #firmware: FirmwareOwnership | undefined;
  #searched = false;
  readonly #devices = new Map<string, DeviceTable>();

  constructor(
    summary: InspectionSummary,
    memory: SourceMemory,
    iommus: readonly OpenIommu[],
    firmware: FirmwareOwnership | undefined,
    machine?: EmulatedMachine,
  ) {
    this.#summary = summary;
    this.#memory = memory;
    this.#iommus = iommus;
    this.#firmware = firmware;
    this.machine = machine;
  }

  get summary(): InspectionSummary {
    return this.#summary;
  }

  get memory(): SourceMemory {
    return this.#memory;
  }

  get iommus(): readonly OpenIommu[] {
    return this.#iommus;
  }

  /** Takes what a machine's IOMMUs are after an operation: nothing that was read of them before is good any more. */
  renew(summary: InspectionSummary, memory: SourceMemory, iommus: readonly OpenIommu[]): void {
    this.#summary = summary;
    this.#memory = memory;
    this.#iommus = iommus;
    this.#devices.clear();
  }

  /** What the firmware's tables say, as far as they were found; undefined without any. */
  get firmware(): FirmwareOwnership | undefined {
    return this.#firmware;
  }

  /** Whether a search of the whole memory may tell more than `firmware` does. One IOMMU has nothing to be told apart from. */
  get maySearchFirmware(): boolean {
    return !this.#searched && this.#firmware === undefined && this.iommus.length > 1;
  }

  /** Searches the whole memory for the firmware's tables, for `firmware` to tell. */
  *searchFirmware(): Work<void> {
    this.#firmware = yield* firmwareAnywhere(this.memory);
    this.#searched = true;
  }

  iommu(name: string): OpenIommu {
    const found = this.iommus.find((iommu) => iommu.summary.name === name);
    if (found) return found;
    const names = this.iommus.map((iommu) => iommu.summary.name).join(', ');
    return refuse('inspection/no-such-iommu', `There is no IOMMU ${name}.`, `This source has: ${names}.`);
  }

  /** The directory of an IOMMU, which must be readable. */
  directory(name: string): DeviceDirectory {
    const { directory, summary } = this.iommu(name);
    if (directory) return directory;
    const why = summary.failure;
    return refuse(
      why?.code ?? 'inspection/iommu-not-read',
      why?.message ?? `${name} cannot be read.`,
      why?.hint,
    );
  }

  /** Its devices, read on first use. */
  *devices(name: string): Work<DeviceTable> {
    const known = this.#devices.get(name);
    if (known) return known;
    const { directory } = this.iommu(name);
    const table: DeviceTable = directory ? yield* readDevices(directory) : NO_DEVICES;
    this.#devices.set(name, table);
    return table;
  }

  /** The address space that a key names. */
  *space(key: DomainKey): Work<SharedSpace> {
    const { spaces } = yield* this.devices(key.iommu);
    const found = spaces.find(({ space }) => sameDomain(domainKey(key.iommu, space), key));
    if (found) return found;
    const ids = [...new Set(spaces.map(({ space }) => Number(space.domainId)))].slice(0, 20).join(', ');
    return refuse(
      'inspection/no-such-domain',
      `${key.iommu} has no domain ${key.domainId} with its root table at 0x${key.root.toString(16)}.`,
      ids === '' ? 'It has no domains with tables.' : `Its domains: ${ids}.`,
    );
  }

  /** The machine, when the source is one; else refuses. */
  get emulated(): EmulatedMachine {
    if (this.machine) return this.machine;
    return refuse(
      'machine/none',
      `${this.#memory.name} is a memory image, and only emulated machines can be changed.`,
      'Make an emulated machine.',
    );
  }

  close(): void {
    this.#memory.close();
  }
}

export function domainRow({ summary }: OpenIommu, { space, requesters }: SharedSpace): DomainRow {
  const { words, name } = summary;
  return {
    ...domainKey(name, space),
    format: space.format.format.title,
    addressBits: space.format.addressBits,
    tag: space.stage === 1 ? words.stage1Tag : words.stage2Tag,
    ...(space.lowEnd === 0 ? { upper: true } : {}),
    requesters,
  };
}

/** A requester as a request gives it: an integer below 2^32. */
export function checkRequester(value: number) {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    refuse('request/requester', `${value} is not a requester id.`, 'Requester ids have at most 32 bits.');
  }
  return requesterId(value);
}

/** A PASID as a request gives it: null, or an integer below 2^20. */
export function checkPasid(value: number | null): Pasid | null {
  if (value === null) return null;
  if (!Number.isInteger(value) || value < 0 || value >= 1 << 20) {
    refuse('request/pasid', `${value} is not a PASID.`, 'PASIDs have at most 20 bits.');
  }
  return pasid(value);
}
