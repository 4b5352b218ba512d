import { type ByteSource } from '../../../bytes/byteSource';
import { exact64 } from '../elfHeader';

const DESCRIPTOR_BYTES = 24;
/** Descriptors read in one piece: neighbours are mostly asked for one after the other. */
const BLOCK = 170;
const BLOCK_BYTES = BLOCK * DESCRIPTOR_BYTES;
/** Blocks kept, by the low bits of their number: 1 MiB in all. A power of two. */
const SLOTS = 256;

/** Where the bytes of a page stand (`page_desc`). */
export interface PageDescriptor {
  /** File offset; Infinity where the file gives a number of more than 53 bits. */
  readonly offset: number;
  readonly size: number;
  readonly flags: number;
}

/** The table of page descriptors, one for each page in the dump by ascending page, read by ranges as it is needed. */
export class DescriptorTable {
  private readonly cached = new Uint8Array(SLOTS * BLOCK_BYTES);
  private readonly view = new DataView(this.cached.buffer);
  /** By slot: number of the block it holds, -1 for none, and the bytes of it that the file has. */
  private readonly numbers = new Float64Array(SLOTS).fill(-1);
  private readonly filled = new Uint32Array(SLOTS);

  constructor(
    private readonly source: ByteSource,
    private readonly start: number,
  ) {}

  /** The descriptor of the `index`th page in the dump; undefined where the file has none. */
  at(index: number): PageDescriptor | undefined {
    const number = Math.floor(index / BLOCK);
    const slot = number & (SLOTS - 1);
    if (this.numbers[slot] !== number) this.load(number, slot);
    const inBlock = (index % BLOCK) * DESCRIPTOR_BYTES;
    if (inBlock + DESCRIPTOR_BYTES > (this.filled[slot] ?? 0)) return undefined;
    const at = slot * BLOCK_BYTES + inBlock;
    return {
      offset: exact64(this.view, at),
      size: this.view.getUint32(at + 8, true),
      flags: this.view.getUint32(at + 12, true),
    };
  }

  private load(number: number, slot: number): void {
    const offset = this.start + number * BLOCK_BYTES;
    const bytes = this.cached.subarray(slot * BLOCK_BYTES, (slot + 1) * BLOCK_BYTES);
    this.filled[slot] = offset < this.source.size ? this.source.read(offset, bytes) : 0;
    this.numbers[slot] = number;
  }
}
