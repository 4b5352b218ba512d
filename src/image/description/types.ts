import { type DescribedSegment } from '../readers/reader';
import { type IommuKind } from './registers';

/** What a `NAME.iopte.json` file says. */
export interface ImageDescription {
  readonly version: 1;
  /** The image, relative to the description. */
  readonly file: string;
  /** Present for raw memory. */
  readonly segments?: readonly DescribedSegment[];
  readonly iommus: readonly DescribedIommu[];
}

export interface DescribedIommu {
  readonly name: string;
  readonly kind: IommuKind;
  /** PCI segment (domain). */
  readonly segment: number;
  /** By the specification's names; those that were not given are absent. */
  readonly registers: ReadonlyMap<string, bigint>;
}
