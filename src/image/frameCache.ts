import { FRAME_BYTES, FRAME_WORDS, type FrameNumber } from '../engine/values';
import { BlockIndex } from './blockIndex';

/** Frames of a block: neighbours that one read of the file brings in. Page tables often stand next to each other. */
const BLOCK_FRAMES = 4;
const BLOCK_BYTES = BLOCK_FRAMES * FRAME_BYTES;
/** Blocks that share one buffer: few large buffers are found faster than many small ones, by V8 and by the processor. */
const SLAB_BLOCKS = 64;
/** A frame handed out stays unchanged until 64 others were read. */
const LEAST_BLOCKS = 64;
/** Blocks that one of so many last reads used are passed over when one has to go: it is near enough to the oldest. */
const KEPT_READS = 1024;

/** Reads bytes from a physical address on; returns how many are held without a gap. */
export type ReadPhysical = (start: number, target: Uint8Array) => number;

/** Copies of frames, those not used lately thrown out first; memory is taken as it is needed and never beyond the bound. */
export class FrameCache {
  private readonly capacity: number;
  private readonly keptReads: number;
  private index = new BlockIndex();
  private slabs: ArrayBuffer[] = [];
  private used = 0;
  /** BLOCK_FRAMES views a slot; undefined where the frame is not held as a whole. */
  private frames: (Uint32Array | undefined)[] = [];
  /** By slot: the block it holds, and the read that used it last. */
  private readonly numbers: Float64Array;
  private readonly lastReads: Float64Array;
  private reads = 0;
  private evictions = 0;
  private hand = 0;

  constructor(
    bytes: number,
    private readonly read: ReadPhysical,
  ) {
    this.capacity = Math.max(LEAST_BLOCKS, Math.floor(bytes / BLOCK_BYTES));
    this.keptReads = Math.max(LEAST_BLOCKS - 1, Math.min(KEPT_READS, this.capacity / 2));
    this.numbers = new Float64Array(this.capacity);
    this.lastReads = new Float64Array(this.capacity);
  }

  /** Blocks thrown out so far: their arrays hold others now. */
  get generation(): number {
    return this.evictions;
  }

  frame(frame: FrameNumber): Uint32Array | undefined {
    const number = Math.floor(frame / BLOCK_FRAMES);
    let slot = this.index.get(number);
    if (slot < 0) slot = this.load(number);
    this.lastReads[slot] = ++this.reads;
    return this.frames[slot * BLOCK_FRAMES + (frame & (BLOCK_FRAMES - 1))];
  }

  clear(): void {
    this.index = new BlockIndex();
    this.slabs = [];
    this.used = 0;

    this.frames = [];
    this.hand = 0;
  }

  private load(number: number): number {
    const slot = this.used < this.capacity ? this.used++ : this.free();
    const slab = (this.slabs[Math.floor(slot / SLAB_BLOCKS)] ??= new ArrayBuffer(SLAB_BLOCKS * BLOCK_BYTES));
    const start = (slot % SLAB_BLOCKS) * BLOCK_BYTES;
    const whole = this.fill(new Uint8Array(slab, start, BLOCK_BYTES), number);
    for (let i = 0; i < BLOCK_FRAMES; i++) {
      const held = ((whole >> i) & 1) === 1;
      this.frames[slot * BLOCK_FRAMES + i] = held
        ? new Uint32Array(slab, start + i * FRAME_BYTES, FRAME_WORDS)
        : undefined;
    }
    this.numbers[slot] = number;
    this.index.add(number, slot);
    return slot;
  }

  /** Frees the next slot that was not used lately: there always is one, since each read uses one. */
  private free(): number {
    while (this.reads - (this.lastReads[this.hand] ?? 0) < this.keptReads) this.advance();
    const slot = this.hand;
    this.evictions++;

    this.index.remove(this.numbers[slot] ?? 0);
    this.advance();
    return slot;
  }

  private advance(): void {
    this.hand = (this.hand + 1) % this.capacity;
  }

  /** Reads a block. Bit i of the result: frame i is held as a whole. */
  private fill(bytes: Uint8Array, number: number): number {
    const start = number * BLOCK_BYTES;
    if (this.read(start, bytes) === BLOCK_BYTES) return (1 << BLOCK_FRAMES) - 1;
    // A gap inside the block: each frame by itself.
    let whole = 0;
    for (let i = 0; i < BLOCK_FRAMES; i++) {
      const target = bytes.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
      if (this.read(start + i * FRAME_BYTES, target) === FRAME_BYTES) whole |= 1 << i;
    }
    return whole;
  }
}
