/** Words of 64 bits in a frame of 4 KiB. */
const WORDS = 512;

/** The bit `n` of a 64-bit word. */
export const bit = (n: number): bigint => 1n << BigInt(n);

/** `value` placed at bit `low` of a 64-bit word. */
export const field = (low: number, value: bigint | number): bigint => BigInt(value) << BigInt(low);

/** Physical byte address of a frame. */
export const addressOf = (frame: number): bigint => BigInt(frame) << 12n;

/** Memory written word by word; frames are scattered on both sides of 4 GiB, so that no table lies beside its parent. */
export class Frames {
  readonly map = new Map<number, BigUint64Array>();
  private made = 0;

  /** A new frame of zeros. */
  add(): number {
    const count = this.made++;
    const frame = (count % 2 === 0 ? 0x2_4680 : 0x135_7900) + count * 7;
    this.addAt(frame);
    return frame;
  }

  /** `count` frames of zeros that follow each other; the number of the first. */
  addRun(count: number): number {
    const first = 0x7_0000 + 0x100 * this.made++;
    for (let index = 0; index < count; index++) this.addAt(first + index);
    return first;
  }

  addAt(frame: number): void {
    if (this.map.has(frame)) throw new Error(`frame 0x${frame.toString(16)} is already there`);
    this.map.set(frame, new BigUint64Array(WORDS));
  }

  /** A frame number that no frame of this image has. */
  absent(): number {
    return 0x40_3330 + 0x10 * this.made++;
  }

  get(frame: number, index: number): bigint {
    return this.words(frame)[index] ?? 0n;
  }

  set(frame: number, index: number, word: bigint): void {
    if (index < 0 || index >= WORDS) throw new Error(`no word ${index} in a frame`);
    this.words(frame)[index] = word;
  }

  private words(frame: number): BigUint64Array {
    const words = this.map.get(frame);
    if (words === undefined) throw new Error(`no frame 0x${frame.toString(16)}`);
    return words;
  }
}
