import { FRAME_BYTES, FRAME_WORDS, type FrameNumber } from '../engine/values';

/** Frames of a block: neighbours that one read of the file brings in. Page tables often stand next to each other. */
const BLOCK_FRAMES = 4;
const BLOCK_BYTES = BLOCK_FRAMES * FRAME_BYTES;
/** A frame handed out stays unchanged until 64 others were read: so many blocks are kept at least. */
const LEAST_BLOCKS = 64;

interface Block {
  readonly bytes: Uint8Array;
  readonly frames: readonly Uint32Array[];
  /** Bit i: frame i is held as a whole. */
  whole: number;
}

/** Reads bytes from a physical address on; returns how many are held without a gap. */
export type ReadPhysical = (start: number, target: Uint8Array) => number;

/** Copies of frames, least recently used thrown out first; memory is taken as it is needed and never beyond the bound. */
export class FrameCache {
  /** By block number, least recently used first (a Map keeps the order of insertion). */
  private readonly blocks = new Map<number, Block>();
  private readonly capacity: number;

  constructor(
    bytes: number,
    private readonly read: ReadPhysical,
  ) {
    this.capacity = Math.max(LEAST_BLOCKS, Math.floor(bytes / BLOCK_BYTES));
  }

  frame(frame: FrameNumber): Uint32Array | undefined {
    const number = Math.floor(frame / BLOCK_FRAMES);
    const inBlock = frame % BLOCK_FRAMES;
    let block = this.blocks.get(number);
    if (block) {
      this.blocks.delete(number);
    } else {
      block = this.free();
      this.fill(block, number);
    }
    this.blocks.set(number, block);
    return (block.whole >> inBlock) & 1 ? block.frames[inBlock] : undefined;
  }

  clear(): void {
    this.blocks.clear();
  }

  private free(): Block {
    if (this.blocks.size >= this.capacity) {
      for (const [number, block] of this.blocks) {
        this.blocks.delete(number);
        return block;
      }
    }
    const bytes = new Uint8Array(BLOCK_BYTES);
    const frames = Array.from(
      { length: BLOCK_FRAMES },
      (_, i) => new Uint32Array(bytes.buffer, i * FRAME_BYTES, FRAME_WORDS),
    );
    return { bytes, frames, whole: 0 };
  }

  private fill(block: Block, number: number): void {
    const start = number * BLOCK_BYTES;
    block.whole = 0;
    const got = this.read(start, block.bytes);
    if (got === BLOCK_BYTES) {
      block.whole = (1 << BLOCK_FRAMES) - 1;
      return;
    }
    // A gap inside the block: each frame by itself.
    for (let i = 0; i < BLOCK_FRAMES; i++) {
      const target = block.bytes.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
      if (this.read(start + i * FRAME_BYTES, target) === FRAME_BYTES) block.whole |= 1 << i;
    }
  }
}
