import { fieldMakers, mask, type BitField } from '../bits/bitFields';
import { memoryType } from './memoryTypes';
import { type EntryShape, type LevelRule, type PageTableFormat } from './pageTableFormat';

const SECTION = 'VT-d 4.1 §9.8';
const { flag, field, address, ignored, reserved } = fieldMakers(SECTION);

const PAGE_SIZE_BIT = 1n << 7n;
const PAGE_SIZE_SET = { mask: 1 << 7, values: [1 << 7] };
const NAMES = ['SS-PTE', 'SS-PDE', 'SS-PDPE', 'SS-PML4E', 'SS-PML5E'];

/** Five levels of nine bits; only levels 2 and 3 can hold large leaves (PS = 1). */
const levels: readonly LevelRule[] = NAMES.map((entryName, index) => ({
  level: index + 1,
  entryName,
  shift: 12 + 9 * index,
  indexBits: 9,
  leaf: index === 0 ? 'always' : index < 3 ? PAGE_SIZE_SET : 'never',
}));

const common: readonly BitField[] = [
  flag('R', 0, 'permission', 'reads allowed', 'reads not allowed'),
  flag('W', 1, 'permission', 'writes allowed', 'writes not allowed'),
  flag('X', 2, 'permission', 'execute allowed, where the hardware supports it', 'execute not allowed'),
  flag('A', 8, 'status', 'accessed', 'not accessed'),
  ignored(61, 52),
  ignored(63),
];

const tableOnly: readonly BitField[] = [
  ...common,
  ignored(6, 3),
  ignored(10, 9),
  reserved(11),
  address('SSPTPTR', 51, 12, 'next table at'),
  reserved(62),
];

function leafOnly(level: LevelRule): BitField[] {
  const large = level.level > 1;
  return [
    ...common,
    field('EMT', 5, 3, 'attribute', memoryType),
    flag('IPAT', 6, 'attribute', 'PAT ignored', 'PAT honoured'),
    large
      ? flag('PS', 7, 'control', `maps a ${level.level === 2 ? '2M' : '1G'} page`, 'points to a table')
      : ignored(7),
    flag('D', 9, 'status', 'dirty', 'clean'),
    ignored(10),
    flag('SNP', 11, 'attribute', 'snooped whatever the request says', 'snooped as the request says'),
    address('ADDR', 51, level.shift, 'page at'),
    ...(large ? [reserved(level.shift - 1, 12)] : []),
    flag('TM', 62, 'attribute', 'device-TLB entry is transient', 'device-TLB entry is not transient'),
  ];
}

function layout(shape: EntryShape, level: LevelRule): readonly BitField[] {
  if (shape === 'leaf') return leafOnly(level);
  const pageSize =
    level.leaf !== 'never' ? flag('PS', 7, 'control', 'maps a large page', 'points to a table') : reserved(7);
  return [...tableOnly, pageSize];
}

/**
 * VT-d second-stage paging, 3 to 5 levels of 9 bits, no sign extension.
 * R = W = 0 means not present: there is no present bit. Hardware writes A and D only in scalable mode with SSADE.
 */
export const vtdSecondStage: PageTableFormat = {
  id: 'vtd-second-stage',
  title: 'VT-d second stage',
  specification: SECTION,
  levels,
  present: mask(1, 0),
  permissionRule: 'R (W) of every entry of the walk: a read (write) needs it at all levels.',
  permission: () => ({ read: [{ mask: 1n, value: 1n }], write: [{ mask: 2n, value: 2n }] }),
  accessed: mask(8),
  dirty: { mask: mask(9), value: mask(9) },
  // A is set in every entry that a walk uses, D in leaves (SDM volume 3 §29.3.5; VT-d is alike).
  tableMarks: ({ setsAccessed }) => (setsAccessed === true ? mask(8) : 0n),
  address: { high: 51, low: 12, to: 12 },
  layout,
  reserved(shape, level, hardware) {
    if (shape === 'table') return mask(11) | mask(62) | (level.leaf === 'never' ? PAGE_SIZE_BIT : 0n);
    const size = 2 ** level.shift;
    const large = level.level > 1;
    const misaligned = large ? mask(level.shift - 1, 12) : 0n;
    const unsupported = large && hardware.largePages?.has(size) === false ? PAGE_SIZE_BIT : 0n;
    const snoop = hardware.features?.snoopControl === false ? mask(11) : 0n;
    const transient = hardware.features?.deviceTlb === false ? mask(62) : 0n;
    return misaligned | unsupported | snoop | transient;
  },
};

const io = fieldMakers('VT-d 5.10 §9.8');
const READ_BIT = mask(61);
const WRITE_BIT = mask(62);

/**
 * The same with I/O permissions (RTADDR.SSIRWE, scalable mode): IR and IW in bits 61 and 62 take the place of R and W, which
 * are left to the CPU that shares the tables.
 */
export const vtdSecondStageIo: PageTableFormat = {
  ...vtdSecondStage,
  id: 'vtd-second-stage-io',
  title: 'VT-d second stage, I/O permissions',
  specification: 'VT-d 5.10 §9.8',
  present: READ_BIT | WRITE_BIT,
  permissionRule: 'IR (IW) of every entry of the walk: a read (write) needs it at all levels.',
  permission: () => ({
    read: [{ mask: READ_BIT, value: READ_BIT }],
    write: [{ mask: WRITE_BIT, value: WRITE_BIT }],
  }),
  layout: (shape, level) => [
    ...layout(shape, level).filter(({ high, low }) => low !== 52 && low !== 62 && high > 1),
    io.flag('R', 0, 'ignored', 'reads of the CPU allowed', 'reads of the CPU not allowed'),
    io.flag('W', 1, 'ignored', 'writes of the CPU allowed', 'writes of the CPU not allowed'),
    io.ignored(60, 52),
    io.flag('IR', 61, 'permission', 'reads allowed', 'reads not allowed'),
    io.flag('IW', 62, 'permission', 'writes allowed', 'writes not allowed'),
  ],
  reserved: (shape, level, hardware) => vtdSecondStage.reserved(shape, level, hardware) & ~WRITE_BIT,
};
