import { fieldMakers, mask, type BitField } from '../bits/bitFields';
import {
  type AccessRule,
  type EntryShape,
  type FormatHardware,
  type LevelRule,
  type PageTableFormat,
} from './pageTableFormat';

const PRESENT = mask(0);
const WRITABLE = mask(1);
const USER = mask(2);
const ACCESSED = mask(5);
const DIRTY = mask(6);
const PAGE_SIZE = mask(7);
const GLOBAL = mask(8);
const EXECUTE_DISABLE = mask(63);
/** Leaf-most level whose entries cannot be leaves. */
const PML4 = 4;

/** What the users of x86-64 tables have of their own. */
interface Flavour {
  readonly id: string;
  readonly title: string;
  readonly specification: string;
  /** Leaf-most first: five of them. */
  readonly names: readonly string[];
  /** VT-d has an extended-accessed flag in bit 10; for others the bit is software's. */
  readonly extendedAccessed: boolean;
  /** Bit 63 disables execution; VT-d 4.1 has no execute requests and ignores it. */
  readonly executeDisable: boolean;
  /** Table entries say how the next table is cached. */
  readonly cachesTables: boolean;
  /** AMD64 reserves bit 8 of entries of levels 4 and 5. */
  readonly reservesRootGlobal: boolean;
}

function makeLayout(flavour: Flavour) {
  const { flag, address, ignored, reserved } = fieldMakers(flavour.specification);
  const index = (name: string, bit: number, at: number) =>
    flag(name, at, 'attribute', `bit ${bit} of the PAT index is 1`, `bit ${bit} of the PAT index is 0`);
  const common: readonly BitField[] = [
    flag('P', 0, 'control', 'present', 'not present'),
    flag('R/W', 1, 'permission', 'writes allowed', 'writes not allowed'),
    flag('U/S', 2, 'permission', 'user and supervisor requests', 'supervisor requests only'),
    flag('A', 5, 'status', 'accessed', 'not accessed'),
    ...(flavour.extendedAccessed
      ? [
          ignored(9),
          flag('EA', 10, 'status', 'accessed by a device (with EAFE)', 'not accessed by a device'),
          ignored(11),
        ]
      : [ignored(11, 9)]),
    ignored(62, 52),
    flavour.executeDisable
      ? flag('NX', 63, 'permission', 'execute not allowed', 'execute allowed')
      : flag('XD', 63, 'ignored', 'execute not allowed for CPUs, ignored here', 'ignored by hardware'),
  ];

  function table({ level }: LevelRule): BitField[] {
    return [
      ...common,
      ...(flavour.cachesTables ? [index('PWT', 0, 3), index('PCD', 1, 4)] : [ignored(4, 3)]),
      ignored(6),
      level < PML4 ? flag('PS', 7, 'control', 'maps a large page', 'points to a table') : reserved(7),
      flavour.reservesRootGlobal && level >= PML4 ? reserved(8) : ignored(8),
      address('ADDR', 51, 12, 'next table at'),
    ];
  }

  function leaf({ level, shift }: LevelRule): BitField[] {
    const large: BitField[] = [
      flag('PS', 7, 'control', `maps a ${level === 2 ? '2M' : '1G'} page`, 'points to a table'),
      index('PAT', 2, 12),
      reserved(shift - 1, 13),
    ];
    return [
      ...common,
      index('PWT', 0, 3),
      index('PCD', 1, 4),
      flag('D', 6, 'status', 'dirty', 'clean'),
      flag('G', 8, 'attribute', 'global for CPUs', 'not global'),
      ...(level === 1 ? [index('PAT', 2, 7)] : large),
      address('ADDR', 51, shift, 'page at'),
    ];
  }

  return (shape: EntryShape, level: LevelRule): readonly BitField[] =>
    shape === 'leaf' ? leaf(level) : table(level);
}

/**
 * Permission of one entry. Supervisor requests need no U/S, and with write protection off (VT-d WPE = 0) no R/W either;
 * requests of devices are user requests unless said otherwise.
 */
function permission(hardware: FormatHardware): AccessRule {
  const all = (bits: bigint) => [{ mask: bits, value: bits }];
  if (hardware.privileged !== true)
    return { read: all(PRESENT | USER), write: all(PRESENT | USER | WRITABLE) };
  return {
    read: all(PRESENT),
    write: all(hardware.features?.writeProtect === false ? PRESENT : PRESENT | WRITABLE),
  };
}

function x8664(flavour: Flavour): PageTableFormat {
  const levels: readonly LevelRule[] = flavour.names.map((entryName, index) => ({
    level: index + 1,
    entryName,
    shift: 12 + 9 * index,
    indexBits: 9,
    leaf: index === 0 ? 'always' : index < 3 ? { mask: 1 << 7, values: [1 << 7] } : 'never',
  }));
  return {
    id: flavour.id,
    title: flavour.title,
    specification: flavour.specification,
    levels,
    present: PRESENT,
    permissionRule:
      'A read needs U/S, a write U/S and R/W, in every entry of the walk. Supervisor requests do not need U/S.',
    permission: (_shape, hardware) => permission(hardware),
    accessed: ACCESSED,
    dirty: { mask: DIRTY, value: DIRTY },
    tableMarks: ({ setsAccessed }) => (setsAccessed === true ? ACCESSED : 0n),
    address: { high: 51, low: 12, to: 12 },
    layout: makeLayout(flavour),
    reserved(shape, { level, shift }, { outputBits = 52, largePages, features }) {
      const beyond = outputBits < 52 ? mask(51, outputBits) : 0n;
      const execute = flavour.executeDisable && features?.executeDisable === false ? EXECUTE_DISABLE : 0n;
      if (shape === 'table') {
        const pageSize = level >= PML4 ? PAGE_SIZE : 0n;
        const global = flavour.reservesRootGlobal && level >= PML4 ? GLOBAL : 0n;
        return beyond | execute | pageSize | global;
      }
      if (level === 1) return beyond | execute;
      const unsupported = largePages?.has(2 ** shift) === false ? PAGE_SIZE : 0n;
      return beyond | execute | mask(shift - 1, 13) | unsupported;
    },
  };
}

/** First-stage tables of VT-d scalable mode, 4 or 5 levels. Hardware always sets A and D, and EA with EAFE. */
export const vtdFirstStage: PageTableFormat = x8664({
  id: 'vtd-first-stage',
  title: 'VT-d first stage',
  specification: 'VT-d 4.1 §9.7',
  names: ['FS-PTE', 'FS-PDE', 'FS-PDPE', 'FS-PML4E', 'FS-PML5E'],
  extendedAccessed: true,
  executeDisable: false,
  cachesTables: false,
  reservesRootGlobal: false,
});

/** Guest tables of AMD IOMMUs (v2): AMD64 long-mode paging, 4 or 5 levels. */
export const amdV2: PageTableFormat = x8664({
  id: 'amd-v2',
  title: 'AMD v2 guest tables',
  specification: 'AMD 24593 §5.3',
  names: ['PTE', 'PDE', 'PDPE', 'PML4E', 'PML5E'],
  extendedAccessed: false,
  executeDisable: true,
  cachesTables: true,
  reservesRootGlobal: true,
});
