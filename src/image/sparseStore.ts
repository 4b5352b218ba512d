import { assert } from '../engine/result';
import { type ByteSource } from '../bytes/byteSource';

/** Blocks of only zeros are not stored: a dump of an idle machine is mostly zeros. */
export const BLOCK_BYTES = 64 * 1024;
const WORDS = BLOCK_BYTES / 4;
const ZERO_BLOCK = new Uint8Array(BLOCK_BYTES);

/** Where the blocks that are not all zeros go, in the order they come: slot 0, 1, 2, … */
export interface BlockSink {
  /**
   * Called once for each block, `number` ascending. `block` has BLOCK_BYTES bytes and is reused after the call.
   *
   * @returns False when there is no room: then it is not called again.
   */
  put(number: number, block: Uint8Array): boolean;
}

/** Cuts a stream of bytes into blocks, finds the zeros, and gives the others to a sink. */
export class BlockWriter {
  private readonly block = new Uint8Array(BLOCK_BYTES);
  private readonly words = new Uint32Array(this.block.buffer);
  private filled = 0;
  private number = 0;
  private noRoom = false;

  constructor(private readonly sink: BlockSink) {}

  /** Bytes taken in. */
  get size(): number {
    return this.number * BLOCK_BYTES + this.filled;
  }

  /** True once the sink had no room for a block: that block and what follows are not taken in. */
  get full(): boolean {
    return this.noRoom;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.noRoom;) {
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.filled);
      this.block.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === BLOCK_BYTES) this.flush();
    }
  }

  /**
   * Gives the last, partly filled block to the sink, its rest zeros.
   *
   * @returns Bytes taken in.
   */
  end(): number {
    const size = this.size;
    if (this.filled > 0) {
      this.block.fill(0, this.filled);
      this.flush();
    }
    return this.noRoom ? this.size : size;
  }

  private flush(): void {
    this.filled = 0;
    if (allZero(this.words) || this.sink.put(this.number, this.block)) this.number++;
    else this.noRoom = true;
  }
}

function allZero(words: Uint32Array): boolean {
  for (let i = 0; i < WORDS; i++) {
    if (words[i] !== 0) return false;
  }
  return true;
}

/** Blocks in memory, one buffer each, up to a limit of bytes. */
export class MemoryBlocks implements BlockSink {
  readonly blocks = new Map<number, Uint8Array>();

  constructor(private readonly limit: number) {}

  put(number: number, block: Uint8Array): boolean {
    if ((this.blocks.size + 1) * BLOCK_BYTES > this.limit) return false;
    this.blocks.set(number, block.slice());
    return true;
  }
}

/** A source made of blocks in memory; absent blocks read as zeros. */
export class SparseStore implements ByteSource {
  constructor(
    readonly name: string,
    readonly size: number,
    private readonly blocks: ReadonlyMap<number, Uint8Array>,
  ) {}

  read(offset: number, target: Uint8Array): number {
    return readBlocks(this.size, offset, target, (number, inBlock, part) => {
      part.set((this.blocks.get(number) ?? ZERO_BLOCK).subarray(inBlock, inBlock + part.length));
      return true;
    });
  }

  words(offset: number, count: number): Uint32Array | undefined {
    const inBlock = offset % BLOCK_BYTES;
    if (inBlock % 4 !== 0 || inBlock + 4 * count > BLOCK_BYTES || offset + 4 * count > this.size)
      return undefined;
    const block = this.blocks.get((offset - inBlock) / BLOCK_BYTES) ?? ZERO_BLOCK;
    return new Uint32Array(block.buffer, block.byteOffset + inBlock, count);
  }

  close(): void {
    // The garbage collector frees the blocks.
  }
}

/**
 * Reads over block borders.
 *
 * @param readBlock Fills `part` from byte `inBlock` of a block on; false when it cannot be read.
 * @returns Bytes read.
 */
export function readBlocks(
  size: number,
  offset: number,
  target: Uint8Array,
  readBlock: (number: number, inBlock: number, part: Uint8Array) => boolean,
): number {
  assert(offset >= 0, 'read before the start of the source');
  const wanted = Math.max(0, Math.min(target.length, size - offset));
  let done = 0;
  while (done < wanted) {
    const inBlock = (offset + done) % BLOCK_BYTES;
    const part = target.subarray(done, Math.min(wanted, done + BLOCK_BYTES - inBlock));
    if (!readBlock((offset + done - inBlock) / BLOCK_BYTES, inBlock, part)) break;
    done += part.length;
  }
  return done;
}
