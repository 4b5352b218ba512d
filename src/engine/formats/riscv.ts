import { fieldMakers, mask, type BitField } from '../bits/bitFields';
import {
  type AccessRule,
  type BitTest,
  type EncodingRule,
  type EntryShape,
  type FormatHardware,
  type LevelRule,
  type PageTableFormat,
} from './pageTableFormat';

// Sections are those of the RISC-V Privileged specification 20211203: §4.4 to §4.6 Sv39, Sv48 and Sv57, chapter 5 Svnapot,
// chapter 6 Svpbmt, §8.5 the x4 modes; what the IOMMU adds to them stands in the RISC-V IOMMU specification 1.0.

const READ_BIT = 1n << 1n;
const WRITE_BIT = 1n << 2n;
const EXECUTE_BIT = 1n << 3n;
const USER_BIT = 1n << 4n;
const ACCESSED_BIT = 1n << 6n;
const DIRTY_BIT = 1n << 7n;
const MEMORY_TYPE = mask(62, 61);
const NAPOT_BIT = 1n << 63n;
const RWX = READ_BIT | WRITE_BIT | EXECUTE_BIT;

/** PPN bits of a page of 64 KiB: 1000 in binary, and no part of its address (Svnapot). */
const NAPOT_SIZE = { mask: mask(13, 10), value: 8n << 10n };
const NAPOT_LOG2_ENTRIES = 4;

const MEMORY_TYPES = ['PMA: as the memory is', 'NC: not cacheable', 'IO: not cacheable, ordered', 'reserved'];

/** An entry above the leaf-most level is a leaf when it has any of R, W and X. */
const HAS_PERMISSION = { mask: Number(RWX), values: [0], not: true };

function makeLevels(count: number, rootIndexBits: number): LevelRule[] {
  return Array.from({ length: count }, (_, level) => ({
    level,
    entryName: 'PTE',
    shift: 12 + 9 * level,
    indexBits: level === count - 1 ? rootIndexBits : 9,
    leaf: level === 0 ? 'always' : HAS_PERMISSION,
  }));
}

/** Bits 60:59 are software's where the IOMMU has Svrsw60t59b, else reserved; not known: software's. */
const reservedSoftwareBits = ({ features }: FormatHardware): bigint =>
  features?.svrsw60t59b === false ? mask(60, 59) : 0n;

function reserved(shape: EntryShape, { level }: LevelRule, hardware: FormatHardware): bigint {
  const always = mask(58, 54) | reservedSoftwareBits(hardware);
  if (shape === 'table') return always | USER_BIT | ACCESSED_BIT | DIRTY_BIT | MEMORY_TYPE | NAPOT_BIT;
  const { svpbmt, svnapot } = hardware.features ?? {};
  const misaligned = level === 0 ? 0n : mask(9 + 9 * level, 10);
  const napot = level > 0 || svnapot === false ? NAPOT_BIT : 0n;
  return always | misaligned | napot | (svpbmt === false ? MEMORY_TYPE : 0n);
}

const hasAll = (bits: bigint): BitTest => ({ mask: bits, value: bits });

const WRITE_ONLY: EncodingRule = {
  when: { mask: READ_BIT | WRITE_BIT, value: WRITE_BIT },
  high: 2,
  low: 1,
  code: 'entry/write-only',
  message: 'W = 1 with R = 0 is reserved: the entry faults.',
  faults: true,
};

const RESERVED_MEMORY_TYPE: EncodingRule = {
  when: hasAll(MEMORY_TYPE),
  high: 62,
  low: 61,
  code: 'entry/reserved-encoding',
  message: 'PBMT = 3 is reserved: the entry faults.',
  faults: true,
};

const POINTER_AT_LAST_LEVEL: EncodingRule = {
  when: { mask: RWX, value: 0n },
  high: 3,
  low: 1,
  code: 'entry/no-level-below',
  message: 'R = W = X = 0 points to a table, and there is no level below this one: the entry faults.',
  faults: true,
};

const NAPOT_ENCODING: EncodingRule = {
  when: hasAll(NAPOT_BIT),
  must: NAPOT_SIZE,
  high: 13,
  low: 10,
  code: 'entry/reserved-encoding',
  message: 'N = 1 needs PPN[3:0] = 1000 in binary (64 KiB), other sizes are reserved: the entry faults.',
  faults: true,
};

function encodings(shape: EntryShape, { level }: LevelRule): readonly EncodingRule[] {
  if (shape === 'table') return [];
  const everywhere = [WRITE_ONLY, RESERVED_MEMORY_TYPE];
  return level > 0 ? everywhere : [...everywhere, POINTER_AT_LAST_LEVEL, NAPOT_ENCODING];
}

function makeLayout(section: string, stage: 1 | 2) {
  const { flag, field, ignored, reserved: unused } = fieldMakers(section);
  const page = (what: string, low: number) =>
    field('PPN', 53, low, 'address', (value) => `${what} at 0x${(value << BigInt(low + 2)).toString(16)}`);
  const valid = flag('V', 0, 'control', 'valid', 'not valid');
  const software: readonly BitField[] = [
    field('RSW', 9, 8, 'software', (value) => `${value}, for software`),
    unused(58, 54),
    field('RSW', 60, 59, 'software', (value) =>
      value === 0n
        ? 'for software with Svrsw60t59b, else must be 0'
        : `${value}, reserved without Svrsw60t59b`,
    ),
  ];
  const global = stage === 1 ? flag('G', 5, 'attribute', 'in all address spaces', 'in this one') : ignored(5);
  const shared = [valid, global, ...software];
  const table: readonly BitField[] = [
    ...shared,
    field('XWR', 3, 1, 'control', () => 'points to a table'),
    unused(4),
    unused(7, 6),
    page('next table', 10),
    unused(63, 61),
  ];
  const leaf = ({ level }: LevelRule): readonly BitField[] => [
    ...shared,
    flag('R', 1, 'permission', 'reads allowed', 'reads not allowed'),
    flag('W', 2, 'permission', 'writes allowed', 'writes not allowed'),
    flag('X', 3, 'permission', 'execute allowed', 'execute not allowed'),
    flag('U', 4, 'permission', 'for user requests', 'not for user requests, as devices make them'),
    flag('A', 6, 'status', 'accessed', 'not accessed'),
    flag('D', 7, 'status', 'dirty', 'clean'),
    page('page', 10 + 9 * level),
    ...(level > 0 ? [unused(9 + 9 * level, 10)] : []),
    field('PBMT', 62, 61, 'attribute', (value) => MEMORY_TYPES[Number(value)] ?? ''),
    level > 0
      ? unused(63)
      : flag('N', 63, 'control', 'one of 16 equal entries of a 64K page', 'a page of its own'),
  ];
  return (shape: EntryShape, level: LevelRule) => (shape === 'table' ? table : leaf(level));
}

/** Second-stage requests always are user requests; first-stage ones are unless the device asks with privilege. */
function makePermission(stage: 1 | 2) {
  return (shape: EntryShape, { privileged, features }: FormatHardware): AccessRule => {
    if (shape === 'table') return { read: true, write: true };
    if (stage === 1 && privileged === true) {
      const closed = features?.supervisorUserAccess === false ? USER_BIT : 0n;
      return {
        read: [{ mask: READ_BIT | closed, value: READ_BIT }],
        write: [{ mask: WRITE_BIT | closed, value: WRITE_BIT }],
      };
    }
    return { read: [hasAll(READ_BIT | USER_BIT)], write: [hasAll(WRITE_BIT | USER_BIT)] };
  };
}

function makeFormat(mode: string, count: number, stage: 1 | 2, section: string): PageTableFormat {
  const user =
    stage === 1
      ? 'U = 1 too, as requests without privilege do'
      : 'U = 1 too: all requests are user ones here';
  return {
    id: `riscv-${mode.toLowerCase()}`,
    title: `RISC-V ${mode}`,
    specification: `RISC-V Privileged 20211203 ${section}`,
    levels: makeLevels(count, stage === 1 ? 9 : 11),
    present: 1n,
    permissionRule: `R (W) of the leaf alone: a read (write) needs it, and ${user}.`,
    permission: makePermission(stage),
    accessed: ACCESSED_BIT,
    dirty: hasAll(DIRTY_BIT),
    faultsUnaccessed: true,
    faultsUndirtied: true,
    permissionFirst: true,
    address: { high: 53, low: 10, to: 12 },
    largeRun: {
      kind: 'same-word',
      when: hasAll(NAPOT_BIT),
      log2Entries: ({ level }) => (level === 0 ? NAPOT_LOG2_ENTRIES : 0),
    },
    layout: makeLayout(`RISC-V Privileged 20211203 ${section}`, stage),
    reserved,
    encodings,
  };
}

/** First stage: the input address is sign-extended. Levels are numbered as VPN is, 0 = leaf-most. */
export const sv39 = makeFormat('Sv39', 3, 1, '§4.4');
export const sv48 = makeFormat('Sv48', 4, 1, '§4.5');
export const sv57 = makeFormat('Sv57', 5, 1, '§4.6');

/** Second stage: a root of 2,048 entries in 16 KiB, so two more input bits, zero-extended. */
export const sv39x4 = makeFormat('Sv39x4', 3, 2, '§8.5.1');
export const sv48x4 = makeFormat('Sv48x4', 4, 2, '§8.5.1');
export const sv57x4 = makeFormat('Sv57x4', 5, 2, '§8.5.1');
