/**
 * What can be done to a machine. Plain JSON: numbers that may have more than 53 bits are text (`0x...`, decimal, `2M`), so that
 * a journal of operations rebuilds a machine bit for bit. Domains are named by the id of their HWPT.
 */
export type MachineOperation =
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
  | { readonly kind: 'unmap'; readonly domain: number; readonly iova: string; readonly length: string }
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
  /** A new, empty domain with the same page-table format. */
  | { readonly kind: 'createDomain'; readonly dirtyTracking: boolean }
  /** Hardware drops one cached translation, by seed, or all of them. */
  | { readonly kind: 'evict'; readonly iommu: string; readonly all: boolean }
  /** Stores a word, as a program would that writes to physical memory. */
  | { readonly kind: 'writeWord'; readonly address: string; readonly word: string };

/** One request as a trace file has it, a JSON object a line. `sid`: `00:02.0` or an id. */
export interface DmaLine {
  readonly sid: string | number;
  readonly pasid?: number | null;
  readonly iova: string | number;
  /** Bytes; absent: one page. May run over pages: the request is split. */
  readonly length?: number;
  readonly access: 'read' | 'write' | 'atomic';
}

/** What an operation did. */
export interface OperationReport {
  /** One sentence. */
  readonly summary: string;
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
  /** Input pages whose entries changed: what views look at first. */
  readonly touched?: { readonly domain: number; readonly start: string; readonly end: string };
}
