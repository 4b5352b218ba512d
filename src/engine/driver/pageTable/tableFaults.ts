import { type DriverFaultRule } from '../driverFaults';
import { type TableFault } from './gather';

/** Real bugs of page-table code and of its gathers, which tables can be given: what each leaves out, and where it stood. */
export const TABLE_FAULTS: readonly (DriverFaultRule & { readonly id: TableFault })[] = [
  {
    id: 'gather-drops-disjoint',
    leavesOut: 'A range apart from what is gathered is flushed for at once, but is not gathered itself.',
    source: 'Linux b48ca9206138, iommupt: disjoint gather ranges',
  },
  {
    id: 'gather-asked-only',
    leavesOut: 'Of a leaf that sticks out of what is unmapped only the part that was asked for is gathered.',
    source: 'Linux ee6e69d03255, CVE-2026-31735',
  },
  {
    id: 'gather-never-filled',
    leavesOut: 'Unmapping does not say what it gathers, and empty gathers are not flushed for.',
    source: 'Linux 90c5def10bea: drivers that never fill the gather',
  },
  {
    id: 'superpage-clears-beyond',
    leavesOut:
      'To make room for large leaves, tables are freed up to a multiple of such leaves after the end of the mapping.',
    source: 'Linux dce043c07ca1, iommu/vt-d: Fix __domain_mapping’s usage of switch_to_super_page',
  },
  {
    id: 'free-before-flush',
    leavesOut: 'Tables are freed before the flush that removes pointers to them from walk caches.',
    source:
      'Xen XSA-346; Linux e37d5a2d60a3, iommu/sva: invalidate stale IOTLB entries for kernel address space',
  },
  {
    id: 'one-replica',
    leavesOut: 'Of a page of several entries only the first one’s dirty mark is read and cleared.',
    source: 'J. Martins, kvm list, 14 February 2022: D of replicated entries in AMD’s manual',
  },
  {
    id: 'new-leaves-untracked',
    leavesOut: 'Leaves that are mapped after tracking began are not tracked (Arm DBM).',
    source: 'review of the SMMUv3 dirty-tracking series of 2022',
  },
  {
    id: 'root-in-two-reads',
    leavesOut: 'The root and its number of levels are read one after the other while the root grows.',
    source: 'Linux 754265bcab7, 1e56310b40fd, iommu/amd: increase_address_space',
  },
  {
    id: 'no-flush-after-clear',
    leavesOut: 'A dirty mark that was cleared is not flushed for.',
    source: 'riscv-iommu issue 173: what a cached translation with D set does',
  },
];
