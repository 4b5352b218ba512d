import { AMD_EVERY_PAGE, amdCommands } from '../../../iommu/vendors/amd/commands';
import { sizedAddress } from '../../../iommu/vendors/ranges';
import { type Pasid, type RequesterId } from '../../../values';
import { addressOf, EVERY_ORDER, type Block } from '../common/ranges';
import { type EncodedCommand } from '../common/encodedCommand';

// The commands that the driver uses (AMD 48882 3.10 §2.4).

const named = (name: string, words: readonly bigint[]): EncodedCommand => ({ name, words });

/** Address and S of a block; null: every page. */
function blockFields(block: Block | null): { readonly S: boolean; readonly Address: bigint } {
  if (!block || block.order >= EVERY_ORDER) return { S: true, Address: AMD_EVERY_PAGE };
  const address = addressOf(block.startPage);
  return block.order === 0
    ? { S: false, Address: address }
    : { S: true, Address: sizedAddress(address, block.order) };
}

export const invalidateAll = (): EncodedCommand =>
  named('INVALIDATE_IOMMU_ALL', amdCommands.invalidateIommuAll());

export const invalidateDte = (requester: RequesterId): EncodedCommand =>
  named('INVALIDATE_DEVTAB_ENTRY', amdCommands.invalidateDevtabEntry({ DeviceID: requester }));

/** By host tables: of the domain, and of what is nested in them. Table pointers always go (PDE). */
export const invalidateHostPages = (id: number, block: Block | null): EncodedCommand =>
  named(
    'INVALIDATE_IOMMU_PAGES',
    amdCommands.invalidateIommuPages({ DomainID: id, PDE: true, ...blockFields(block) }),
  );

export const invalidateGuestPages = (id: number, pasid: Pasid | null, block: Block | null): EncodedCommand =>
  named(
    'INVALIDATE_IOMMU_PAGES',
    amdCommands.invalidateIommuPages({
      DomainID: id,
      PDE: true,
      GN: true,
      PASID: pasid ?? 0,
      ...blockFields(block),
    }),
  );

export const invalidateDeviceTlb = (
  requester: RequesterId,
  pasid: Pasid | null,
  block: Block | null,
): EncodedCommand =>
  named(
    'INVALIDATE_IOTLB_PAGES',
    amdCommands.invalidateIotlbPages({
      DeviceID: requester,
      QueueID: requester,
      ...(pasid === null ? {} : { GN: true, PASID: pasid }),
      ...blockFields(block),
    }),
  );
