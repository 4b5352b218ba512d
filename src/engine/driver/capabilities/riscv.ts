import { type RegisterFile } from '../../iommu/vendor';
import { bit, field, needs, within, type CapabilityRule } from './rule';

/** What a RISC-V IOMMU can do: its capabilities register by its fields (RISC-V IOMMU 1.0 §5.3). */
export interface RiscvCapabilities {
  readonly vendor: 'riscv';
  /** First stages: 3 (Sv39), 4 (Sv48), 5 (Sv57 levels); second stages (x4). */
  readonly levels: readonly number[];
  readonly guestLevels: readonly number[];
  /** AMO_HWAD: the IOMMU sets A and D, where tc.SADE and tc.GADE say so. */
  readonly hardwareMarks: boolean;
  readonly ats: boolean;
  /** T2GPA: ATS completions may have guest physical addresses. */
  readonly guestAddressesInAts: boolean;
  /** Widths of process_ids: 8 (PD8), 17 (PD17), 20 (PD20). */
  readonly processBits: readonly number[];
  /** MSI_FLAT: device contexts of 64 bytes. */
  readonly msiFlat: boolean;
  /** NL and S: invalidation of non-leaf entries and of ranges. */
  readonly nonLeafInvalidation: boolean;
  readonly rangeInvalidation: boolean;
  readonly svpbmt: boolean;
  readonly svrsw60t59b: boolean;
  /** PAS. */
  readonly physicalBits: number;
  /** Levels of the device directory: 1LVL, 2LVL or 3LVL. */
  readonly directoryLevels: number;
  /** Walks snoop: the register has no bit for it, firmware says so. */
  readonly coherent: boolean;
  /** log2 of the slots of the command and of the fault queue. */
  readonly commandQueueLog2: number;
  readonly faultQueueLog2: number;
}

export const RISCV_DEFAULTS: RiscvCapabilities = {
  vendor: 'riscv',
  levels: [3, 4, 5],
  guestLevels: [3, 4, 5],
  hardwareMarks: true,
  ats: true,
  guestAddressesInAts: true,
  processBits: [8, 17, 20],
  msiFlat: true,
  nonLeafInvalidation: false,
  rangeInvalidation: false,
  svpbmt: true,
  svrsw60t59b: false,
  physicalBits: 56,
  directoryLevels: 3,
  coherent: true,
  commandQueueLog2: 8,
  faultQueueLog2: 7,
};

const SOURCE = 'RISC-V IOMMU 1.0 §5.3';
const MODES = [
  { level: 5, below: 4 },
  { level: 4, below: 3 },
] as const;

const modeRules = MODES.flatMap(({ level, below }): CapabilityRule<RiscvCapabilities>[] => {
  const name = (levels: number, guest: boolean) => `Sv${12 + 9 * levels}${guest ? 'x4' : ''}`;
  const rule = (guest: boolean, levelsOf: (of: RiscvCapabilities) => readonly number[]) =>
    needs<RiscvCapabilities>(
      (of) => levelsOf(of).includes(level),
      (of) => levelsOf(of).includes(below),
      {
        says: `capabilities.${name(below, guest)} is 1 where capabilities.${name(level, guest)} is 1`,
        source: SOURCE,
        hint: `Add ${name(below, guest)}, or leave ${name(level, guest)} out.`,
      },
    );
  return [rule(false, ({ levels }) => levels), rule(true, ({ guestLevels }) => guestLevels)];
});

export const RISCV_RULES: readonly CapabilityRule<RiscvCapabilities>[] = [
  ...modeRules,
  needs(
    ({ guestAddressesInAts }) => guestAddressesInAts,
    ({ ats, guestLevels }) => ats && guestLevels.length > 0,
    {
      says: 'capabilities.T2GPA is 0 where capabilities.ATS is 0 or there is no second stage',
      source: SOURCE,
      hint: 'Switch ATS and a second stage on, or T2GPA off.',
    },
  ),
  needs(
    ({ processBits }) => processBits.length > 0,
    ({ levels }) => levels.length > 0,
    {
      says: 'PD8, PD17 and PD20 are 0 where there is no first stage: process contexts lead to nothing else',
      source: SOURCE,
      hint: 'Add a first-stage mode, or leave process directories out.',
    },
  ),
  needs(
    ({ msiFlat }) => msiFlat,
    ({ guestLevels }) => guestLevels.length > 0,
    {
      says: 'capabilities.MSI_FLAT is 0 where there is no second stage: its page tables are of guests',
      source: 'RISC-V IOMMU 1.0 §5.3, §2.1.4',
      hint: 'Add a second-stage mode, or leave MSI page tables out.',
    },
  ),
  {
    broken: ({ levels, guestLevels }) => [...levels, ...guestLevels].some((one) => ![3, 4, 5].includes(one)),
    says: 'First and second stages have 3, 4 or 5 levels: Sv39, Sv48 and Sv57 (Sv32 is not emulated)',
    source: SOURCE,
    hint: 'Give the levels as 3, 4 and 5.',
  },
  {
    broken: ({ levels, guestLevels }) => levels.length + guestLevels.length === 0,
    says: 'An IOMMU without any mode translates nothing',
    source: SOURCE,
    hint: 'Add a mode.',
  },
  {
    broken: ({ processBits }) => processBits.some((one) => ![8, 17, 20].includes(one)),
    says: 'Process ids have 8, 17 or 20 bits',
    source: SOURCE,
    hint: 'Give the widths as 8, 17 and 20.',
  },
  within(({ physicalBits }) => physicalBits, 32, 56, { field: 'physicalBits (PAS)', source: SOURCE }),
  within(({ directoryLevels }) => directoryLevels, 1, 3, {
    field: 'directoryLevels (ddtp.iommu_mode)',
    source: 'RISC-V IOMMU 1.0 §5.5',
  }),
  within(({ commandQueueLog2 }) => commandQueueLog2, 1, 12, {
    field: 'commandQueueLog2 (cqb.LOG2SZ-1)',
    source: 'RISC-V IOMMU 1.0 §5.6',
  }),
  within(({ faultQueueLog2 }) => faultQueueLog2, 1, 12, {
    field: 'faultQueueLog2 (fqb.LOG2SZ-1)',
    source: 'RISC-V IOMMU 1.0 §5.9',
  }),
];

/** Version 1.0 of the specification. */
const VERSION = 0x10;

/** The registers after reset: ddtp is Off. */
export function riscvRegistersOf(of: RiscvCapabilities): RegisterFile {
  const capabilities =
    field(0, VERSION) |
    of.levels.reduce((all, level) => all | bit(9 + level - 3, true), 0n) |
    of.guestLevels.reduce((all, level) => all | bit(17 + level - 3, true), 0n) |
    bit(14, of.svrsw60t59b) |
    bit(15, of.svpbmt) |
    bit(22, of.msiFlat) |
    bit(24, of.hardwareMarks) |
    bit(25, of.ats) |
    bit(26, of.guestAddressesInAts) |
    field(32, of.physicalBits) |
    bit(38, of.processBits.includes(8)) |
    bit(39, of.processBits.includes(17)) |
    bit(40, of.processBits.includes(20)) |
    bit(42, of.nonLeafInvalidation) |
    bit(43, of.rangeInvalidation);
  const zeros = ['fctl', 'ddtp', 'cqb', 'cqh', 'cqt', 'cqcsr', 'fqb', 'fqh', 'fqt', 'fqcsr', 'ipsr'];
  return new Map([['capabilities', capabilities], ...zeros.map((name) => [name, 0n] as const)]);
}
