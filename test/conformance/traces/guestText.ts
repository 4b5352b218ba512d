/** Traces that a test writes line by line, as tracefs prints them. */
const hex = (value: number | bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

export interface MapEvent {
  readonly op: 'map';
  readonly iova: number;
  readonly paddr: number;
  readonly size: number;
}

export interface UnmapEvent {
  readonly op: 'unmap';
  readonly iova: number;
  readonly size: number;
  /** What went, when not all did. */
  readonly done?: number;
}

/** `flush`: of the 2^`order` pages from `iova` on, by a VT-d IOTLB invalidation descriptor of domain 4. */
export interface FlushEvent {
  readonly op: 'flush';
  readonly iova?: number;
  readonly order?: number;
}

export type Event = (MapEvent | UnmapEvent | FlushEvent) & { readonly task?: string };

function payload(event: Event): string {
  if (event.op === 'flush') {
    const { iova, order = 0 } = event;
    // Granularity in bits 5:4: 3 is of pages, 1 of everything.
    if (iova === undefined) return 'qi_submit: iotlb_inv dmar0: 0xd2 0x0 0x0 0x0';
    return `qi_submit: iotlb_inv dmar0: 0x400f2 0x${(iova + order).toString(16)} 0x0 0x0`;
  }
  const { iova, size } = event;
  const range = `IOMMU: iova=${hex(iova)} - ${hex(iova + size)}`;
  if (event.op === 'map') return `map: ${range} paddr=${hex(event.paddr)} size=${size}`;
  return `unmap: ${range} size=${size} unmapped_size=${event.done ?? size}`;
}

export const HEADER = '# tracer: nop\n#\n';

/** One line; a millisecond between the rows. */
export const lineOf = (event: Event, row: number): string =>
  `${event.task ?? 'dd-400'}     [000] .....  ${String(10 + Math.floor(row / 1000))}.${String(row % 1000).padStart(3, '0')}000: ${payload(event)}`;

export const traceOf = (events: readonly Event[]): string => `${HEADER}${events.map(lineOf).join('\n')}\n`;
