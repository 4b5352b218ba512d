/** Paging entries of four- and five-level IA-32e tables: Intel SDM 3A §5.5; VT-d first stage 4.1 §9.7; AMD guest tables. */
import { addressOf, bit } from './frames';
import { bits, type Entries, type Shape } from './reservedBits';

export const X86 = {
  present: bit(0),
  write: bit(1),
  user: bit(2),
  accessed: bit(5),
  dirty: bit(6),
  pageSize: bit(7),
  global: bit(8),
  patLarge: bit(12),
  executeDisable: bit(63),
} as const;

const READ = X86.present | X86.user | X86.accessed;

/** A read-write pointer to a table at a physical (or guest physical) address. */
export const x86Pointer = (address: bigint): bigint => address | READ | X86.write;

/** A read-write leaf with A and D set. */
export const x86Leaf = (address: bigint, level: number): bigint =>
  address | READ | X86.write | X86.dirty | (level > 1 ? X86.pageSize : 0n);

export const x86Entries: Entries = {
  leaf: x86Leaf,
  pointer: (frame) => x86Pointer(addressOf(frame)),
};

/** Reserved bits that do not depend on the physical address width. Bit 12 of a large leaf is PAT. */
export const x86Shapes = (levels: 4 | 5): Shape[] => [
  ...(levels === 5 ? [{ name: 'PML5 entry', level: 5, leaf: false, reserved: [7] }] : []),
  { name: 'PML4 entry', level: 4, leaf: false, reserved: [7] },
  { name: 'page-directory-pointer entry', level: 3, leaf: false, reserved: [] },
  { name: 'page-directory entry', level: 2, leaf: false, reserved: [] },
  { name: '1G leaf', level: 3, leaf: true, reserved: bits(13, 29) },
  { name: '2M leaf', level: 2, leaf: true, reserved: bits(13, 20) },
];
