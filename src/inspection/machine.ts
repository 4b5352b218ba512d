/** What an emulated machine adds to an inspection: operations, its caches, its fault log, its ledger. */
import { type MachineOperation, type OperationReport } from '../engine/machine/operation';
import { type MachineSpec } from '../engine/machine/spec';
import { type DomainKey, type EntryRef, type Permission } from './mapping';
import { type Page, type PageRequest } from './pages';

export type { DmaLine, MachineOperation, OperationReport } from '../engine/machine/operation';
export type { MachineDevice, MachineSpec, MappingPolicy } from '../engine/machine/spec';

/** A machine and all that was done to it, in order: enough to build it again, bit for bit. */
export interface MachineRecord {
  readonly version: 1;
  readonly spec: MachineSpec;
  readonly operations: readonly MachineOperation[];
}

/** A machine as it stands. */
export interface MachineState {
  readonly spec: MachineSpec;
  /** Operations done so far. */
  readonly operations: number;
  readonly domains: readonly MachineDomain[];
  readonly devices: readonly MachineDeviceState[];
  readonly iommus: readonly { readonly name: string; readonly counters: Readonly<Record<string, number>> }[];
  /** What the ledger found wrong, by kind: as many as `findings` lists. */
  readonly findings: Readonly<Record<string, number>>;
  readonly bytes: { readonly written: bigint; readonly reported: bigint; readonly tables: bigint };
}

export interface MachineDomain {
  /** What operations name it by. */
  readonly id: number;
  /** As the tree shows it, on each IOMMU that has it; empty while no device is attached. */
  readonly keys: readonly DomainKey[];
  readonly tracking: 'none' | 'off' | 'on';
  readonly mappedBytes: bigint;
  readonly format: string;
  /** Bytes of the pages it can have, ascending. */
  readonly pageSizes: readonly bigint[];
}

export interface MachineDeviceState {
  readonly iommu: string;
  readonly requester: number;
  readonly pasid: number | null;
  readonly to: number | 'pass-through' | 'blocked' | 'nested';
  readonly ats: boolean;
}

/** A cached translation. */
export interface CacheRow {
  readonly cache: 'iotlb' | 'device-tlb';
  readonly iommu: string;
  /** The device, of a device TLB. */
  readonly requester?: number;
  /** The vendor's words: `DID 1`, `VMID 0 ASID 3`. */
  readonly tag: string;
  readonly iova: bigint;
  readonly size: bigint;
  readonly paddr: bigint;
  readonly perm: Permission;
  /** A (D) is set already: the next access (write) touches no table. */
  readonly accessedDone: boolean;
  readonly dirtyDone: boolean;
  readonly global: boolean;
  /** What memory says by now, where it differs; absent: it is current. */
  readonly stale?: {
    readonly what: 'gone' | 'moved' | 'permission' | 'size' | 'clean';
    readonly says: string;
  };
  /** The entries it was made from. */
  readonly entries: readonly EntryRef[];
}

export interface FaultRow {
  readonly iommu: string;
  /** Oldest first; in the order of the log. */
  readonly index: number;
  /** The vendor's name and code. */
  readonly code: string;
  readonly requester: number;
  readonly pasid: number | null;
  readonly iova: bigint;
  readonly write: boolean;
  /** The record as it stands in memory or registers. */
  readonly words: readonly bigint[];
}

export interface FaultPage extends Page<FaultRow> {
  /** IOMMUs whose log is full: later faults are not in it. */
  readonly overflowed: readonly string[];
}

/** Something that must not happen, and what is behind it. */
export interface FindingRow {
  readonly kind: string;
  /** What the range counts: guest physical addresses, IOVAs, or physical addresses of tables. */
  readonly of: 'guest' | 'iova' | 'frame';
  readonly iova: bigint;
  readonly length: bigint;
  /** A sentence: step, entry, cached translation, command. */
  readonly says: string;
  /** Number of the operation during which it was found, from 0. */
  readonly operation: number;
  readonly entry?: EntryRef;
}

export interface MachineRequests {
  /** What is wrong with a specification, before a machine is built from it; null: nothing. */
  checkMachine: {
    params: { spec: MachineSpec };
    result: { readonly message: string; readonly hint?: string } | null;
  };
  /** What a vendor's machine can be made of. */
  machineChoices: { params: Record<string, never>; result: MachineChoices };
  machine: { params: { inspection: string }; result: MachineState };
  /** Does one operation, whole. Cancelled half-way it leaves the machine as it was before. */
  operate: { params: { inspection: string; operation: MachineOperation }; result: OperationReport };
  /** Takes back the last operation. */
  undo: { params: { inspection: string }; result: { readonly operations: number } };
  caches: { params: { inspection: string; staleOnly?: boolean; page: PageRequest }; result: Page<CacheRow> };
  faults: { params: { inspection: string; page: PageRequest }; result: FaultPage };
  findings: { params: { inspection: string; page: PageRequest }; result: Page<FindingRow> };
  /** The machine's memory as an ELF core, and its description, naming it `name`. */
  saveMachine: {
    params: { inspection: string; name: string };
    result: { readonly image: Uint8Array; readonly description: string };
  };
}

export interface MachineChoices {
  readonly vendors: readonly {
    readonly vendor: MachineSpec['vendor'];
    readonly title: string;
    readonly tables: readonly {
      readonly id: string;
      readonly title: string;
      readonly pageSizes: readonly string[];
    }[];
  }[];
  /** Protocols that operations may name, with what they do. */
  readonly splits: readonly { readonly id: string; readonly title: string }[];
  readonly collapses: readonly { readonly id: string; readonly title: string }[];
  readonly driverFaults: readonly { readonly id: string; readonly title: string }[];
}
