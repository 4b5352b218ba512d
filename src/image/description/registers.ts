/** The IOMMUs that a description may name; EPT, of the processor, translates what a guest asks for. */
export const IOMMU_KINDS = ['vt-d', 'amd-vi', 'smmuv3', 'riscv', 'ept'] as const;
export type IommuKind = (typeof IOMMU_KINDS)[number];

/** A register that a description may give, named as in its specification. */
export interface RegisterSpec {
  readonly name: string;
  readonly bits: 6 | 32 | 64;
  /** Offset in the IOMMU's MMIO registers; null: something of the processor that its tables depend on. */
  readonly offset: number | null;
  /** Without it nothing can be read. */
  readonly required: boolean;
  readonly what: string;
}

const register = (
  name: string,
  bits: RegisterSpec['bits'],
  offset: number | null,
  what: string,
  required = false,
): RegisterSpec => ({ name, bits, offset, required, what });

/**
 * Registers by kind. Names and offsets: Intel VT-d 4.1 §11.4; AMD I/O Virtualization (48882) 3.10 §3.4; Arm SMMUv3
 * (IHI 0070) §6.3; RISC-V IOMMU 1.0 §5; Intel SDM vol. 3C §25.6.11 (EPTP).
 */
export const REGISTERS: Readonly<Record<IommuKind, readonly RegisterSpec[]>> = {
  'vt-d': [
    register(
      'RTADDR',
      64,
      0x20,
      'Root Table Address: where the root table is, and the translation mode.',
      true,
    ),
    register('GSTS', 32, 0x1c, 'Global Status: tells whether translation is on.'),
    register('CAP', 64, 0x08, 'Capability: levels, large pages and address widths.'),
    register('ECAP', 64, 0x10, 'Extended Capability: pass-through, snooping, scalable mode.'),
  ],
  'amd-vi': [
    register(
      'DevTabBase',
      64,
      0x0000,
      'Device Table Base Address: where the device table is, and its size.',
      true,
    ),
    register('Control', 64, 0x0018, 'IOMMU Control: tells whether translation is on.'),
    register('ExtFeat', 64, 0x0030, 'Extended Feature: levels, guest translation, A and D bits.'),
    register('ExtFeat2', 64, 0x01a0, 'Extended Feature 2.'),
    register(
      'CBit',
      6,
      null,
      'Number of the address bit that marks encrypted memory (C-bit): CPUID Fn8000_001F EBX bits 5:0, where SME is on.',
    ),
  ],
  smmuv3: [
    register('STRTAB_BASE', 64, 0x80, 'Stream Table Base Address.', true),
    register(
      'STRTAB_BASE_CFG',
      32,
      0x88,
      'Stream Table Configuration: linear or 2-level, and its size.',
      true,
    ),
    register('CR0', 32, 0x20, 'Control 0: tells whether translation is on.'),
    register('CR2', 32, 0x2c, 'Control 2: what an EL2 stream has.'),
    register('GBPA', 32, 0x44, 'Global Bypass Attribute: what happens to requests while translation is off.'),
    register('IDR0', 32, 0x00, 'Identification 0: stages, formats and access-flag support.'),
    register('IDR1', 32, 0x04, 'Identification 1: sizes of StreamIDs and SubstreamIDs.'),
    register('IDR3', 32, 0x0c, 'Identification 3.'),
    register('IDR5', 32, 0x14, 'Identification 5: granules and output address size.'),
  ],
  riscv: [
    register(
      'ddtp',
      64,
      0x10,
      'Device-directory-table pointer: where the device directory is, and its mode.',
      true,
    ),
    register('capabilities', 64, 0x00, 'Capabilities: page-table modes and the format of device contexts.'),
    register('fctl', 32, 0x08, 'Features-control: endianness and guest modes.'),
  ],
  ept: [
    register(
      'EPTP',
      64,
      null,
      'EPT pointer of the VMCS of a guest: where its tables are, their levels, and whether A and D are set.',
      true,
    ),
  ],
};

/** `vt-d` -> `VT-d`: how people write the kinds. */
export const KIND_TITLES: Readonly<Record<IommuKind, string>> = {
  'vt-d': 'Intel VT-d',
  'amd-vi': 'AMD-Vi',
  smmuv3: 'Arm SMMUv3',
  riscv: 'RISC-V IOMMU',
  ept: 'Intel EPT',
};
