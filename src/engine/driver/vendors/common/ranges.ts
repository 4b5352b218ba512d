import { ALL_PAGES } from '../../../pageTable/addressSpace';
import { FRAME_BYTES } from '../../../values';
import { type DriverPolicy } from '../../driverFaults';
import { type FlushRange } from '../../flusher';

/** 2^order pages from a page on, which is a multiple of that unless a fault leaves it unaligned. */
export interface Block {
  readonly startPage: number;
  readonly order: number;
}

/** The order that says every page. */
export const EVERY_ORDER = 52;

/** A range grown to whole leaves of the largest size that may be cached there. */
export function wholeLeaves({ startPage, endPage, largestShift }: FlushRange): {
  start: number;
  end: number;
} {
  const unit = 2 ** Math.max(0, largestShift - 12);
  return {
    start: startPage - (startPage % unit),
    end: Math.min(Math.ceil(endPage / unit) * unit, ALL_PAGES),
  };
}

/**
 * The smallest naturally aligned block that covers a range, with the largest leaf that may be cached in it: what commands
 * take that say a power of two (VT-d AM, AMD S, Arm ATC Size, RISC-V S, PCIe ATS).
 */
export function blockOf(range: FlushRange, { alignsRanges }: DriverPolicy): Block {
  const { start, end } = wholeLeaves(range);
  if (!alignsRanges) return { startPage: range.startPage, order: Math.ceil(Math.log2(end - start)) };
  let order = 0;
  while (Math.floor(start / 2 ** order) !== Math.floor((end - 1) / 2 ** order)) order++;
  return { startPage: start - (start % 2 ** order), order };
}

/** Byte address of a page: up to 64 bits. */
export const addressOf = (page: number): bigint => BigInt(page) * BigInt(FRAME_BYTES);
