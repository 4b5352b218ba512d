import { type StructureRole } from '../engine/directory/deviceDirectory';
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

/** `root` and `context`: structures above the page tables; `table`: an entry of a page table. */
export type EntryRole = StructureRole | 'table';

/** Names one domain of one IOMMU: the page-table root with its domain id. */
export interface DomainKey {
  readonly iommu: string;
  readonly domainId: number;
  /** Physical address of the root table. */
  readonly root: bigint;
  readonly levels: number;
}

/** Merged neighbours: like leaves with contiguous IOVA and physical address. */
export interface Run {
  readonly iova: bigint;
  readonly length: bigint;
  readonly paddr: bigint;
  /** Bytes a leaf maps. */
  readonly pageSize: bigint;
  /** Leaves merged. */
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
