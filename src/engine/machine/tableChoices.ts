import { type MachineCapabilities } from '../driver/capabilities/index';
import { amdV1 } from '../formats/amdV1';
import { armFormat, stage1Start, type ArmGranule } from '../formats/arm';
import { type FormatHardware, type PageTableFormat } from '../formats/pageTableFormat';
import { sv39, sv39x4, sv48, sv48x4, sv57, sv57x4 } from '../formats/riscv';
import { vtdSecondStage } from '../formats/vtdSecondStage';
import { amdV2, vtdFirstStage } from '../formats/x8664';
import { signExtended, zeroExtended, type AddressSpace } from '../pageTable/addressSpace';
import { type EmulatedKind } from '../iommu/vendor';

/** A page-table format that a machine's domains may have. */
export interface TableChoice {
  readonly id: string;
  readonly title: string;
  readonly vendor: EmulatedKind;
  readonly stage: 1 | 2;
  /** What the tables are made of on a machine with these capabilities. */
  readonly shape: (capabilities: MachineCapabilities) => TableShape;
  /** Capabilities that it takes beyond the vendor's defaults. */
  readonly capabilities?: Readonly<Record<string, number | boolean>>;
}

/** Format, root and range of a domain's tables. */
export interface TableShape {
  readonly format: PageTableFormat;
  readonly hardware: FormatHardware;
  readonly rootDepth: number;
  readonly rootIndexBits?: number;
  readonly ends: Pick<AddressSpace, 'lowEnd' | 'highStart'>;
  readonly mostAddressBits?: number;
}

/** Input addresses of an SMMU without 52-bit ones. */
const ARM_BITS = 48;
/** x86 tables of four levels; the kernel gives guests' devices the lower half, where addresses are not extended. */
const X86_BITS = 48;

const vtd = (id: string, title: string, stage: 1 | 2, format: PageTableFormat): TableChoice => ({
  id,
  title,
  vendor: 'vt-d',
  stage,
  shape: () => ({
    format,
    hardware: {},
    rootDepth: 4,
    ends: stage === 1 ? signExtended(X86_BITS) : zeroExtended(X86_BITS),
  }),
});

const amd: readonly TableChoice[] = [
  {
    id: 'v1',
    title: amdV1.title,
    vendor: 'amd-vi',
    stage: 2,
    // As Linux: three levels, and more when a mapping needs them.
    shape: () => ({ format: amdV1, hardware: {}, rootDepth: 3, ends: zeroExtended(64), mostAddressBits: 64 }),
  },
  {
    id: 'v2',
    title: amdV2.title,
    vendor: 'amd-vi',
    stage: 1,
    shape: () => ({ format: amdV2, hardware: {}, rootDepth: 4, ends: zeroExtended(X86_BITS - 1) }),
  },
];

function arm(stage: 1 | 2, granule: ArmGranule): TableChoice {
  const format = armFormat(stage, granule, '48');
  const { levels, rootIndexBits } = stage === 1 ? stage1Start(granule, ARM_BITS) : stage2Root(granule);
  return {
    id: `stage${stage}-${granule.toLowerCase()}`,
    title: format.title,
    vendor: 'smmuv3',
    stage,
    shape: (capabilities) => {
      const marks = capabilities.vendor === 'smmuv3' ? capabilities.httu : 0;
      const hardware = { setsAccessed: marks > 0, setsDirty: marks > 1 };
      return { format, hardware, rootDepth: levels, rootIndexBits, ends: zeroExtended(ARM_BITS) };
    },
  };
}

/** With 48 bits of output the 16K granule starts at level 1, with two tables side by side (Arm DDI 0487 D8.2.9). */
function stage2Root(granule: ArmGranule) {
  const start = stage1Start(granule, ARM_BITS);
  return granule === '16K' ? { levels: 3, rootIndexBits: 12 } : start;
}

const riscv = (format: PageTableFormat, bits: number, stage: 1 | 2): TableChoice => ({
  id: format.id.replace('riscv-', ''),
  title: format.title,
  vendor: 'riscv',
  stage,
  shape: () => ({
    format,
    hardware: {},
    rootDepth: format.levels.length,
    ends: stage === 1 ? signExtended(bits) : zeroExtended(bits),
  }),
});

const GRANULES: readonly ArmGranule[] = ['4K', '16K', '64K'];

/** Every format of every vendor; the first of a vendor is what its kernel driver uses for guests. */
export const TABLE_CHOICES: readonly TableChoice[] = [
  vtd('second-stage', vtdSecondStage.title, 2, vtdSecondStage),
  vtd('first-stage', vtdFirstStage.title, 1, vtdFirstStage),
  ...amd,
  ...GRANULES.map((granule) => arm(1, granule)),
  ...GRANULES.map((granule) => arm(2, granule)),
  ...[sv48x4, sv39x4, sv57x4].map((format) => riscv(format, format.levels.length * 9 + 14, 2)),
  ...[sv48, sv39, sv57].map((format) => riscv(format, format.levels.length * 9 + 12, 1)),
];

export const tableChoices = (vendor: EmulatedKind): readonly TableChoice[] =>
  TABLE_CHOICES.filter((choice) => choice.vendor === vendor);
