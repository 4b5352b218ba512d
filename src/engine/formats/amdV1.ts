import { fieldMakers, mask, type BitField } from '../bits/bitFields';
import { formatSize } from '../values';
import { type EncodingRule, type EntryShape, type LevelRule, type PageTableFormat } from './pageTableFormat';

const SECTION = 'AMD 48882 3.10 §2.2.3';
const { flag, field, address, ignored, reserved } = fieldMakers(SECTION);

const PRESENT = mask(0);
const ACCESSED = mask(5);
const DIRTY = mask(6);
const NEXT_LEVEL = { high: 11, low: 9 };
const NEXT_LEVEL_MASK = mask(NEXT_LEVEL.high, NEXT_LEVEL.low);
/** Next level of a leaf of the level's own size, and of one that says its size in the address. */
const DEFAULT_SIZE = 0n;
const SIZE_IN_ADDRESS = 7n << 9n;
const IR = mask(61);
const IW = mask(62);

/** A page translation entry rather than a directory entry, by its next level. */
const LEAF = { mask: Number(NEXT_LEVEL_MASK), values: [Number(DEFAULT_SIZE), Number(SIZE_IN_ADDRESS)] };

/**
 * Six levels of nine bits; the uppermost has the seven that are left of 64. Its entries cannot be pages: their smallest one
 * would be larger than physical memory can be.
 */
const levels: readonly LevelRule[] = Array.from({ length: 6 }, (_, index) => ({
  level: index + 1,
  entryName: index === 0 ? 'PTE' : 'PDE',
  shift: 12 + 9 * index,
  indexBits: index === 5 ? 7 : 9,
  leaf: index === 5 ? 'never' : LEAF,
}));

function nextLevelField({ level, shift }: LevelRule): BitField {
  return field('NextLevel', NEXT_LEVEL.high, NEXT_LEVEL.low, 'control', (value) => {
    if (value === 0n)
      return level === 6 ? 'no page is this large' : `maps a ${formatSize(1n << BigInt(shift))} page`;
    if (value === 7n)
      return level === 6 ? 'no page is this large' : 'maps a page whose size the address says';
    return value < level ? `points to a level-${value} table` : `level ${value} is not below level ${level}`;
  });
}

const common: readonly BitField[] = [
  flag('PR', 0, 'control', 'present', 'not present'),
  ignored(4, 1),
  flag('A', 5, 'status', 'accessed', 'not accessed'),
  flag('IR', 61, 'permission', 'reads allowed', 'reads not allowed'),
  flag('IW', 62, 'permission', 'writes allowed', 'writes not allowed'),
  ignored(63),
];

function layout(shape: EntryShape, level: LevelRule): readonly BitField[] {
  if (shape === 'table') {
    return [
      ...common,
      ignored(8, 6),
      nextLevelField(level),
      address('Next Table Address', 51, 12, 'next table at'),
      reserved(60, 52),
    ];
  }
  return [
    ...common,
    flag('D', 6, 'status', 'dirty', 'clean'),
    ignored(8, 7),
    nextLevelField(level),
    address('Page Address', 51, 12, 'page (and, with NextLevel 7, its size) at'),
    reserved(56, 52),
    field('PMC', 58, 57, 'attribute', (value) => `page migration control ${value}`),
    flag('U', 59, 'attribute', 'untranslated requests only', 'translated requests too'),
    flag('FC', 60, 'attribute', 'always coherent', 'coherent as the request says'),
  ];
}

/** What a leaf above level 1 must not be, and what is only odd. */
function leafEncodings({ level, shift }: LevelRule): EncodingRule[] {
  if (level === 1 || level === 6) return [];
  const low = mask(shift - 1, 12);
  const rules: EncodingRule[] = [
    {
      when: { mask: NEXT_LEVEL_MASK | low, value: SIZE_IN_ADDRESS | mask(shift - 2, 12) },
      high: shift - 1,
      low: 12,
      code: 'entry/size-code',
      message: `NextLevel is 7 and the address says ${formatSize(1n << BigInt(shift))}, which is the size that NextLevel 0 has here.`,
      faults: true,
    },
    {
      when: { mask: NEXT_LEVEL_MASK, value: DEFAULT_SIZE },
      must: { mask: low, value: 0n },
      high: shift - 1,
      low: 12,
      code: 'entry/misaligned-leaf',
      message: `The address of this ${formatSize(1n << BigInt(shift))} page is not a multiple of its size: hardware takes the low bits from the request.`,
      faults: false,
    },
  ];
  if (level === 4) {
    rules.push({
      when: { mask: NEXT_LEVEL_MASK, value: DEFAULT_SIZE },
      high: NEXT_LEVEL.high,
      low: NEXT_LEVEL.low,
      code: 'entry/512g-page',
      message: 'Some processors do not translate 512G pages; Linux does not use them.',
      faults: false,
    });
  }
  return rules;
}

/**
 * AMD I/O page tables (host tables, v1): 1 to 6 levels, zero-extended. An entry says the level of the table that it points
 * to, so that levels may be skipped. A page may have any power of two as its size: a leaf with NextLevel 7 stands in each
 * entry that its page covers. Hardware writes A and D with DTE.HAD, D perhaps in one of those entries only.
 */
export const amdV1: PageTableFormat = {
  id: 'amd-v1',
  title: 'AMD v1 host tables',
  specification: SECTION,
  levels,
  present: PRESENT,
  permissionRule: 'IR (IW) of the DTE and of every entry of the walk: a read (write) needs it everywhere.',
  permission: () => ({ read: [{ mask: IR, value: IR }], write: [{ mask: IW, value: IW }] }),
  accessed: ACCESSED,
  dirty: { mask: DIRTY, value: DIRTY },
  address: { high: 51, low: 12, to: 12 },
  nextLevel: NEXT_LEVEL,
  largeRun: {
    kind: 'size-in-address',
    when: { mask: NEXT_LEVEL_MASK, value: SIZE_IN_ADDRESS },
    log2Entries: () => 0,
  },
  layout,
  reserved: (shape) => (shape === 'table' ? mask(60, 52) : mask(56, 52)),
  encodings: (shape, level) => (shape === 'leaf' ? leafEncodings(level) : []),
};
