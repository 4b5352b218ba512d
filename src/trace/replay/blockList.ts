import { type MappingBlock } from './mappingBlocks';

/** Blocks in the order of their pages, and where each ends, so that a page is found without looking into blocks. */
export class BlockList {
  readonly blocks: MappingBlock[] = [];
  #ends = new Float64Array(8);

  /** The page behind the last; 0 without blocks. */
  get end(): number {
    return this.blocks.length === 0 ? 0 : (this.#ends[this.blocks.length - 1] ?? 0);
  }

  /** The first block whose last mapping ends behind this page; the number of blocks when none does. */
  find(page: number): number {
    const ends = this.#ends;
    let [low, high] = [0, this.blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] ?? 0) > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** To be told when the last mapping of a block ends elsewhere than before. */
  changed(at: number): void {
    const block = this.blocks[at];
    // One that is empty is about to be filled.
    if (block) this.#ends[at] = block.count === 0 ? 0 : block.end(block.count - 1);
  }

  insert(at: number, block: MappingBlock): void {
    const { length } = this.blocks;
    if (length === this.#ends.length) {
      const longer = new Float64Array(2 * length);
      longer.set(this.#ends);
      this.#ends = longer;
    }
    this.#ends.copyWithin(at + 1, at, length);
    this.blocks.splice(at, 0, block);
    this.changed(at);
  }

  remove(at: number): void {
    this.#ends.copyWithin(at, at + 1, this.blocks.length);
    this.blocks.splice(at, 1);
  }

  copy(): BlockList {
    const made = new BlockList();
    made.#ends = this.#ends.slice();
    // Not by spreading into a call: there may be more blocks than arguments.
    for (const block of this.blocks) made.blocks.push(block);
    return made;
  }
}
