import { type DirectoryAnswer } from '../engine/directory/deviceDirectory';
import { type AddressSpace } from '../engine/pageTable/addressSpace';
import { FRAME_BYTES } from '../engine/values';
import { type DomainKey } from './mapping';

const bytesOfRoot = ({ root, rootEntry }: AddressSpace): bigint =>
  BigInt(root) * BigInt(FRAME_BYTES) + BigInt(8 * rootEntry);

export function domainKey(iommu: string, space: AddressSpace): DomainKey {
  const { stage, domainId, format, stage2 } = space;
  return {
    iommu,
    stage,
    domainId,
    root: bytesOfRoot(space),
    levels: format.rootDepth,
    ...(stage2 ? { below: { domainId: stage2.domainId, root: bytesOfRoot(stage2) } } : {}),
  };
}

/** The address spaces of a device: the one that takes its addresses, the one of the upper addresses, the stage 2 below. */
export function spacesOf(answer: DirectoryAnswer): AddressSpace[] {
  if (answer.kind !== 'table') return [];
  const { space, upper } = answer;
  return [space, upper, space.stage2].filter((each) => each !== undefined);
}
