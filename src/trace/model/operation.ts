/** What a row of a trace says that happened, in the terms of the IOMMU and whatever the tracer called it. */
export const OPERATIONS = [
  /** A line that no rule of its format understands. It is kept as it stands. */
  'unknown',
  /** Known to the format, and nothing that tables or caches follow from. */
  'other',
  /** Here the tracer lost events; `count` says how many. */
  'lost',
  /** Software mapped [iova, iova + size) to paddr. */
  'map',
  /** Software unmapped [iova, iova + size); `done` says how much went, when it is not `size`. */
  'unmap',
  /** Software asked for cached translations to be dropped: of a range, a domain, or all. */
  'flush',
  /** The DMA API mapped or unmapped a buffer for a device: the device, and what its iova was. */
  'dma-map',
  'dma-unmap',
  'dma-sync',
  /** A request of a device was translated. */
  'translate',
  /** A request of a device was refused. */
  'fault',
  /** A device began or ceased to use a domain or a group. */
  'attach',
  'detach',
  /** Dirty pages of a range were reported; `count` says how many. */
  'dirty',
  /** Dirty tracking was set on or off, or a migration changed its phase. */
  'track',
] as const;

export type Operation = (typeof OPERATIONS)[number];

const CODES = new Map<string, number>(OPERATIONS.map((name, code) => [name, code]));

/** The number that stands for an operation in the column `operation`. */
export const operationCode = (operation: Operation): number => CODES.get(operation) ?? 0;

/** Bits of the column `flags`: what else a row says of its request or range. */
export const FLAGS = {
  /** Of a buffer's direction, too: BIDIRECTIONAL has both, NONE has neither. */
  read: 1,
  write: 2,
  /** The range is the first of several; the line has the others. */
  list: 4,
  /** Nothing was done: an error was returned, the translation found no page. */
  failed: 8,
  /** Answered by a cache of translations. */
  cached: 16,
  /** Tracking, or what else the row is about, was set on; without the bit, off. */
  on: 32,
  /** Of the first, or of the second stage. */
  stage1: 64,
  stage2: 128,
  /** Of a whole domain (flush), and of everything. */
  domainWide: 256,
  global: 512,
} as const;

export type FlagName = keyof typeof FLAGS;
