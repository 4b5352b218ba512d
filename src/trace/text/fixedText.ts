/**
 * Reading text by words, big-endian: for lines whose letters stand where they are expected. Eight letters are compared as one float:
 * those of printable letters are neither NaN nor zero, and so equal exactly when all bits are.
 */
const scratch = new DataView(new ArrayBuffer(8));

/** Eight printable letters as DataView.getFloat64 gives them. */
export function eight(text: string): number {
  for (let at = 0; at < 8; at++) scratch.setUint8(at, text.charCodeAt(at));
  return scratch.getFloat64(0);
}

/** Four letters as DataView.getInt32 gives them. */
export const four = (text: string): number => (two(text) << 16) | two(text.slice(2));

/** Two letters as DataView.getUint16 gives them. */
export const two = (text: string): number => (text.charCodeAt(0) << 8) | text.charCodeAt(1);

/** The value of two hexadecimal digits, small letters only, by the digits as a number; negative for all else. */
const PAIRS = new Int16Array(65_536).fill(-1);
for (let value = 0; value < 256; value++) PAIRS[two(value.toString(16).padStart(2, '0'))] = value;

/** The value of four hexadecimal digits, small letters only; negative when there are others. */
export const hex4 = (view: DataView, at: number): number =>
  ((PAIRS[view.getUint16(at)] ?? -1) << 8) | (PAIRS[view.getUint16(at + 2)] ?? -1);

const ZEROS = eight('00000000');

/** The value of eight hexadecimal digits; negative when there are others. Mostly the upper half of an address, which is 0. */
export function hex8(view: DataView, at: number): number {
  if (view.getFloat64(at) === ZEROS) return 0;
  const high = hex4(view, at);
  const low = hex4(view, at + 4);
  return (high | low) < 0 ? -1 : high * 65_536 + low;
}
