import { FRAME_SHIFT } from '../values';
import { assert } from '../result';
import { type FormatHardware, type LevelRule, type PageTableFormat } from './pageTableFormat';

/** One level in 32-bit halves, as the loops read it. */
export interface CompiledLevel {
  readonly rule: LevelRule;
  readonly level: number;
  readonly shift: number;
  /** Entries in a table, minus one. */
  readonly indexMask: number;
  /** 4 KiB pages that one entry covers. */
  readonly pagesPerEntry: number;
  readonly canBeTable: boolean;
  readonly canBeLeaf: boolean;
  /** An entry is a leaf when all these bits are set; both 0 where every entry is. */
  readonly leafLo: number;
  readonly leafHi: number;
  readonly reservedTableLo: number;
  readonly reservedTableHi: number;
  readonly reservedLeafLo: number;
  readonly reservedLeafHi: number;
}

/** A format made ready for one root level and one piece of hardware. */
export interface CompiledFormat {
  readonly format: PageTableFormat;
  readonly hardware: FormatHardware;
  readonly rootLevel: number;
  /** Input-address bits that the tables decode. */
  readonly addressBits: number;
  /** By level number; index 0 is unused. */
  readonly levels: readonly CompiledLevel[];
  readonly presentLo: number;
  readonly presentHi: number;
  readonly readLo: number;
  readonly readHi: number;
  readonly writeLo: number;
  readonly writeHi: number;
  /** Bit 0 allows reads and bit 1 writes: permission needs no comparison. */
  readonly permissionInLowBits: boolean;
  readonly accessedLo: number;
  readonly accessedHi: number;
  readonly dirtyLo: number;
  readonly dirtyHi: number;
  /** Address bits 51:32 in the high half; the low half always is bits 31:12. */
  readonly addressHi: number;
  /** Half-open range of frames that no translation may lead to; empty for none. */
  readonly forbiddenStart: number;
  readonly forbiddenEnd: number;
}

const lo = (mask: bigint): number => Number(mask & 0xffffffffn) | 0;
const hi = (mask: bigint): number => Number(mask >> 32n) | 0;

function compileLevel(format: PageTableFormat, rule: LevelRule, hardware: FormatHardware): CompiledLevel {
  const reservedTable = format.reserved('table', rule, hardware);
  const reservedLeaf = format.reserved('leaf', rule, hardware);
  return {
    rule,
    level: rule.level,
    shift: rule.shift,
    indexMask: 2 ** rule.indexBits - 1,
    pagesPerEntry: 2 ** (rule.shift - FRAME_SHIFT),
    canBeTable: rule.leaf !== 'always',
    canBeLeaf: rule.leaf !== 'never',
    leafLo: lo(rule.leafBits),
    leafHi: hi(rule.leafBits),
    reservedTableLo: lo(reservedTable),
    reservedTableHi: hi(reservedTable),
    reservedLeafLo: lo(reservedLeaf),
    reservedLeafHi: hi(reservedLeaf),
  };
}

/** Makes a format ready for tables whose root is at `rootLevel`. */
export function compileFormat(
  format: PageTableFormat,
  rootLevel: number,
  hardware: FormatHardware,
): CompiledFormat {
  const used = format.levels.filter((rule) => rule.level <= rootLevel);
  const root = used.at(-1);
  const leafMost = used[0];
  assert(root?.level === rootLevel && leafMost, `${format.title} has no level ${rootLevel}`);
  const compiled = used.map((rule) => compileLevel(format, rule, hardware));
  const unused = compiled[0];
  assert(unused, 'a format has levels');
  return {
    format,
    hardware,
    rootLevel,
    addressBits: root.shift + root.indexBits,
    levels: [unused, ...compiled],
    presentLo: lo(format.present),
    presentHi: hi(format.present),
    readLo: lo(format.readable),
    readHi: hi(format.readable),
    writeLo: lo(format.writable),
    writeHi: hi(format.writable),
    permissionInLowBits: format.readable === 1n && format.writable === 2n,
    accessedLo: lo(format.accessed),
    accessedHi: hi(format.accessed),
    dirtyLo: lo(format.dirty),
    dirtyHi: hi(format.dirty),
    addressHi: hi(format.address),
    forbiddenStart: hardware.forbiddenOutput?.startFrame ?? 0,
    forbiddenEnd: hardware.forbiddenOutput?.endFrame ?? 0,
  };
}

/** The compiled level, which must exist. */
export function levelOf(compiled: CompiledFormat, level: number): CompiledLevel {
  const found = compiled.levels[level];
  assert(level > 0 && found, `no level ${level}`);
  return found;
}
