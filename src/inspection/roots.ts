/** What a search for the roots of IOMMU structures gives: part of the protocol. Addresses and registers are bigint here. */
import { type RootKind, type RootSearchEvidence, type Strength } from '../engine/roots/index';
import { type ImageFile } from '../image/openImage';

export interface RootsParams {
  readonly image: ImageFile;
  /** Text of a description of the image: where its bytes belong. Absent: a file without headers is taken from address 0 on. */
  readonly description?: string;
}

export interface RootsResult {
  readonly image: {
    readonly name: string;
    readonly format: string;
    /** Bytes of memory that were read. */
    readonly bytesRead: bigint;
    /** True when nothing says where the bytes of the file stood, and they were taken from physical address 0 on. */
    readonly fromZero: boolean;
  };
  /** The likeliest first. */
  readonly candidates: readonly RootCandidate[];
  /** What was looked for, for people: says what an empty list means. */
  readonly looked: string;
  /** What the search left out. */
  readonly notes: readonly string[];
}

/** A place that may be the root of an IOMMU's structures. */
export interface RootCandidate {
  readonly kind: RootKind;
  /** `VT-d legacy` */
  readonly mode: string;
  /** Physical address, and what stands there: `root table`. */
  readonly address: bigint;
  readonly structure: string;
  /** What the registers would say. */
  readonly registers: readonly { readonly name: string; readonly value: bigint }[];
  /** Registers among them that the memory does not tell, or not whole. */
  readonly assumed: readonly string[];
  readonly strength: Strength;
  readonly evidence: RootSearchEvidence;
  /** What was checked and how it went, a sentence each. */
  readonly findings: readonly string[];
  /** Text of a description of the image with this root. */
  readonly description: string;
}
