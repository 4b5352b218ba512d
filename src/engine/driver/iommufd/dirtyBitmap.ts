import { FRAME_BYTES } from '../../values';

/**
 * How a careless writer of the bitmap loses bits, for reproducing real bugs. window-drop: bits of a leaf past the end of a
 * window are dropped (Linux 2780025e01e2). window-overrun: they are written past the pinned pages (a4ab7dedaee0). set-ahead:
 * one further window gets its part of the leaf, later ones do not (53e6b65693b6). word-pointer: the address of the bitmap is
 * taken as that of 64-bit words (d18411ec3057). page-offset: pages are pinned as if the bitmap began at the start of one.
 */
export type BitmapFault = 'window-drop' | 'window-overrun' | 'set-ahead' | 'word-pointer' | 'page-offset';

export interface BitmapCarelessness {
  readonly fault: BitmapFault;
  /** Bytes of bitmap in a window; by default the 512 pages that the older writers pinned at a time. */
  readonly windowBytes?: number;
}

/** Where a user's bitmap is: `offset` bytes into `bytes`, whose first byte lies at the start of a page. */
export interface BitmapPlace {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** A user's bitmap of dirty pages. Bits are only ever set. */
export class DirtyBitmap {
  readonly #bytes: Uint8Array;
  readonly #offset: number;
  /** Bytes from `offset` on that are written; further ones are lost. */
  readonly #reach: number;
  readonly #startPage: number;
  readonly #pagesPerBit: number;
  readonly #bits: number;
  readonly #windowBits: number;
  readonly #fault: BitmapFault | undefined;
  /** Bits that a careless writer put outside of the bitmap. */
  overruns = 0;

  /**
   * Bit n mod 8 of byte n / 8 stands for `pagesPerBit` pages of 4 KiB (a part of one: below 1) from `startPage` + n *
   * `pagesPerBit` on. The user gave room for `bits`.
   */
  constructor(
    { bytes, offset }: BitmapPlace,
    startPage: number,
    pagesPerBit: number,
    bits: number,
    careless?: BitmapCarelessness,
  ) {
    this.#bytes = bytes;
    this.#fault = careless?.fault;
    this.#offset = this.#fault === 'word-pointer' ? offset - (offset % 8) : offset;
    const pinned = Math.ceil(bits / 8 / FRAME_BYTES) * FRAME_BYTES;
    this.#reach = this.#fault === 'page-offset' ? pinned - (offset % FRAME_BYTES) : Infinity;
    this.#startPage = startPage;
    this.#pagesPerBit = pagesPerBit;
    this.#bits = bits;
    this.#windowBits = 8 * (careless?.windowBytes ?? 512 * FRAME_BYTES);
  }

  /** Half-open range of dirty pages; what lies outside of the bitmap does not count. */
  set(startPage: number, endPage: number): void {
    const first = Math.max(0, Math.floor((startPage - this.#startPage) / this.#pagesPerBit));
    const last = Math.ceil((endPage - this.#startPage) / this.#pagesPerBit) - 1;
    this.#fill(first, Math.min(this.#bits - 1, last, this.#lastInReach(first, last)));
  }

  /** The last bit that a careless writer gets right for a leaf. */
  #lastInReach(first: number, last: number): number {
    const end = (Math.floor(first / this.#windowBits) + 1) * this.#windowBits;
    if (last < end) return last;
    if (this.#fault === 'window-overrun') this.overruns += last - end + 1;
    if (this.#fault === 'window-drop' || this.#fault === 'window-overrun') return end - 1;
    return this.#fault === 'set-ahead' ? end + this.#windowBits - 1 : last;
  }

  #fill(first: number, last: number): void {
    const bytes = this.#bytes;
    for (let bit = first; bit <= last;) {
      const byte = Math.floor(bit / 8);
      const whole = bit % 8 === 0 && bit + 7 <= last;
      const mask = whole ? 0xff : 1 << (bit % 8);
      if (byte < this.#reach) bytes[this.#offset + byte] = (bytes[this.#offset + byte] ?? 0) | mask;
      bit += whole ? 8 : 1;
    }
  }
}
