/** What rows can be grouped by. */
export const TRACE_GROUPS = ['device', 'task', 'size', 'operation', 'event', 'cpu', 'space'] as const;
export type TraceGroupBy = (typeof TRACE_GROUPS)[number];

export interface TraceGroup {
  /** What its rows have in common, for people; empty: they have none of it. */
  readonly value: string;
  /** The filter that leaves this group alone. */
  readonly where: string;
  readonly rows: number;
  /** Rows that map and unmap, for the IOMMU or by the DMA API. */
  readonly maps: number;
  readonly unmaps: number;
  /** Bytes of the maps that did not fail. A buffer that the trace holds a dma-map and a map of is counted for both. */
  readonly mappedBytes: number;
  readonly firstRow: number;
  readonly lastRow: number;
}
