import { fieldMakers, mask, type BitField } from '../bits/bitFields';
import { memoryType } from './memoryTypes';
import { type EncodingRule, type EntryShape, type LevelRule, type PageTableFormat } from './pageTableFormat';

const SECTION = 'Intel SDM vol. 3C §29.3.2';
const { flag, field, address, ignored, reserved } = fieldMakers(SECTION);

const PAGE_SIZE = mask(7);
const NAMES = ['EPT PTE', 'EPT PDE', 'EPT PDPTE', 'EPT PML4E', 'EPT PML5E'];

/** Five levels of nine bits; levels 2 and 3 can hold large leaves. */
const levels: readonly LevelRule[] = NAMES.map((entryName, index) => ({
  level: index + 1,
  entryName,
  shift: 12 + 9 * index,
  indexBits: 9,
  leaf: index === 0 ? 'always' : index < 3 ? { mask: 1 << 7, values: [1 << 7] } : 'never',
}));

const common: readonly BitField[] = [
  flag('R', 0, 'permission', 'reads allowed', 'reads not allowed'),
  flag('W', 1, 'permission', 'writes allowed', 'writes not allowed'),
  flag('X', 2, 'permission', 'execute allowed', 'execute not allowed'),
  flag('A', 8, 'status', 'accessed (with EPTP bit 6)', 'not accessed'),
  flag('XU', 10, 'permission', 'user-mode execute allowed', 'user-mode execute not allowed'),
  ignored(11),
];

function tableLayout({ level }: LevelRule): BitField[] {
  return [
    ...common,
    reserved(6, 3),
    level < 4 ? flag('PS', 7, 'control', 'maps a large page', 'points to a table') : reserved(7),
    ignored(9),
    address('ADDR', 51, 12, 'next table at'),
    ignored(63, 52),
  ];
}

function leafLayout({ level, shift }: LevelRule): BitField[] {
  return [
    ...common,
    field('MT', 5, 3, 'attribute', memoryType),
    flag('IPAT', 6, 'attribute', 'PAT of the guest ignored', 'PAT of the guest honoured'),
    level === 1
      ? ignored(7)
      : flag('PS', 7, 'control', `maps a ${level === 2 ? '2M' : '1G'} page`, 'points to a table'),
    flag('D', 9, 'status', 'dirty (with EPTP bit 6)', 'clean'),
    ...(level === 1 ? [] : [reserved(shift - 1, 12)]),
    address('ADDR', 51, shift, 'page at'),
    ignored(56, 52),
    flag('VGP', 57, 'attribute', 'guest paging is verified', 'guest paging is not verified'),
    flag('PWA', 58, 'permission', 'paging writes allowed', 'paging writes as W says'),
    ignored(59),
    flag('SSS', 60, 'permission', 'supervisor shadow stack', 'no supervisor shadow stack'),
    level === 1
      ? flag('SPP', 61, 'permission', 'writes by sub-page permission', 'no sub-page permission')
      : ignored(61),
    ignored(62),
    flag('SVE', 63, 'control', 'violations cause no #VE', 'violations may cause #VE'),
  ];
}

const WRITE_ONLY: EncodingRule = {
  when: { mask: 3n, value: 2n },
  high: 1,
  low: 0,
  code: 'entry/write-only',
  message: 'W is set without R, which is a misconfiguration.',
  faults: true,
};

const EXECUTE_ONLY: EncodingRule = {
  when: { mask: 7n, value: 4n },
  high: 2,
  low: 0,
  code: 'entry/execute-only',
  message: 'X is set without R, which this hardware does not support.',
  faults: true,
};

/** Memory types 2, 3 and 7 are reserved. */
const RESERVED_TYPES: readonly EncodingRule[] = [2n, 3n, 7n].map((type) => ({
  when: { mask: mask(5, 3), value: type << 3n },
  high: 5,
  low: 3,
  code: 'entry/memory-type',
  message: `Memory type ${type} is reserved.`,
  faults: true,
}));

/**
 * Extended page tables of Intel CPUs, 3 to 5 levels of 9 bits, no sign extension. VT-d second-stage entries have the same
 * bits, but not the same reserved ones: where EPT is misconfigured, VT-d may translate. Which walks set A and D is said by
 * EPTP bit 6, which no table holds.
 */
export const ept: PageTableFormat = {
  id: 'ept',
  title: 'EPT',
  specification: SECTION,
  levels,
  present: mask(2, 0),
  permissionRule: 'R (W) of every entry of the walk: a read (write) needs it at all levels.',
  permission: () => ({ read: [{ mask: 1n, value: 1n }], write: [{ mask: 2n, value: 2n }] }),
  accessed: mask(8),
  dirty: { mask: mask(9), value: mask(9) },
  // A is set in every entry that a walk uses, D in leaves (SDM volume 3 §29.3.5; VT-d is alike).
  tableMarks: ({ setsAccessed }) => (setsAccessed === true ? mask(8) : 0n),
  address: { high: 51, low: 12, to: 12 },
  layout: (shape: EntryShape, level: LevelRule) =>
    shape === 'leaf' ? leafLayout(level) : tableLayout(level),
  reserved(shape, { level, shift }, { outputBits = 52, largePages }) {
    const beyond = outputBits < 52 ? mask(51, outputBits) : 0n;
    if (shape === 'table') return beyond | mask(6, 3) | (level > 3 ? PAGE_SIZE : 0n);
    if (level === 1) return beyond;
    const unsupported = largePages?.has(2 ** shift) === false ? PAGE_SIZE : 0n;
    return beyond | mask(shift - 1, 12) | unsupported;
  },
  encodings: (shape, _level, { features }) => [
    WRITE_ONLY,
    ...(features?.executeOnly === false ? [EXECUTE_ONLY] : []),
    ...(shape === 'leaf' ? RESERVED_TYPES : []),
  ],
};
