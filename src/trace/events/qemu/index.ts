import { type EventRule } from '../eventRule';
import { AMDVI_EVENTS } from './amdvi';
import { MIGRATION_EVENTS } from './migration';
import { RISCV_IOMMU_EVENTS } from './riscvIommu';
import { SMMUV3_EVENTS } from './smmuv3';
import { VFIO_EVENTS } from './vfio';
import { VIRTIO_IOMMU_EVENTS } from './virtioIommu';
import { VTD_EVENTS } from './vtd';

/** Events of QEMU whose payload is read, by name. Adding one adds it to its part's file. */
export const QEMU_EVENTS: ReadonlyMap<string, EventRule> = new Map(
  [
    ...VTD_EVENTS,
    ...AMDVI_EVENTS,
    ...SMMUV3_EVENTS,
    ...RISCV_IOMMU_EVENTS,
    ...VFIO_EVENTS,
    ...VIRTIO_IOMMU_EVENTS,
    ...MIGRATION_EVENTS,
  ].map((rule) => [rule.event, rule]),
);
