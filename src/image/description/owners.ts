import { type IdRange } from './types';

/** As much of an IOMMU as tells what it owns. */
interface Owning {
  readonly segment: number;
  readonly requesters?: readonly IdRange[];
}

/**
 * The IOMMUs that own a device by what a description says: those of its segment that name it, else those that name no
 * devices at all. More than one is for the caller to ask about; none when every IOMMU of the segment names others.
 */
export function describedOwners<T extends Owning>(iommus: readonly T[], segment: number, id: number): T[] {
  const near = iommus.filter((iommu) => iommu.segment === segment);
  const naming = near.filter(
    ({ requesters }) => requesters?.some(({ start, end }) => id >= start && id < end) === true,
  );
  return naming.length > 0 ? naming : near.filter(({ requesters }) => requesters === undefined);
}
