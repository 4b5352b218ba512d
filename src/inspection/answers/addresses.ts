import { FRAME_BYTES } from '../../engine/values';
import { refuse } from '../requestError';

const PAGE = BigInt(FRAME_BYTES);

/** Byte address of a page or frame number. */
export const bytesOf = (page: number): bigint => BigInt(page) * PAGE;

/** Halves of a 64-bit address. */
export function halvesOf(address: bigint): { readonly lo: number; readonly hi: number } {
  if (address < 0n || address >= 1n << 64n) {
    refuse('request/address', `${address} is not an address.`, 'Addresses are 0 to 2^64 - 1.');
  }
  return { lo: Number(address & 0xffffffffn), hi: Number(address >> 32n) };
}

/** A page cursor: where the next page starts. */
export function parseCursor(cursor: string | undefined, base: 10 | 16): number {
  if (cursor === undefined) return 0;
  const value = /^[0-9a-f]{1,13}$/.test(cursor) ? parseInt(cursor, base) : NaN;
  if (!Number.isSafeInteger(value)) refuse('request/cursor', `"${cursor}" is not a cursor of this list.`);
  return value;
}

/** Rows a page may have. */
export function checkLimit(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    refuse('request/limit', `A page has 1 to 1000 rows, not ${limit}.`);
  }
  return limit;
}
