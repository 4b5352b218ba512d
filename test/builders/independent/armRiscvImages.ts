/** Images of the SMMUv3 and of the RISC-V IOMMU that were built from the specifications alone. */
import { type BuiltImage } from '../built';
import { ARM_NESTED_IMAGES } from './armNested';
import { type Build } from './armRiscvCases';
import { BIG_ENDIAN_IMAGES, LITTLE_ENDIAN_ONLY_IMAGES } from './armRiscvEndian';
import { ARM_STAGE1_ATTRIBUTE_IMAGES } from './armStage1Attributes';
import { ARM_STAGE1_GEOMETRY_IMAGES } from './armStage1Geometry';
import { ARM_STAGE2_IMAGES } from './armStage2';
import { ARM_WIDE_IMAGES } from './armWideAddresses';
import { RISCV_DIRECTORY_IMAGES } from './riscvDirectory';
import { RISCV_PAGE_IMAGES } from './riscvPages';
import { RISCV_PROCESS_IMAGES } from './riscvProcess';
import { RISCV_TWO_STAGE_IMAGES } from './riscvTwoStage';
import { SMMU_CONTEXT_IMAGES } from './smmuContexts';
import { SMMU_STREAM_TABLE_IMAGES } from './smmuStreamTables';

const make = (builds: readonly Build[]): readonly BuiltImage[] => builds.map((build) => build());

/** SMMUv3: stream tables, context descriptors, stage 1, stage 2 and both. */
export const smmuv3Images = (): readonly BuiltImage[] =>
  make([
    ...SMMU_STREAM_TABLE_IMAGES,
    ...SMMU_CONTEXT_IMAGES,
    ...ARM_STAGE1_GEOMETRY_IMAGES,
    ...ARM_STAGE1_ATTRIBUTE_IMAGES,
    ...ARM_WIDE_IMAGES,
    ...ARM_STAGE2_IMAGES,
    ...ARM_NESTED_IMAGES,
    ...LITTLE_ENDIAN_ONLY_IMAGES,
  ]);

/** RISC-V: device directories, page tables of both stages, two stages, process directories. */
export const riscvImages = (): readonly BuiltImage[] =>
  make([...RISCV_DIRECTORY_IMAGES, ...RISCV_PAGE_IMAGES, ...RISCV_TWO_STAGE_IMAGES, ...RISCV_PROCESS_IMAGES]);

/** Tables in the other byte order: SMMUv3 by CD.ENDI and STE.S2ENDI, RISC-V by fctl.BE and DC.tc.SBE. */
export const bigEndianImages = (): readonly BuiltImage[] => make(BIG_ENDIAN_IMAGES);
