import { amdCommands, AMD_EVERY_PAGE } from '../../iommu/vendors/amd/commands';
import { sizedAddress } from '../../iommu/vendors/ranges';
import { FRAME_BYTES } from '../../values';
import { type FlushRange } from '../flusher';
import { gcr3Entry, guestDte } from '../vendors/amd/entries';
import { addressOf } from '../vendors/common/ranges';
import { type GuestKind } from './guestKind';
import { guestBlock } from './guestRanges';

const EVERY_PAGE = { S: true, Address: AMD_EVERY_PAGE };

/** With S = 1 the size stands in the address. */
function pagesOf(range: FlushRange | null) {
  if (!range) return EVERY_PAGE;
  const { startPage, order } = guestBlock(range);
  const start = addressOf(startPage);
  return order === 0 ? { S: false, Address: start } : { S: true, Address: sizedAddress(start, order) };
}

/** A guest's v2 tables under AMD: a GCR3 table at a guest address, and the guest's half of the device table entry. */
export const amdGuest: GuestKind = {
  kind: 'amd-vi',
  parent: 'v1',
  tables: 'v2',
  describe({ tables, space, structures, put }) {
    // Of one level; entry 0 is for requests without a PASID.
    put(structures, [gcr3Entry(Number(tables.root) * FRAME_BYTES)]);
    const levels = tables.format.rootDepth;
    return guestDte(space, { gcr3: Number(structures), gcr3Levels: 1, levels, forAll: true }, false);
  },
  flushes: {
    'INVALIDATE_IOMMU_PAGES of a range': (range, space) => [
      amdCommands.invalidateIommuPages({
        DomainID: space,
        GN: true,
        PDE: range?.tables ?? true,
        ...pagesOf(range),
      }),
    ],
    'INVALIDATE_IOMMU_PAGES of everything': (_range, space) => [
      amdCommands.invalidateIommuPages({ DomainID: space, GN: true, PDE: true, ...EVERY_PAGE }),
    ],
  },
  wait: { name: 'COMPLETION_WAIT', words: amdCommands.completionWait({}) },
  devices: (range, requester) => [
    amdCommands.invalidateIotlbPages({ DeviceID: requester, ...pagesOf(range) }),
  ],
};
