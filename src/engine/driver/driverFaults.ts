/** One thing that a careless driver leaves out or does in the wrong order: a real bug of the past. */
export interface DriverFaultRule {
  readonly id: string;
  /** What is left out, as a sentence. */
  readonly leavesOut: string;
  /** Where it stood. */
  readonly source: string;
}

/**
 * What a driver does right. Each is true for a good driver; a fault of the same place in `DRIVER_FAULTS` makes it false.
 */
export interface DriverPolicy {
  /** A change of a parent's tables removes what is cached under the ids of its nested domains. */
  readonly flushesNestedTags: boolean;
  /** It removes what the device TLBs of devices behind nested domains hold. */
  readonly flushesNestedDeviceTlbs: boolean;
  /** Dirty tracking of a parent is switched on for devices behind nested domains, too. */
  readonly tracksNested: boolean;
  /** A device that is attached to a nested domain later marks D when the parent tracks. */
  readonly tracksLateAttach: boolean;
  /** What a guest changes is removed from the device's TLB. */
  readonly knowsAtsOfNested: boolean;
  /** PASIDs of a nested domain mark D, too. */
  readonly tracksPasids: boolean;
  /** D is only marked where table walks are coherent. */
  readonly wantsCoherentMarks: boolean;
  /** A present entry is made not present, and forgotten by caches, before its other words change. */
  readonly unpublishesFirst: boolean;
  /** Attaching waits while dirty tracking is switched, and the other way round. */
  readonly locksTracking: boolean;
  /** An invalidation says the PASID that a device TLB knows the translation by. */
  readonly namesPasids: boolean;
  /** The range of an invalidation is aligned to its size. */
  readonly alignsRanges: boolean;
  /** PASIDs' device TLB entries are removed, not only those of requests without one. */
  readonly flushesPasidDeviceTlbs: boolean;
  /** A changed entry is forgotten under the domain id that it had. */
  readonly namesOldDomain: boolean;
  /** The IOTLB is invalidated before the device TLBs, which could fill themselves from it again. */
  readonly iotlbFirst: boolean;
  /** Words that a present entry needs are in memory before the word that uses them. */
  readonly ordersWords: boolean;
  /** A completion wait takes its number and its place in the queue in one go. */
  readonly numbersWaitsInOrder: boolean;
}

type PolicyRule = DriverFaultRule & { readonly policy: keyof DriverPolicy };

/** The faults that a driver can be given, by id. Those of page tables and of their gathers stand with the tables. */
export const DRIVER_FAULTS = [
  {
    id: 'parent-flush-own-did-only',
    policy: 'flushesNestedTags',
    leavesOut: 'Invalidations of a nest parent name its own domain id only, not those of its nested domains.',
    source: 'Linux 821985301124, iommu/vt-d: Add missing iotlb flush for parent domain',
  },
  {
    id: 'no-device-tlb-behind-nested',
    policy: 'flushesNestedDeviceTlbs',
    leavesOut: 'Device TLBs of devices behind nested domains are not invalidated when the parent changes.',
    source: 'Linux 5e54e861f16f (iommu/vt-d)',
  },
  {
    id: 'no-ssade-for-nested',
    policy: 'tracksNested',
    leavesOut:
      'Dirty tracking of a parent is not switched for devices that are attached through nested domains.',
    source: 'Linux f1e1610950ea (iommu/vt-d)',
  },
  {
    id: 'attach-after-enable',
    policy: 'tracksLateAttach',
    leavesOut: 'A device attached to a nested domain after its parent began to track does not mark D.',
    source: 'Linux 1f0198fce683 (iommu/vt-d)',
  },
  {
    id: 'nested-attach-forgets-ats',
    policy: 'knowsAtsOfNested',
    leavesOut:
      'A nested domain does not know that its device has a TLB: invalidations of guests leave it alone.',
    source: 'Linux 29e10487d6df (iommu/vt-d)',
  },
  {
    id: 'no-ssade-for-pasids',
    policy: 'tracksPasids',
    leavesOut: 'PASIDs attached to a nested domain whose parent tracks dirty pages do not mark D.',
    source: 'Linux cc5bd898ff70, ae2fafc19e7b (iommu/vt-d)',
  },
  {
    id: 'marks-without-coherence',
    policy: 'wantsCoherentMarks',
    leavesOut: 'D is marked in tables that the hardware walks without snooping.',
    source: 'Linux iommu/vt-d, fix of 24 September 2025: ECAP.SSADS without ECAP.SMPWCS',
  },
  {
    id: 'torn-pasid-entry',
    policy: 'unpublishesFirst',
    leavesOut: 'A present entry is zeroed and rewritten in place, while hardware may read it in parts.',
    source: 'CVE-2026-45894',
  },
  {
    id: 'tracking-without-lock',
    policy: 'locksTracking',
    leavesOut: 'The devices of a domain are walked without its lock while their marking is switched.',
    source: 'Review of the AMD dirty tracking series (HAD), 2022-2023',
  },
  {
    id: 'flush-all-without-pasid',
    policy: 'namesPasids',
    leavesOut: 'The flush of a whole domain invalidates device TLBs without naming the PASID.',
    source: 'Linux iommu/vt-d, 2025: cache_tag_flush_all missed the PASID',
  },
  {
    id: 'unaligned-range',
    policy: 'alignsRanges',
    leavesOut:
      'The size of an invalidation is rounded to a power of two, and its start is not aligned to it.',
    source: 'Linux iommu/vt-d, fix of 31 December 2020 (ALIGN in the place of IS_ALIGNED)',
  },
  {
    id: 'device-tlb-skips-pasids',
    policy: 'flushesPasidDeviceTlbs',
    leavesOut: 'Device TLB invalidations leave out what is attached by PASID.',
    source: 'Linux iommu/vt-d, fix of January 2021 (sub-devices)',
  },
  {
    id: 'context-change-new-did',
    policy: 'namesOldDomain',
    leavesOut: 'When a present entry changes, the caches are invalidated under its new domain id only.',
    source: 'Linux iommu/vt-d, fix of July 2021 (change of a present context entry)',
  },
  {
    id: 'atc-before-iotlb',
    policy: 'iotlbFirst',
    leavesOut: 'Device TLBs are invalidated before the IOTLB, from which they may be filled again.',
    source: 'Linux iommu/arm-smmu-v3, fix of August 2019 (ATC before TLB)',
  },
  {
    id: 'ste-words-unordered',
    policy: 'ordersWords',
    leavesOut: 'The word that switches to new fields may reach memory before them.',
    source: 'Linux cbb032fc7432 (iommu/arm-smmu-v3, barrier of the hitless STE update)',
  },
  {
    id: 'wait-number-unlocked',
    policy: 'numbersWaitsInOrder',
    leavesOut: 'The number of a completion wait is taken before its place in the queue.',
    source: 'Linux 9e249c484128, which fixes d2a0cac10597',
  },
] as const satisfies readonly PolicyRule[];

/** What a driver with these faults does; ids of other parts are passed over. */
export function policyOf(faults: Iterable<string> = []): DriverPolicy {
  const given = new Set(faults);
  const entries = DRIVER_FAULTS.map(({ id, policy }) => [policy, !given.has(id)] as const);
  return Object.fromEntries(entries) as unknown as DriverPolicy;
}
