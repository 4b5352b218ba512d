import { type CacheOperation, type PageRange } from '../cacheOperation';
import { ALL_PAGES } from '../../pageTable/addressSpace';

export const EVERY_PAGE: PageRange = { startPage: 0, endPage: ALL_PAGES };

/** The naturally aligned block of 2^order pages around a byte address. */
export function alignedPages(address: bigint, order: number): PageRange {
  if (order >= 52) return EVERY_PAGE;
  const pages = 2 ** order;
  const page = Number(BigInt.asUintN(64, address) >> 12n);
  const startPage = page - (page % pages);
  return { startPage, endPage: startPage + pages };
}

/**
 * The block whose size stands in the address: with `sized`, 2^(n + 1) pages where bit 12 + n is the lowest that is clear
 * (PCIe 6.0 §10.3.1; AMD and RISC-V have the same form). All ones, or all but bit 63: every page.
 */
export function sizedPages(
  address: bigint,
  sized: boolean,
): { readonly pages: PageRange; readonly shift: number } {
  const order = sized ? trailingOnes(address >> 12n) + 1 : 0;
  const pages = alignedPages(address, order);
  return { pages, shift: Math.min(12 + order, 64) };
}

/** The address that says a block of 2^order pages, order at least 1, at `start`. */
export function sizedAddress(start: bigint, order: number): bigint {
  const low = (1n << BigInt(order - 1)) - 1n;
  return BigInt.asUintN(64, (start & ~(((1n << BigInt(order)) - 1n) << 12n)) | (low << 12n));
}

function trailingOnes(value: bigint): number {
  let count = 0;
  for (let rest = value; count < 52 && (rest & 1n) === 1n; rest >>= 1n) count++;
  return count;
}

/** A byte address from its halves. */
export const addressOf = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);

/**
 * The entry of one process. `withoutPasid`: the PASID that requests without one use, when one is fixed; undefined: any may be,
 * so that theirs goes with each.
 */
export function oneProcess(
  of: { readonly requester?: number; readonly vm?: number },
  pasid: number,
  withoutPasid: number | undefined,
): CacheOperation[] {
  const isTheirs = withoutPasid === undefined || withoutPasid === pasid;
  return [{ processes: { ...of, pasid } }, ...(isTheirs ? [{ processes: { ...of, pasid: null } }] : [])];
}
