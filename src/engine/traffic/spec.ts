import { type DmaLine } from '../machine/dmaLine';

/**
 * What a device does, as data: one of the generators of this folder, each a file of its own. Rates and shares do not change which
 * requests come, only how many of them in a time. Sizes are bytes; addresses are text (`0x...`, `4G`).
 */
export type TrafficSpec = TrafficCommon & TrafficKind;

export interface TrafficCommon {
  /**
   * Bytes a second that it moves, reads and writes, descriptors and commands included; 0 or absent: as fast as it is asked to, and
   * nothing by itself during a migration.
   */
  readonly rate?: number;
  /** Cycles between two of its requests where a scenario counts in cycles; absent: 100. */
  readonly interval?: number;
}

export type TrafficKind = RxRing | NvmeQueue | GpuBulk | DescriptorRing | RequestList;

/** Where it reads and writes: IOVAs, half-open. */
export interface TrafficMemory {
  readonly start: string;
  readonly length: string;
}

/** Receive ring of a network interface: a descriptor is read, a packet written, the descriptor written back. */
export interface RxRing {
  readonly kind: 'rx-ring';
  readonly memory: TrafficMemory;
  /** Descriptors in the ring; a power of two. */
  readonly entries: number;
  readonly packet: number;
  /** Bytes of a buffer: one packet each. */
  readonly buffer: number;
  /** recycled: the ring's buffers are used again and again (page pool); fresh: each packet gets the next buffer of all memory. */
  readonly buffers: 'recycled' | 'fresh';
}

/** Queue pair of an NVMe controller: commands are read, data moved, completions written. */
export interface NvmeQueue {
  readonly kind: 'nvme';
  readonly memory: TrafficMemory;
  readonly depth: number;
  readonly block: number;
  /** Of commands that read the disk, and so write memory: 0 to 1. */
  readonly reads: number;
  /** Where data buffers lie: one after the other, or anywhere, by seed. */
  readonly order: 'sequential' | 'random';
}

/** Bulk copies of an accelerator: long runs of writes, and reads. */
export interface GpuBulk {
  readonly kind: 'gpu-bulk';
  readonly memory: TrafficMemory;
  /** Bytes of one run, from one place on. */
  readonly run: number;
  /** Of runs that write memory: 0 to 1. */
  readonly writes: number;
  readonly order: 'sequential' | 'random';
}

/** A ring that a device and its driver share: one entry after the other is read and written back. */
export interface DescriptorRing {
  readonly kind: 'descriptor-ring';
  readonly memory: TrafficMemory;
  readonly entries: number;
  readonly entry: number;
}

/** Requests as a trace has them, in their order, again and again. */
export interface RequestList {
  readonly kind: 'requests';
  readonly requests: readonly DmaLine[];
}
