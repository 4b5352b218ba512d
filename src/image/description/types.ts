import { type DescribedSegment } from '../readers/describedSegment';
import { type IommuKind } from './registers';

/** Image descriptions end so; everything else is an image. */
export const DESCRIPTION_SUFFIX = '.iopte.json';

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
  /** Physical byte address of its registers: tells it from the others in the firmware's tables. */
  readonly base?: number;
  /** The devices it translates for, as it knows them; absent: any that no other IOMMU of the segment names. */
  readonly requesters?: readonly IdRange[];
  /** By the specification's names; those that were not given are absent. */
  readonly registers: ReadonlyMap<string, bigint>;
}

/** Half-open range of requester ids, StreamIDs or device_ids. */
export interface IdRange {
  readonly start: number;
  readonly end: number;
}
