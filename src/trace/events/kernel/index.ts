import { type EventRule } from '../eventRule';
import { DMA_EVENTS, INTEL_DMA_EVENTS } from './dma';
import { INTEL_EVENTS } from './intel';
import { IOMMU_EVENTS } from './iommu';

/** Systems of events that rules are for: in a format that names systems, an event of another has none. */
export const KERNEL_SYSTEMS: ReadonlySet<string> = new Set(['iommu', 'dma', 'intel_iommu']);

/** Events of Linux whose payload is read, by name without the system. Adding one adds it to its system's file. */
export const KERNEL_EVENTS: ReadonlyMap<string, EventRule> = new Map(
  [...IOMMU_EVENTS, ...DMA_EVENTS, ...INTEL_EVENTS, ...INTEL_DMA_EVENTS].map((rule) => [rule.event, rule]),
);
