import { type TrafficSpec } from '../traffic/spec';
import { type DmaLine } from './dmaLine';
import { type CpuOperation } from './operations/cpuTypes';
import { type DeviceOperation } from './operations/deviceTypes';
import { type NestingOperation } from './operations/nestingTypes';

export type { DmaLine } from './dmaLine';

/**
 * What can be done to a machine. Plain JSON: numbers that may have more than 53 bits are text (`0x...`, decimal, `2M`), so that
 * a journal of operations rebuilds a machine bit for bit. Domains are named by the id of their HWPT.
 */

export type MachineOperation =
  | NestingOperation
  | CpuOperation
  | DeviceOperation
  | DuringOperation
  | TrafficOperation
  | { readonly kind: 'dma'; readonly requests: readonly DmaLine[] }
  | {
      readonly kind: 'map';
      readonly domain: number;
      readonly iova: string;
      readonly length: string;
      /** Guest physical address; absent: the same as the IOVA. */
      readonly paddr?: string;
      readonly permission: 'R' | 'W' | 'RW';
    }
  | {
      readonly kind: 'unmap';
      readonly domain: number;
      readonly iova: string;
      readonly length: string;
      /** Ranges that go in the same gather, after the first. Through `tables` only. */
      readonly more?: readonly { readonly iova: string; readonly length: string }[];
      /** iommufd: whole areas only, as user space asks. tables: the kernel's own call, of any range. Absent: iommufd. */
      readonly through?: 'iommufd' | 'tables';
      /** everything: what was gathered is thrown away, and all of the domain is flushed. Through `tables` only. */
      readonly flush?: 'gathered' | 'everything';
      /** `unmap.xchg-report`: with a last dirty report; through `tables` only. Absent: nothing is reported. */
      readonly protocol?: string;
    }
  /** Replaces every leaf of the range that is larger than `size` by leaves of that size. */
  | {
      readonly kind: 'split';
      readonly domain: number;
      readonly iova: string;
      readonly length?: string;
      readonly size: string;
      /** `split.xchg-sprinkle`; absent: the one that is safe on this hardware. */
      readonly protocol?: string;
    }
  /** Replaces the tables of the range by leaves of `size`, where what they map allows it. */
  | {
      readonly kind: 'collapse';
      readonly domain: number;
      readonly iova: string;
      readonly length?: string;
      readonly size: string;
      readonly protocol?: string;
    }
  | { readonly kind: 'setDirtyTracking'; readonly domain: number; readonly enable: boolean }
  /** GET_DIRTY_BITMAP: `clear` false is NO_CLEAR. Without a range: all that is mapped. */
  | {
      readonly kind: 'readDirty';
      readonly domain: number;
      readonly iova?: string;
      readonly length?: string;
      readonly pageSize?: string;
      readonly clear: boolean;
      /** `harvest.clear-flush-copy`: by this order of clear, flush and copy, page by page of the tables; needs `clear`. */
      readonly protocol?: string;
      /** Bytes from the start of its first page at which the bitmap lies. 0 to 4095; absent: 0. */
      readonly bitmapOffset?: number;
    }
  /** Software asks for an invalidation although nothing changed. Without a range: all of the domain. */
  | { readonly kind: 'invalidate'; readonly domain: number; readonly iova?: string; readonly length?: string }
  | {
      readonly kind: 'attach';
      readonly requester: string;
      readonly pasid?: number | null;
      /** A domain, or what takes its place. */
      readonly to: number | 'pass-through' | 'blocked';
      readonly ats?: boolean;
    }
  /** A new, empty domain; `counts.domain` of the report is its id. */
  | {
      readonly kind: 'createDomain';
      readonly dirtyTracking: boolean;
      /** Guests may put a stage 1 of their own over it. */
      readonly nestParent?: boolean;
      /** Of `tableChoices(vendor)`; absent: the machine's. */
      readonly tables?: string;
      /** Page sizes that may be used; absent or empty: every size that fits. */
      readonly pages?: readonly string[];
    }
  /** Hardware drops one cached entry, by seed, or all of them. `cache`: of this one; absent: of any of the IOMMU's own. */
  | { readonly kind: 'evict'; readonly iommu: string; readonly all: boolean; readonly cache?: EvictedCache }
  /** Stores a word, as a program would that writes to physical memory. */
  | { readonly kind: 'writeWord'; readonly address: string; readonly word: string };

/** Caches by name; `device-tlb`: those of the devices behind the IOMMU. */
export type EvictedCache = 'iotlb' | 'walk' | 'contexts' | 'processes' | 'device-tlb';

/**
 * Does `operation` step by step, and at given moments others meanwhile: whole, or as far as they get before they wait for a lock
 * that the first one holds; those go on when it is over. Steps of hardware that it waits for count as its own. The report is
 * the first one's; `counts.meanwhile` says how many others were done, `counts.meanwhileWaited`, `meanwhileFailed` and
 * `meanwhileRefused` how many of them had to wait, were refused, and how many of their requests were; `counts.steps` its steps.
 * Refused: more than 64 moments, or operations more than 4 deep; 10,000 others are done at most.
 */
export interface DuringOperation {
  readonly kind: 'during';
  readonly operation: MachineOperation;
  readonly moments: readonly DuringMoment[];
  /** Hardware does no command of any queue while the operation runs, unless a moment says so. */
  readonly holdsCommands?: boolean;
}

/** When something is done during an operation. Steps count from 1; exactly one of `after` and `every` is given. */
export interface DuringMoment {
  /** The number of a step, or (part of) the name of one: the first that has it. 0: before the first step. */
  readonly after?: number | string;
  /** Every so many steps, or after every step of which the name has this part; `poll`: whenever software waits for hardware. */
  readonly every?: number | string;
  /** Hardware does its commands first: for operations that hold them. */
  readonly runsCommands?: boolean;
  readonly operations: readonly MachineOperation[];
}

/** Requests of generators, as many in all as `requests`, dealt out by their rates. The same seed gives the same requests. */
export interface TrafficOperation {
  readonly kind: 'traffic';
  readonly sources: readonly {
    /** `00:02.0` or an id. */
    readonly requester: string;
    readonly pasid?: number | null;
    readonly traffic: TrafficSpec;
  }[];
  readonly requests: number;
  readonly seed: number;
  /** Requests of these generators that were made before: the stream goes on from there. */
  readonly skip?: number;
}

/** What an operation did. */
export interface OperationReport {
  /** One sentence. */
  readonly summary: string;
  /** dma, cpu: where the accesses landed that did, the first 1,000: guest physical addresses, or what lies outside guest memory. */
  readonly landed?: readonly { readonly index: number; readonly address: string }[];
  /** Set when the driver refused: nothing was changed, or as far as the sentence says. */
  readonly errno?: string;
  readonly counts: Readonly<Record<string, number>>;
  /** dirty bitmap operations: what was reported, merged, by IOVA, at most 1,000 ranges. */
  readonly dirty?: {
    readonly ranges: readonly { readonly start: string; readonly end: string }[];
    readonly pages: number;
    readonly more: boolean;
  };
  /** dma: requests that were refused, the first 1,000, by their place in the list. */
  readonly refused?: readonly { readonly index: number; readonly fault: string }[];
  /** during: of what was done meanwhile, in the order in which it ended, the first 100. */
  readonly meanwhile?: readonly MeanwhileReport[];
  /** Input pages whose entries changed: what views look at first. */
  readonly touched?: { readonly domain: number; readonly start: string; readonly end: string };
}

/** What an operation did that was done during another one. */
export interface MeanwhileReport extends OperationReport {
  /** Its moment, by its place in the list, and its place among the operations of that. */
  readonly moment: number;
  readonly place: number;
}
