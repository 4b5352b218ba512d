/** An IOMMU's memory as its specification describes it, and what the hardware must answer. Written without looking at the decoder. */
export interface BuiltImage {
  readonly name: string;
  readonly kind: 'vt-d' | 'amd-vi' | 'smmuv3' | 'riscv' | 'ept';
  /** Register values by the names of the image description (src/image/description/registers.ts, the only source file to be looked at). */
  readonly registers: Readonly<Record<string, bigint>>;
  /** Frame number -> 512 words of 64 bits; frames not in the map are not in the image. */
  readonly frames: ReadonlyMap<number, BigUint64Array>;
  readonly expectations: readonly Expectation[];
}

export interface Expectation {
  /** Source-id, DeviceID, StreamID or device_id. */
  readonly requester: number;
  readonly pasid: number | null;
  readonly iova: bigint;
  readonly access: 'read' | 'write';
  /** The rule this shows, with its section. */
  readonly why: string;
  readonly answer: Answer;
}

/**
 * `size`: bytes of the page that the leaf (with its replicas, contiguous run or NAPOT range) maps at the stage named by
 * `level` (first stage when nested); pass-through: size 4096, level null, perm RW. `level` is numbered as in the
 * specification. When nested, `paddr` is the final address and `perm` what both stages allow.
 */
export type Answer =
  | {
      readonly ok: true;
      readonly paddr: bigint;
      readonly size: bigint;
      readonly perm: 'R' | 'W' | 'RW';
      readonly level: number | null;
    }
  | { readonly ok: false; readonly fault: string; readonly level?: number | null; readonly stage?: 1 | 2 };
