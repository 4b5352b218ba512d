/** Readings of the specifications and choices of implementations that a machine may have; each has its name in docs/hardware.md. */
export interface HardwareRules {
  /**
   * How an A or D update meets a word that changed since the walk read it. compare: the walk starts again (RISC-V IOMMU
   * 1.0 §2.3; AMD 48882). blind: the bits are OR-ed into whatever stands there now.
   */
  readonly update: 'compare' | 'blind';
  /** Whether an invalidation of fewer bytes removes a cached entry larger than that. Absent: the vendor's own rule. */
  readonly removesLarger?: boolean;
  /** Whether completion of a wait waits for accesses translated before, where the command asks for it. */
  readonly drains: boolean;
  /** Requests between two evictions, and between two prefetches, on average; 0: never by itself. By seed. */
  readonly evictEvery: number;
  readonly prefetchEvery: number;
  /** Not-present translations are cached, too: VT-d CAP.CM, AMD NpCache. */
  readonly cachesNotPresent: boolean;
  /**
   * Whether a cached entry without the permission that a request needs refuses it, as the reference model of RISC-V has it; else,
   * and always with two stages, the tables are walked again. Either is allowed: a cached entry may go at any time.
   */
  readonly refusesFromCache?: boolean;
  /** Arm BBML 0, 1 or 2 (SMMU_IDR3.BBML); other vendors: 2, nothing conflicts. */
  readonly bbml: 0 | 1 | 2;
  /** Whether the walker snoops the caches of the CPU: else it sees a store only after it was written back. */
  readonly snoopsCaches: boolean;
  readonly iotlb: CacheGeometry;
  readonly walkCache: CacheGeometry;
  /** log2 of the page sizes that the IOTLB holds, ascending: larger pages are cached in parts. AMD: 12, 21, 30. */
  readonly cachedShifts?: readonly number[];
  /**
   * log2 of the bytes that an answer to a translation request is good for where nothing is translated: left to implementations, 2
   * MiB or 1 GiB are recommended (RISC-V IOMMU 1.0 §2.6). Absent: 12.
   */
  readonly bareShift?: number;
  /** Entries of the device-context, PASID and device TLB caches. */
  readonly contextEntries: number;
  readonly processEntries: number;
  readonly deviceTlbEntries: number;
  readonly mistakes?: readonly HardwareMistake[];
}

/**
 * Mistakes that invalidations of real models had: one reaches only what is cached around the address that it names, not the
 * other parts of the same leaf (riscv-iommu issue 780); one of a device's context leaves what is cached of its processes
 * (riscv-iommu pull request 693). RISC-V only: IOTINVAL.GVMA looks at ADDR with GV = 0, where AV is ignored (riscv-iommu
 * 804d501); IOTINVAL.VMA compares GSCID and PSCID although GV and PSCV are 0 (riscv-iommu 16d103f).
 */
export const HARDWARE_MISTAKES = [
  'reaches-part-of-leaf',
  'keeps-processes',
  'address-without-guest',
  'ids-without-valid',
] as const;
export type HardwareMistake = (typeof HARDWARE_MISTAKES)[number];

export interface CacheGeometry {
  /** Powers of two; 0 sets: no such cache. */
  readonly sets: number;
  readonly ways: number;
}

export const DEFAULT_RULES: HardwareRules = {
  update: 'compare',
  drains: true,
  evictEvery: 0,
  prefetchEvery: 0,
  cachesNotPresent: false,
  bbml: 2,
  snoopsCaches: true,
  iotlb: { sets: 1024, ways: 4 },
  walkCache: { sets: 64, ways: 4 },
  contextEntries: 64,
  processEntries: 64,
  deviceTlbEntries: 64,
};
