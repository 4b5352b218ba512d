import { bits, fieldMakers, type BitField } from '../../bits/bitFields';
import { type FormatHardware } from '../../formats/pageTableFormat';
import { type Register } from '../deviceDirectory';

/** Bits of the capabilities register that decide something here (RISC-V IOMMU 1.0 §5.3). */
const CAPABILITY = {
  Sv32: 8,
  Sv39: 9,
  Sv48: 10,
  Sv57: 11,
  Svrsw60t59b: 14,
  Svpbmt: 15,
  Sv32x4: 16,
  Sv39x4: 17,
  Sv48x4: 18,
  Sv57x4: 19,
  MSI_FLAT: 22,
  AMO_HWAD: 24,
  ATS: 25,
  T2GPA: 26,
  END: 27,
  PD8: 38,
  PD17: 39,
  PD20: 40,
  QOSID: 41,
} as const;
export type Capability = keyof typeof CAPABILITY;

/** The registers that decide something, `fctl` 0 where it was not given: little-endian, 64-bit guest modes. */
export interface RiscvRegisters {
  readonly ddtp: bigint;
  readonly capabilities: bigint;
  readonly fctl: bigint;
}

export const has = ({ capabilities }: RiscvRegisters, name: Capability): boolean =>
  bits(capabilities, CAPABILITY[name]) === 1n;

/** Bits of a physical address; a width below that of a page is no machine's. */
export const physicalBits = ({ capabilities }: RiscvRegisters): number =>
  Math.max(12, Number(bits(capabilities, 37, 32)));

/** Bits of a guest physical page number (RISC-V IOMMU 1.0 §2.1.3.6, MGPAW - 12). */
export function guestPageBits(registers: RiscvRegisters): number {
  const widths = { Sv57x4: 59, Sv48x4: 50, Sv39x4: 41, Sv32x4: 34 } as const;
  for (const mode of ['Sv57x4', 'Sv48x4', 'Sv39x4', 'Sv32x4'] as const)
    if (has(registers, mode)) return widths[mode] - 12;
  return physicalBits(registers) - 12;
}

/** What the capabilities say of page-table entries. Svnapot has no bit: every IOMMU must have it (§5.3). */
export function formatFeatures(registers: RiscvRegisters): NonNullable<FormatHardware['features']> {
  return { svpbmt: has(registers, 'Svpbmt'), svrsw60t59b: has(registers, 'Svrsw60t59b') };
}

const INTERRUPTS = ['by messages', 'by wires', 'by messages or wires', 'reserved'];

function capabilities(): BitField[] {
  const { flag, field, reserved } = fieldMakers('RISC-V IOMMU 1.0 §5.3');
  const supported = (name: string, bit: number, what: string) =>
    flag(name, bit, 'attribute', `${what} supported`, `${what} not supported`);
  return [
    field(
      'version',
      7,
      0,
      'attribute',
      (value) => `version ${value >> 4n}.${value & 15n} of the specification`,
    ),
    supported('Sv32', 8, '32-bit first stage'),
    supported('Sv39', 9, '39-bit first stage'),
    supported('Sv48', 10, '48-bit first stage'),
    supported('Sv57', 11, '57-bit first stage'),
    reserved(13, 12),
    supported('Svrsw60t59b', 14, 'software bits 60:59 in entries'),
    supported('Svpbmt', 15, 'memory types in entries'),
    supported('Sv32x4', 16, '34-bit second stage'),
    supported('Sv39x4', 17, '41-bit second stage'),
    supported('Sv48x4', 18, '50-bit second stage'),
    supported('Sv57x4', 19, '59-bit second stage'),
    reserved(20),
    supported('AMO_MRIF', 21, 'atomic update of interrupt files in memory'),
    flag(
      'MSI_FLAT',
      22,
      'attribute',
      'MSI page tables: device contexts of 64 bytes',
      'device contexts of 32 bytes',
    ),
    supported('MSI_MRIF', 23, 'interrupt files in memory'),
    supported('AMO_HWAD', 24, 'setting of A and D by the IOMMU'),
    supported('ATS', 25, 'PCIe ATS and page requests'),
    supported('T2GPA', 26, 'guest physical addresses in ATS completions'),
    flag('END', 27, 'attribute', 'both byte orders', 'one byte order'),
    field('IGS', 29, 28, 'attribute', (value) => `interrupts ${INTERRUPTS[Number(value)] ?? ''}`),
    supported('HPM', 30, 'performance monitor'),
    supported('DBG', 31, 'translation requests by software'),
    field('PAS', 37, 32, 'attribute', (value) => `physical addresses of ${value} bits`),
    supported('PD8', 38, '8-bit process_id'),
    supported('PD17', 39, '17-bit process_id'),
    supported('PD20', 40, '20-bit process_id'),
    supported('QOSID', 41, 'QoS ids'),
    supported('NL', 42, 'invalidation of non-leaf entries'),
    supported('S', 43, 'invalidation of address ranges'),
    reserved(55, 44),
    field('custom', 63, 56, 'attribute', (value) => `${value}, of the implementation`),
  ];
}

function featuresControl(): BitField[] {
  const { flag, field, reserved } = fieldMakers('RISC-V IOMMU 1.0 §5.4');
  return [
    flag('BE', 0, 'control', 'structures are big-endian', 'structures are little-endian'),
    flag('WSI', 1, 'control', 'interrupts by wires', 'interrupts by messages'),
    flag('GXL', 2, 'control', 'second stages have 32-bit modes', 'second stages have 64-bit modes'),
    reserved(15, 3),
    field('custom', 31, 16, 'control', (value) => `${value}, of the implementation`),
    reserved(63, 32),
  ];
}

export const DDTP_MODES = ['Off', 'Bare', '1LVL', '2LVL', '3LVL'] as const;

const DDTP_MEANINGS = [
  'Off: no request passes',
  'Bare: every request passes untranslated',
  '1LVL: a directory of one level',
  '2LVL: a directory of two levels',
  '3LVL: a directory of three levels',
];

function directoryPointer(): BitField[] {
  const { flag, field, reserved } = fieldMakers('RISC-V IOMMU 1.0 §5.5');
  return [
    field('iommu_mode', 3, 0, 'control', (value) => DDTP_MEANINGS[Number(value)] ?? 'reserved or custom'),
    flag('busy', 4, 'status', 'a write is being carried out', 'no write is being carried out'),
    reserved(9, 5),
    field('PPN', 53, 10, 'address', (value) => `device directory at 0x${(value << 12n).toString(16)}`),
    reserved(63, 54),
  ];
}

const LAYOUTS: Readonly<Record<string, () => BitField[]>> = {
  capabilities,
  fctl: featuresControl,
  ddtp: directoryPointer,
};

/** The registers that are known, with their layouts, in the order of their offsets. */
export function riscvRegisters(values: ReadonlyMap<string, bigint>): Register[] {
  return Object.entries(LAYOUTS).flatMap(([name, layout]) => {
    const value = values.get(name);
    return value === undefined ? [] : [{ name, value, layout: layout() }];
  });
}
