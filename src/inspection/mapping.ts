import { type StructureRole, type VendorWords } from '../engine/directory/deviceDirectory';
import { type PermissionText } from '../engine/pageTable/entry';

/** Effective permission as people write it. */
export type Permission = PermissionText;

/** Where an entry stands: enough to decode it again. */
export interface EntryRef {
  readonly iommu: string;
  /** Physical address of the entry's first byte. */
  readonly address: bigint;
  readonly role: EntryRole;
  /** For `table`: whose tables these are, the level as the specification numbers it, and the first IOVA covered. */
  readonly domain?: DomainKey;
  readonly level?: number;
  readonly iova?: bigint;
}

/** A structure above the page tables, or `table`: an entry of a page table. */
export type EntryRole = StructureRole | 'table';

/** Names one address space of one IOMMU: the page-table root with the domain's id. */
export interface DomainKey {
  readonly iommu: string;
  readonly stage: 1 | 2;
  /** DID, DomainID, ASID, VMID, PSCID or GSCID. */
  readonly domainId: number;
  /** Address of the root table: guest physical when there is a stage 2 below. */
  readonly root: bigint;
  readonly levels: number;
  /** The stage 2 below a nested stage 1. */
  readonly below?: { readonly domainId: number; readonly root: bigint };
}

export interface DomainRow extends DomainKey {
  /** Name of the page-table format: `VT-d second stage`. */
  readonly format: string;
  /** Bits of input address that the tables decode. */
  readonly addressBits: number;
  /** What its id is called: `DID`, `ASID`, `VMID`. */
  readonly tag: string;
  /** Takes the addresses of the upper half, beside another domain that takes the lower ones. Arm TTBR1. */
  readonly upper?: true;
  readonly requesters: readonly number[];
}

/** The key alone, of something that has more. */
export function domainKeyOf({ iommu, stage, domainId, root, levels, below }: DomainKey): DomainKey {
  return { iommu, stage, domainId, root, levels, ...(below ? { below } : {}) };
}

export function sameDomain(one: DomainKey, other: DomainKey): boolean {
  return (
    one.iommu === other.iommu &&
    one.stage === other.stage &&
    one.domainId === other.domainId &&
    one.root === other.root &&
    one.levels === other.levels &&
    one.below?.domainId === other.below?.domainId &&
    one.below?.root === other.below?.root
  );
}

/** `DID 3`, `ASID 1 on VMID 2`; by the vendor's words. */
export function domainTag({ stage, domainId, below }: DomainKey, words: VendorWords): string {
  const own = `${stage === 1 ? words.stage1Tag : words.stage2Tag} ${domainId}`;
  return below ? `${own} on ${words.stage2Tag} ${below.domainId}` : own;
}

/** Merged neighbours: like leaves with contiguous IOVA and physical address. */
export interface Run {
  readonly iova: bigint;
  readonly length: bigint;
  readonly paddr: bigint;
  /** Bytes of a page: of all its entries, where it takes several. */
  readonly pageSize: bigint;
  /** Pages merged. */
  readonly count: number;
  /** Effective, over all levels. */
  readonly perm: Permission;
  readonly accessed: boolean;
  readonly dirty: boolean;
  readonly level: number;
  /** Of the first leaf. */
  readonly entry: EntryRef;
  readonly word: bigint;
}

/** Names of the values of one run in files and JSON lines, in the order of columns. */
export const MAPPING_COLUMNS = [
  'iommu',
  'stage',
  'domain',
  'root',
  'iova',
  'length',
  'paddr',
  'size',
  'count',
  'perm',
  'accessed',
  'dirty',
  'level',
  'entry',
  'address',
] as const;

export type MappingRow = Readonly<
  Record<(typeof MAPPING_COLUMNS)[number], string | number | bigint | boolean>
>;

/** One run as the command line and the export of the editor write it. `entry` is the first leaf's word. */
export function mappingRow(domain: DomainKey, run: Run): MappingRow {
  return {
    iommu: domain.iommu,
    stage: domain.stage,
    domain: domain.domainId,
    root: domain.root,
    iova: run.iova,
    length: run.length,
    paddr: run.paddr,
    size: run.pageSize,
    count: run.count,
    perm: run.perm,
    accessed: run.accessed,
    dirty: run.dirty,
    level: run.level,
    entry: run.word,
    address: run.entry.address,
  };
}
