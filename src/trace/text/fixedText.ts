/** Reading text by words, big-endian: for lines whose letters stand where they are expected. */

/** Four letters as DataView.getInt32 gives them. */
export const word = (text: string): number => (half(text) << 16) | half(text.slice(2));

/** Two letters as DataView.getUint16 gives them. */
export const half = (text: string): number => (text.charCodeAt(0) << 8) | text.charCodeAt(1);

/** The value of four hexadecimal digits, small letters only; negative when there are others. */
export function hex4(view: DataView, at: number): number {
  const text = view.getInt32(at);
  // All four at once: letters have 0x40, digits have not; the nibble of a letter is 9 more than its low four bits.
  const letters = (text >>> 6) & 0x01010101;
  const nibbles = (text & 0x0f0f0f0f) + letters * 9;
  const high = (text & 0xf0f0f0f0) ^ 0x30303030 ^ (letters * 0x50);
  // A digit is below 10 and a letter is not; and none is above 15.
  const wrong = high | ((((nibbles + 0x06060606) & 0x10101010) ^ (letters << 4)) | (nibbles & 0x10101010));
  if (wrong !== 0) return -1;
  const pairs = (nibbles | (nibbles >>> 4)) & 0x00ff00ff;
  return (pairs | (pairs >>> 8)) & 0xffff;
}
