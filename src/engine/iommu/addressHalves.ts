/** Halves of a byte address. */
export const loOf = (address: number): number => address % 0x1_0000_0000;
export const hiOf = (address: number): number => Math.floor(address / 0x1_0000_0000);

/** The byte address of a word, from halves. */
export const addressOf = ({ hi, lo }: { readonly lo: number; readonly hi: number }): number =>
  (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);

/** The page of 4 KiB that an address lies in, from halves. */
export const pageAt = (lo: number, hi: number): number => (hi >>> 0) * 0x100000 + (lo >>> 12);
