import { FRAME_SHIFT } from '../values';
import { assert } from '../result';
import {
  type AccessRule,
  type BitTest,
  type EncodingRule,
  type EntryShape,
  type FormatHardware,
  type LevelRule,
  type PageTableFormat,
} from './pageTableFormat';

/** One level in 32-bit halves, as the loops read it. */
export interface CompiledLevel {
  readonly rule: LevelRule;
  /** 1 = leaf-most. */
  readonly depth: number;
  readonly shift: number;
  /** Entries in a table, minus one. */
  readonly indexMask: number;
  /** 4 KiB pages that one entry covers. */
  readonly pagesPerEntry: number;
  readonly canBeTable: boolean;
  /** A leaf has one of the two values in the bits of the mask, or with `leafNot` neither. */
  readonly leafMask: number;
  readonly leafValue: number;
  readonly leafOther: number;
  readonly leafNot: boolean;
  readonly reservedTableLo: number;
  readonly reservedTableHi: number;
  readonly reservedLeafLo: number;
  readonly reservedLeafHi: number;
  /** Encodings that fault: eight numbers each, see `encodingColumns`. Empty where masks say all. */
  readonly encodingsTable: Int32Array;
  readonly encodingsLeaf: Int32Array;
  /** log2 of the entries of a run; 0: none. */
  readonly runLog2: number;
}

/** What allows reads and writes: the first test of each in the open, since few formats have another. */
export interface CompiledAccess {
  readonly readMaskLo: number;
  readonly readValueLo: number;
  readonly readMaskHi: number;
  readonly readValueHi: number;
  readonly writeMaskLo: number;
  readonly writeValueLo: number;
  readonly writeMaskHi: number;
  readonly writeValueHi: number;
  /** Further tests of which one is enough: four numbers each (mask lo, value lo, mask hi, value hi). */
  readonly moreRead: Int32Array;
  readonly moreWrite: Int32Array;
}

/** A format made ready for one root level and one piece of hardware. */
export interface CompiledFormat {
  readonly format: PageTableFormat;
  readonly hardware: FormatHardware;
  readonly rootDepth: number;
  /** Input-address bits that the tables decode. */
  readonly addressBits: number;
  /** By depth; index 0 is unused. */
  readonly levels: readonly CompiledLevel[];
  readonly presentLo: number;
  readonly presentHi: number;
  /** Bit 0 allows reads and bit 1 writes, in tables and leaves: permission needs no comparison. */
  readonly permissionInLowBits: boolean;
  readonly tableAccess: CompiledAccess;
  readonly leafAccess: CompiledAccess;
  readonly accessedLo: number;
  readonly accessedHi: number;
  readonly dirtyMaskLo: number;
  readonly dirtyMaskHi: number;
  readonly dirtyValueLo: number;
  readonly dirtyValueHi: number;
  /** All bits set where the format has a dirty mark, else 0. */
  readonly hasDirty: number;
  /** What hardware changes of it. */
  readonly dirtyMarkLo: number;
  readonly dirtyMarkHi: number;
  /** A leaf without the mark faults, as hardware does not set it. */
  readonly needsAccessed: boolean;
  readonly needsDirty: boolean;
  /** So does a read of a leaf that allows writes and is not marked dirty. */
  readonly readsNeedDirty: boolean;
  /** Hardware sets the marks of leaves, and these bits of table entries, by writing to the tables. */
  readonly setsAccessed: boolean;
  readonly setsDirty: boolean;
  readonly tableMarksLo: number;
  readonly tableMarksHi: number;
  /** An entry that it would mark faults instead. */
  readonly refusesMarks: boolean;
  /** What entries above take away is refused at the leaf only. */
  readonly deniesAtLeaf: boolean;
  /** Address bits 51:32 and 31:12 at their own place: nothing to shift. */
  readonly plainAddress: boolean;
  readonly addressHi: number;
  readonly addressLo: number;
  /** Bits of the low half below the address. */
  readonly addressShift: number;
  /** Bits that the address moves up by from entry to address. */
  readonly addressMove: number;
  /** Further address bits in the low half, for the high half of the address; mask 0: none. */
  readonly extraShift: number;
  readonly extraMask: number;
  readonly extraTo: number;
  /** What a leaf's word grows by from a page to the next, at the leaf-most level. */
  readonly pageStep: number;
  readonly pageStepShift: number;
  /** -1: the table below; else the shift of the level field in the low half. */
  readonly nextLevelShift: number;
  readonly nextLevelMask: number;
  readonly runKind: 'none' | 'size-in-address' | 'same-word' | 'own-address';
  readonly runMaskLo: number;
  readonly runMaskHi: number;
  readonly runValueLo: number;
  readonly runValueHi: number;
  /** Half-open range of frames that no translation may lead to; empty for none. */
  readonly forbiddenStart: number;
  readonly forbiddenEnd: number;
  /** First frame that no translation reaches. */
  readonly outputEnd: number;
}

const lo = (mask: bigint): number => Number(mask & 0xffffffffn) | 0;
const hi = (mask: bigint): number => Number((mask >> 32n) & 0xffffffffn) | 0;

/** Numbers of an encoding rule in `encodingsTable` and `encodingsLeaf`. */
export const ENCODING_COLUMNS = 8;

function encodingColumns(rules: readonly EncodingRule[]): Int32Array {
  // A rule without `must` asks for a bit that no word has: mask 0, value 1.
  return Int32Array.from(
    rules
      .filter(({ faults }) => faults)
      .flatMap(({ when, must = { mask: 0n, value: 1n } }) => [...testColumns(when), ...testColumns(must)]),
  );
}

function testColumns({ mask, value }: BitTest): number[] {
  return [lo(mask), lo(value), hi(mask), hi(value)];
}

/** Tests of a rule; always: one test that every word passes; never: one that none does. */
function accessColumns(rule: AccessRule['read']): readonly number[] {
  if (rule === true) return [0, 0, 0, 0];
  return rule.length === 0 ? [0, 1, 0, 0] : rule.flatMap(testColumns);
}

function compileAccess({ read, write }: AccessRule): CompiledAccess {
  const [readMaskLo = 0, readValueLo = 0, readMaskHi = 0, readValueHi = 0, ...moreRead] = accessColumns(read);
  const [writeMaskLo = 0, writeValueLo = 0, writeMaskHi = 0, writeValueHi = 0, ...moreWrite] =
    accessColumns(write);
  return {
    readMaskLo,
    readValueLo,
    readMaskHi,
    readValueHi,
    writeMaskLo,
    writeValueLo,
    writeMaskHi,
    writeValueHi,
    moreRead: Int32Array.from(moreRead),
    moreWrite: Int32Array.from(moreWrite),
  };
}

const NO_LEAF = { mask: 0, values: [1, 1], not: false };
const ALL_LEAVES = { mask: 0, values: [0, 0], not: false };

function compileLevel(
  format: PageTableFormat,
  rule: LevelRule,
  depth: number,
  indexBits: number,
  hardware: FormatHardware,
): CompiledLevel {
  const reserved = (shape: EntryShape) => format.reserved(shape, rule, hardware);
  const encodings = (shape: EntryShape) => encodingColumns(format.encodings?.(shape, rule, hardware) ?? []);
  const leaf = rule.leaf === 'always' ? ALL_LEAVES : rule.leaf === 'never' ? NO_LEAF : rule.leaf;
  const [first = 0, other = first] = leaf.values;
  const runLog2 = format.largeRun?.log2Entries(rule) ?? 0;
  return {
    rule,
    depth,
    shift: rule.shift,
    indexMask: (1 << indexBits) - 1,
    pagesPerEntry: 2 ** (rule.shift - FRAME_SHIFT),
    canBeTable: rule.leaf !== 'always',
    leafMask: leaf.mask | 0,
    leafValue: first | 0,
    leafOther: other | 0,
    leafNot: leaf.not ?? false,
    reservedTableLo: lo(reserved('table')),
    reservedTableHi: hi(reserved('table')),
    reservedLeafLo: lo(reserved('leaf')),
    reservedLeafHi: hi(reserved('leaf')),
    encodingsTable: encodings('table'),
    encodingsLeaf: encodings('leaf'),
    // A run that a short root cannot hold is none: its neighbours are not the table's.
    runLog2: runLog2 > indexBits ? 0 : runLog2,
  };
}

function compileAddress({ address }: PageTableFormat, notAddress: bigint) {
  const { high, low, to, extra } = address;
  assert(low < 32 && high >= 32 && to - low <= 12 && to >= FRAME_SHIFT, 'address bits lie in both halves');
  const mask = (((1n << BigInt(high - low + 1)) - 1n) << BigInt(low)) & ~notAddress;
  const move = to - low;
  const extraBits = extra ? extra.high - extra.low + 1 : 0;
  return {
    plainAddress: low === FRAME_SHIFT && move === 0 && !extra,
    addressHi: hi(mask),
    addressLo: lo(mask),
    addressShift: low,
    addressMove: move,
    extraShift: extra?.low ?? 0,
    extraMask: (1 << extraBits) - 1,
    extraTo: extra ? extra.to - 32 : 0,
  };
}

/**
 * Makes a format ready for tables whose root is at `rootDepth` (1 = leaf-most). `rootIndexBits`: log2 of the entries of the
 * root where it is shorter or longer than its level says.
 */
export function compileFormat(
  format: PageTableFormat,
  rootDepth: number,
  hardware: FormatHardware,
  rootIndexBits?: number,
): CompiledFormat {
  const used = format.levels.slice(0, rootDepth);
  const root = used.at(-1);
  assert(root && used.length === rootDepth, `${format.title} has no ${rootDepth} levels`);
  const indexBitsOf = (rule: LevelRule) =>
    rule === root ? (rootIndexBits ?? rule.indexBits) : rule.indexBits;
  const compiled = used.map((rule, index) =>
    compileLevel(format, rule, index + 1, indexBitsOf(rule), hardware),
  );
  const leafMost = compiled[0];
  assert(leafMost, 'a format has levels');
  const table = format.permission('table', hardware);
  const leaf = format.permission('leaf', hardware);
  const run = format.largeRun;
  const setsAccessed = hardware.setsAccessed === true;
  const setsDirty = hardware.setsDirty === true;
  const tableMarks = format.tableMarks?.(hardware) ?? 0n;
  const address = compileAddress(format, hardware.notAddress ?? 0n);
  const pageStepShift = leafMost.shift - address.addressMove;
  return {
    format,
    hardware,
    rootDepth,
    addressBits: root.shift + indexBitsOf(root),
    levels: [leafMost, ...compiled],
    presentLo: lo(format.present),
    presentHi: hi(format.present),
    permissionInLowBits: isLowBits(table) && isLowBits(leaf),
    tableAccess: compileAccess(table),
    leafAccess: compileAccess(leaf),
    accessedLo: lo(format.accessed),
    accessedHi: hi(format.accessed),
    dirtyMaskLo: lo(format.dirty.mask),
    dirtyMaskHi: hi(format.dirty.mask),
    dirtyValueLo: lo(format.dirty.value),
    dirtyValueHi: hi(format.dirty.value),
    hasDirty: format.dirty.mask === 0n ? 0 : -1,
    dirtyMarkLo: lo(format.dirtyMark ?? format.dirty.mask),
    dirtyMarkHi: hi(format.dirtyMark ?? format.dirty.mask),
    needsAccessed: format.faultsUnaccessed === true && !setsAccessed && hardware.ignoresAccessed !== true,
    needsDirty: format.faultsUndirtied === true && !setsDirty,
    readsNeedDirty: hardware.features?.readsNeedDirty === true,
    setsAccessed: setsAccessed && format.accessed !== 0n,
    setsDirty: setsDirty && format.dirty.mask !== 0n,
    tableMarksLo: lo(tableMarks),
    tableMarksHi: hi(tableMarks),
    refusesMarks: hardware.refusesMarks === true,
    deniesAtLeaf: format.deniesAtLeaf === true,
    ...address,
    // Shifts make integers; of a power JavaScript makes a double, which loops would carry along.
    pageStep: 1 << pageStepShift,
    pageStepShift,
    nextLevelShift: format.nextLevel?.low ?? -1,
    nextLevelMask: format.nextLevel ? 2 ** (format.nextLevel.high - format.nextLevel.low + 1) - 1 : 0,
    runKind: run?.kind ?? 'none',
    runMaskLo: lo(run?.when.mask ?? 0n),
    runMaskHi: hi(run?.when.mask ?? 0n),
    runValueLo: lo(run?.when.value ?? 0n),
    runValueHi: hi(run?.when.value ?? 0n),
    forbiddenStart: hardware.forbiddenOutput?.startFrame ?? 0,
    forbiddenEnd: hardware.forbiddenOutput?.endFrame ?? 0,
    outputEnd: hardware.outputBits === undefined ? Infinity : 2 ** (hardware.outputBits - FRAME_SHIFT),
  };
}

/** Whether bit 0 alone says reads and bit 1 alone says writes. */
function isLowBits({ read, write }: AccessRule): boolean {
  const isBit = (rule: AccessRule['read'], bit: bigint) =>
    rule !== true && rule.length === 1 && rule[0]?.mask === bit && rule[0].value === bit;
  return isBit(read, 1n) && isBit(write, 2n);
}

/** The compiled level at a depth, which must exist. */
export function levelOf(compiled: CompiledFormat, depth: number): CompiledLevel {
  const found = compiled.levels[depth];
  assert(depth > 0 && found, `no depth ${depth}`);
  return found;
}

/** The depth of the level that the specification gives this number; undefined when these tables have none. */
export function depthOf(compiled: CompiledFormat, level: number): number | undefined {
  const index = compiled.levels.findIndex((each, depth) => depth > 0 && each.rule.level === level);
  return index < 0 ? undefined : index;
}
