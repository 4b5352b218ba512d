import { type BitField } from '../bits/bitFields';

/**
 * One page-table format as data: everything the walkers, decoders and views know of it stands here. Masks are bigint
 * because they are written by people and read once: `compileFormat` makes 32-bit halves of them for the loops.
 */
export interface PageTableFormat {
  readonly id: string;
  /** `VT-d second stage` */
  readonly title: string;
  readonly specification: string;
  /** Leaf-most level first: the walkers count depth from 1 there, whatever number the specification gives the level. */
  readonly levels: readonly LevelRule[];
  /** An entry with none of these bits is not present. */
  readonly present: bigint;
  /** Says how a request's effective permission comes from the entries of all levels, for people. */
  readonly permissionRule: string;
  /** What an entry of this shape allows. Effective permission is the AND over all entries of the walk. */
  readonly permission: (shape: EntryShape, hardware: FormatHardware) => AccessRule;
  /** Set where hardware marks use: table entries may have it too. 0 where the format has no such bit. */
  readonly accessed: bigint;
  /** A leaf is dirty when the bits of the mask have this value. */
  readonly dirty: BitTest;
  /** The bits of `dirty` that hardware changes, where others only say that it may; absent: all. Arm: without DBM. */
  readonly dirtyMark?: bigint;
  /** A leaf without its accessed mark (a write to one without its dirty mark) faults when hardware does not set it. */
  readonly faultsUnaccessed?: boolean;
  readonly faultsUndirtied?: boolean;
  /**
   * What a leaf faults for that has several things wrong: its permission, then its marks, then where it leads (RISC-V
   * Privileged §4.3.2); absent: where it leads, then its accessed mark, then its permission (Arm DDI 0487 D8.15).
   */
  readonly permissionFirst?: boolean;
  /** What entries above take away is refused at the leaf only, so that a missing leaf is told as missing (Arm D8.4.1). */
  readonly deniesAtLeaf?: boolean;
  /** Bits that hardware sets in the table entries that it uses; absent: none. */
  readonly tableMarks?: (hardware: FormatHardware) => bigint;
  /** Where the bits of the output address, or of the next table's address, stand in an entry. */
  readonly address: AddressBits;
  /** Says the level of the table that a table entry points to; absent: always the one below. AMD v1. */
  readonly nextLevel?: { readonly high: number; readonly low: number };
  /** Pages that take several entries. */
  readonly largeRun?: LargeRun;
  /** The field layout of an entry; covers each of the 64 bits once. */
  readonly layout: (shape: EntryShape, level: LevelRule) => readonly BitField[];
  /** Bits that must be 0 in a present entry of this shape, given what the hardware can do; else it faults. */
  readonly reserved: (shape: EntryShape, level: LevelRule, hardware: FormatHardware) => bigint;
  /** What else must hold of a present entry of this shape. */
  readonly encodings?: (
    shape: EntryShape,
    level: LevelRule,
    hardware: FormatHardware,
  ) => readonly EncodingRule[];
}

/** What an entry is: a pointer to a table or an output address. */
export type EntryShape = 'table' | 'leaf';

/** True for a word of which the bits of the mask have this value. */
export interface BitTest {
  readonly mask: bigint;
  readonly value: bigint;
}

/** An entry allows the access when it passes any of the tests; `true`: always. */
export interface AccessRule {
  readonly read: readonly BitTest[] | true;
  readonly write: readonly BitTest[] | true;
}

/** An entry that passes `when` must pass `must` too; without `must` it is never good. */
export interface EncodingRule {
  readonly when: BitTest;
  readonly must?: BitTest;
  /** The bits it is about, inclusive. */
  readonly high: number;
  readonly low: number;
  /** `entry/write-only` */
  readonly code: string;
  /** A sentence for people. */
  readonly message: string;
  /** False: hardware accepts it, and it is a warning only. */
  readonly faults: boolean;
}

/**
 * Address bits `high`..`low` of an entry become address bits from `to` on; `extra` bits, where there are any, become the
 * uppermost ones. `low` is that of the smallest page; what a larger leaf must not use is `reserved`.
 */
export interface AddressBits {
  readonly high: number;
  readonly low: number;
  readonly to: number;
  readonly extra?: { readonly high: number; readonly low: number; readonly to: number };
}

/**
 * A page that stands in several neighbouring entries.
 * size-in-address (AMD v1): log2 of its size is 1 + the lowest clear bit of the address field, the word is the same in all.
 * same-word (RISC-V Svnapot): a fixed number of equal words; the lowest address bits say the size and are not address.
 * own-address (Arm contiguous): each entry maps its own part; together they are one page for the caches.
 */
export interface LargeRun {
  readonly kind: 'size-in-address' | 'same-word' | 'own-address';
  readonly when: BitTest;
  /** log2 of the entries of a run at a level, 0 where there is none; not used by size-in-address. */
  readonly log2Entries: (level: LevelRule) => number;
}

/** One level, numbered and named as the specification does. */
export interface LevelRule {
  readonly level: number;
  /** Name of an entry: `SS-PDE`. */
  readonly entryName: string;
  /** Lowest input-address bit that selects an entry here. */
  readonly shift: number;
  /** log2 of the entries in a table; a root may have more or fewer. */
  readonly indexBits: number;
  /** Which present entries are leaves. */
  readonly leaf: LeafRule;
}

/** Always, never, or when bits of the low half have one of these (at most two) values; `not`: when they have none of them. */
export type LeafRule =
  'always' | 'never' | { readonly mask: number; readonly values: readonly number[]; readonly not?: boolean };

/** What registers and device entries say of the hardware; undefined: not known, so the permissive reading. */
export interface FormatHardware {
  /** Bytes of the leaves that are allowed above the leaf-most level. */
  readonly largePages?: ReadonlySet<number> | undefined;
  /** Half-open range of frames that no translation may lead to. */
  readonly forbiddenOutput?: { readonly startFrame: number; readonly endFrame: number } | undefined;
  /** Output addresses have this many bits; a translation that leads beyond faults (Arm) or the bits are reserved (x86). */
  readonly outputBits?: number | undefined;
  /** Bits of the address field that are not address: an encryption bit. */
  readonly notAddress?: bigint | undefined;
  /** Requests are privileged; by default they are not, as those of PCIe devices. */
  readonly privileged?: boolean | undefined;
  /** Hardware sets the accessed (dirty) mark itself. */
  readonly setsAccessed?: boolean | undefined;
  readonly setsDirty?: boolean | undefined;
  /** Hardware would set marks, and faults instead as it may not write: it does not snoop caches as it walks (VT-d 5.10 §3.10). */
  readonly refusesMarks?: boolean | undefined;
  /** A clear accessed mark is let through without being set (Arm AFFD). */
  readonly ignoresAccessed?: boolean | undefined;
  /** Extensions that are there or not. */
  readonly features?: Partial<Readonly<Record<FormatFeature, boolean>>>;
}

export type FormatFeature =
  /** VT-d ECAP.SC and ECAP.DT: bits 11 and 62 of second-stage leaves mean something. */
  | 'snoopControl'
  | 'deviceTlb'
  /** x86: the execute-disable bit is not reserved; WPE, supervisor writes need R/W too. */
  | 'executeDisable'
  | 'writeProtect'
  /** EPT: entries that allow nothing but to execute. */
  | 'executeOnly'
  /** Arm: CD.HPD clear, so that APTable and XNTable of table entries count. */
  | 'hierarchicalPermissions'
  /** Arm: CD.PAN, privileged requests may not reach what unprivileged ones may. */
  | 'privilegedAccessNever'
  /** Arm: CD.HAFT with CD.HA, hardware marks table entries accessed, too. */
  | 'marksTables'
  /** Arm: STE.S2PTW, tables and descriptors are read from normal memory only; STE.S2FWB, MemAttr has its other meaning. */
  | 'protectedTables'
  | 'stage2MemoryType'
  /** RISC-V: even a read needs D, or sets it, where the page may be written, as the reads of first-stage entries do with SADE. */
  | 'readsNeedDirty'
  /** RISC-V: PC.ta.SUM, privileged requests may reach what unprivileged ones may. */
  | 'supervisorUserAccess'
  /** RISC-V capabilities. */
  | 'svpbmt'
  | 'svnapot'
  | 'svrsw60t59b';
