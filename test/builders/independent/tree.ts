import { type Frames } from './frames';

/** Bytes that one entry of a level covers in a tree of 512 entries a table; level 1 is leaf-most. */
export const spanOf = (level: number): bigint => 1n << BigInt(12 + 9 * (level - 1));

/** Index of an input address in a table of a level. */
export const indexAt = (iova: bigint, level: number): number =>
  Number((BigInt.asUintN(64, iova) / spanOf(level)) & 0x1ffn);

export interface Slot {
  readonly frame: number;
  readonly index: number;
}

/** A page-table tree of 9 bits a level. `pointer` makes the entry of `level` that points to a child table. */
export class Tree {
  readonly root: number;

  constructor(
    private readonly frames: Frames,
    readonly levels: number,
    private readonly pointer: (frame: number, level: number) => bigint,
    private readonly newTable: () => number = () => frames.add(),
  ) {
    this.root = newTable();
  }

  /** The slot of `level` that decides about `iova`; missing tables on the way are made. */
  slot(iova: bigint, level: number): Slot {
    return { frame: this.table(iova, level), index: indexAt(iova, level) };
  }

  /** The table of `level` on the way of `iova`; made with its parents where missing. */
  table(iova: bigint, level: number): number {
    if (level > this.levels) throw new Error(`no level ${level}`);
    if (level === this.levels) return this.root;
    const { frame, index } = this.slot(iova, level + 1);
    const known = this.children.get(frame * 512 + index);
    if (known !== undefined) return known;
    const child = this.newTable();
    this.children.set(frame * 512 + index, child);
    this.frames.set(frame, index, this.pointer(child, level + 1));
    return child;
  }

  /** Fills an empty entry. Two cases that want the same entry are a mistake of the builder. */
  set(iova: bigint, level: number, word: bigint): void {
    const { frame, index } = this.slot(iova, level);
    if (this.frames.get(frame, index) !== 0n) {
      throw new Error(`the entry of level ${level} for 0x${iova.toString(16)} is taken`);
    }
    this.frames.set(frame, index, word);
  }

  /** Changes an entry that is there. */
  change(iova: bigint, level: number, change: (word: bigint) => bigint): void {
    const { frame, index } = this.slot(iova, level);
    this.frames.set(frame, index, change(this.frames.get(frame, index)));
  }

  private readonly children = new Map<number, number>();
}
