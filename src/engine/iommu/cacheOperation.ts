/** What caches know a translation by. -1: has none. */
export interface CacheTag {
  /** Of stage 2, or of the domain: VT-d DID, AMD DomainID, Arm VMID, RISC-V GSCID. */
  readonly vm: number;
  /** Within it: VT-d and AMD PASID, Arm ASID, RISC-V PSCID. -1: no stage 1. */
  readonly space: number;
}

/** Half-open range of pages of 4 KiB. */
export interface PageRange {
  readonly startPage: number;
  readonly endPage: number;
}

/** Which cached translations or table pointers go. What is absent selects everything. */
export interface TagSelection {
  readonly vm?: number;
  readonly space?: number;
  /** With `space`: entries that are global (x86 G, Arm nG = 0, RISC-V G) stay. */
  readonly keepsGlobal?: boolean;
  /** Only entries with (without) a stage 1: Arm and RISC-V commands of one stage. */
  readonly stage1?: boolean;
}

export interface TranslationSelection extends TagSelection {
  /** By IOVA. */
  readonly pages?: PageRange;
  /** By guest physical address, of entries that went through stage 2. */
  readonly guestPages?: PageRange;
  /** log2 bytes of the leaf that software says it changed (Arm TTL, VT-d AM): entries larger than that may stay. */
  readonly largestShift?: number;
}

export interface TableSelection extends TagSelection {
  readonly pages?: PageRange;
  readonly guestPages?: PageRange;
  /** Whose tables; absent: both. */
  readonly stage?: 1 | 2;
}

/** What one command does to the caches of the IOMMU: each part that is there drops what it selects. */
export interface CacheOperation {
  readonly translations?: TranslationSelection;
  readonly tables?: TableSelection;
  /** Device contexts: of these requesters; empty object: all. `mask`: these bits of the id do not count. */
  readonly contexts?: { readonly requester?: number; readonly mask?: number; readonly vm?: number };
  /** Entries of processes; `pasid` null: what requests without a PASID use. */
  readonly processes?: {
    readonly requester?: number;
    readonly pasid?: number | null;
    readonly vm?: number;
  };
}

/** An ATS invalidation that goes to a device (PCIe 6.0 §10.3). */
export interface DeviceTlbOperation {
  readonly requester: number;
  /** Null: of requests without a PASID. */
  readonly pasid: number | null;
  /** Of every PASID. */
  readonly global: boolean;
  readonly pages: PageRange;
}
