/** An unsigned number of up to 64 bits as halves, and how many digits it was written with. */
export interface HexNumber {
  lo: number;
  hi: number;
  digits: number;
}

/** By character code: its value, -1 for what is no digit. */
const DIGIT_OF = Int8Array.from({ length: 256 }, (_, code) => {
  const value = parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? -1 : value;
});

/**
 * Reads `0x` and hexadecimal digits from `at` on into `into`. Of more than 16 digits the last 16 count: look at `digits`.
 *
 * @returns Where it ends; `at` itself when there is no number.
 */
export function readHex(bytes: Uint8Array, at: number, end: number, into: HexNumber): number {
  let place = at;
  if (bytes[place] !== 0x30 || (bytes[place + 1] ?? 0) !== 0x78) return at;
  place += 2;
  let lo = 0;
  let hi = 0;
  const first = place;
  for (; place < end; place++) {
    const digit = DIGIT_OF[bytes[place] ?? 0] ?? -1;
    if (digit < 0) break;
    hi = ((hi << 4) | (lo >>> 28)) >>> 0;
    lo = ((lo << 4) | digit) >>> 0;
  }
  into.lo = lo;
  into.hi = hi;
  into.digits = place - first;
  return into.digits === 0 ? at : place;
}

/** The frame that bits 51:12 of an entry point to. */
export const frameAt = (lo: number, hi: number): number => (hi & 0xfffff) * 0x100000 + (lo >>> 12);

/** Halves of up to 16 hexadecimal digits. */
export function halvesOf(digits: string): { readonly lo: number; readonly hi: number } {
  const low = digits.slice(-8);
  const high = digits.slice(0, -8);
  return { lo: parseInt(low, 16), hi: high === '' ? 0 : parseInt(high, 16) };
}

/** The 64-bit value of halves. */
export const joined = ({ lo, hi }: { readonly lo: number; readonly hi: number }): bigint =>
  (BigInt(hi) << 32n) | BigInt(lo);
