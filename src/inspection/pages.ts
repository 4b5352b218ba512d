/** A page of a list: rows, and the cursor of the next page when there is more. */
export interface PageRequest {
  /** As given by the previous page; absent: from the start. */
  readonly cursor?: string;
  /** 1 to 1000. */
  readonly limit: number;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Present when there is more. */
  readonly next?: string;
  /** Number of rows in all, where it is known without reading them all. */
  readonly total?: number;
}

/** Half-open [start, end); end may be 2^64. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}
