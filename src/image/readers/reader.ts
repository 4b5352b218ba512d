import { type ListedIommu } from '../../engine/directory/listed/index';
import { type Result } from '../../engine/result';
import { type ByteSource } from '../../bytes/byteSource';
import { type DescribedIommu } from '../description/types';
import { type MemoryImage } from '../memoryImage';
import { type ImageProblem } from '../problems';
import { type Task } from '../../bytes/task';
import { type DescribedSegment } from './describedSegment';

export interface ReaderOptions extends Task {
  /** Places in the file; needed by formats that do not say so themselves, and overrides what a file says. */
  readonly segments?: readonly DescribedSegment[];
  /** Take a file without headers and without `segments` as memory from physical address 0 on. */
  readonly assumeFromZero?: boolean;
  /** How the file was wrapped, for people: `flattened`. */
  readonly wrapped?: string;
}

export interface ReadImage {
  readonly memory: MemoryImage;
  readonly problems: readonly ImageProblem[];
  /** What a file says of IOMMUs itself: then no description is needed. */
  readonly iommus?: readonly DumpedIommu[];
}

/** An IOMMU as a file says it, in the terms of a description, and what its directory is made of. */
export interface DumpedIommu {
  readonly described: DescribedIommu;
  readonly listed: ListedIommu;
}

/** One format of memory image. */
export interface ImageReader {
  /** Stable, for programs: `elf-core`. */
  readonly id: string;
  /** For people: `ELF64 core`. */
  readonly title: string;
  /** True when the file does not say where its bytes stood in physical memory. */
  readonly needsSegments: boolean;
  /** True when the file says itself which IOMMUs there are, so that it opens without a description. */
  readonly describesItself?: boolean;
  /** By the first bytes (up to 4 KiB, fewer in a short file) and the name. */
  recognise(head: Uint8Array, name: string): boolean;
  /** Reads the headers; on success the memory owns `source`. Never throws on bad input. */
  open(source: ByteSource, options: ReaderOptions): Promise<Result<ReadImage>>;
}

/** True when a file begins with these characters, one a byte. */
export function startsWith(head: Uint8Array, magic: string): boolean {
  return magic === String.fromCharCode(...head.subarray(0, magic.length));
}

/** What the file is, for people: `ELF64 core`, `ELF64 core, flattened`. */
export const formatTitle = (title: string, { wrapped }: ReaderOptions): string =>
  wrapped === undefined ? title : `${title}, ${wrapped}`;
