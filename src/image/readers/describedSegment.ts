/** Where a piece of a file without headers belongs, as a description file says it. Bytes. */
export interface DescribedSegment {
  readonly paddr: number;
  readonly offset: number;
  /** Absent: to the end of the file. */
  readonly length?: number;
}
