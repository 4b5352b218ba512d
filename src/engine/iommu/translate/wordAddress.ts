/** Halves of the byte address of a word. */
export const loOf = (address: number): number => address % 0x1_0000_0000;
export const hiOf = (address: number): number => Math.floor(address / 0x1_0000_0000);

/** The byte address of a word, from halves. */
export const addressOf = ({ hi, lo }: { readonly lo: number; readonly hi: number }): number =>
  (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
