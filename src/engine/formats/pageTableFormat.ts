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
  /** Leaf-most level first. */
  readonly levels: readonly LevelRule[];
  /** An entry with none of these bits is not present. */
  readonly present: bigint;
  /** An entry allows reads (writes) when it has all these bits; effective permission is the AND over all levels. */
  readonly readable: bigint;
  readonly writable: bigint;
  /** Where hardware marks use: table entries may have A too, only leaves have D. */
  readonly accessed: bigint;
  readonly dirty: bigint;
  /** Bits of the output address, or of the next table's address. */
  readonly address: bigint;
  /** The field layout of an entry; covers each of the 64 bits once. */
  readonly layout: (shape: EntryShape, level: LevelRule) => readonly BitField[];
  /** Bits that must be 0 in a present entry of this shape, given what the hardware can do. */
  readonly reserved: (shape: EntryShape, level: LevelRule, hardware: FormatHardware) => bigint;
}

/** What an entry is: a pointer to a table or an output address. */
export type EntryShape = 'table' | 'leaf';

/** One level, numbered and named as the specification does. */
export interface LevelRule {
  readonly level: number;
  /** Name of an entry: `SS-PDE`. */
  readonly entryName: string;
  /** Lowest input-address bit that selects an entry here. */
  readonly shift: number;
  /** log2 of the entries in a table. */
  readonly indexBits: number;
  /** Whether an entry is a leaf: always, never, or when all bits of `leafBits` are set. */
  readonly leaf: 'always' | 'never' | 'bits';
  readonly leafBits: bigint;
}

/** What the registers say the hardware can do; undefined: not known, so the permissive reading. */
export interface FormatHardware {
  /** Bytes of the leaves that are allowed above the leaf-most level. */
  readonly largePages: ReadonlySet<number> | undefined;
  readonly snoopControl: boolean | undefined;
  readonly deviceTlb: boolean | undefined;
  /** Half-open range of frames that no translation may lead to; undefined: none. */
  readonly forbiddenOutput?: { readonly startFrame: number; readonly endFrame: number } | undefined;
}
