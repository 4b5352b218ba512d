import { type EventRule } from '../eventRule';
import { IOMMU_EVENTS } from './iommu';

/** Events of Linux whose payload is read, by name without the system. Adding one adds it to its system's file. */
export const KERNEL_EVENTS: ReadonlyMap<string, EventRule> = new Map(
  [...IOMMU_EVENTS].map((rule) => [rule.event, rule]),
);
