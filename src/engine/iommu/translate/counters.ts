/** What an IOMMU did since it was made. */
export interface Counters {
  requests: number;
  /** Requests that the IOTLB answered, and those that it did not. */
  hits: number;
  misses: number;
  /** Walks of one stage, those of accesses to tables of stage 1 included. */
  walks: number;
  /** Entries of tables read, and pieces of structures above them. */
  reads: number;
  fetches: number;
  /** Words of tables that hardware marked. */
  updates: number;
  /** Walks that started again: a word had changed, or an invalidation came. */
  retries: number;
  faults: number;
  evictions: number;
  prefetches: number;
  /** Commands of the queue that were done. */
  commands: number;
}

export const noCounts = (): Counters => ({
  requests: 0,
  hits: 0,
  misses: 0,
  walks: 0,
  reads: 0,
  fetches: 0,
  updates: 0,
  retries: 0,
  faults: 0,
  evictions: 0,
  prefetches: 0,
  commands: 0,
});
