import { addressOf, wholeLeaves } from '../vendors/common/ranges';
import { type GuestKind, type Words } from './guestKind';

/** struct iommu_hwpt_vtd_s1_invalidate: address, pages, flags (LEAF). All ones: every page. */
const EVERYTHING: Words = [0n, 2n ** 64n - 1n, 0n];

/** A guest's first-stage tables under VT-d: the kernel writes the PASID entry, and knows the TLBs of its devices. */
export const vtdGuest: GuestKind = {
  kind: 'vt-d',
  parent: 'second-stage',
  tables: 'first-stage',
  // struct iommu_hwpt_vtd_s1: flags, address of the root, width of addresses.
  describe: ({ tables }) => [0n, addressOf(tables.root), BigInt(tables.format.addressBits)],
  flushes: {
    'range of whole leaves': (range) => {
      if (!range) return [EVERYTHING];
      const { start, end } = wholeLeaves(range);
      return [[addressOf(start), BigInt(end - start), range.tables ? 0n : 1n]];
    },
    everything: () => [EVERYTHING],
  },
  devices: () => [],
};
