import { type LiveMappings, type MappingSnapshot } from './liveMappings';
import { BLOCK_BYTES, type MappingBlock } from './mappingBlocks';

/** Bytes of snapshots: what is the same in neighbours counts once. */
const BUDGET = 64 * 2 ** 20;

/** Of a list, for each block. */
const LIST_BYTES = 16;

export interface Checkpoint {
  /** The first row that is not done yet. */
  readonly row: number;
  /** By space. */
  readonly spaces: readonly MappingSnapshot[];
}

/** Snapshots of all spaces at rising rows, as many as fit the budget: beyond it every other one is given up. */
export class Checkpoints {
  readonly #points: Checkpoint[] = [];
  readonly #budget: number;
  #interval: number;
  /** Blocks and lists added since the budget was last counted. */
  #growth = 0;
  #last: ReadonlySet<MappingBlock> = new Set();

  /** `interval`: rows between two snapshots, to begin with. */
  constructor(interval: number, budget = BUDGET) {
    this.#interval = interval;
    this.#budget = budget;
  }

  get all(): readonly Checkpoint[] {
    return this.#points;
  }

  /** True when a snapshot is due before this row is done. */
  due(row: number): boolean {
    const last = this.#points.at(-1);
    return !last || row - last.row >= this.#interval;
  }

  /** Takes a snapshot; rows rise from call to call. */
  add(row: number, live: readonly LiveMappings[]): void {
    const spaces = live.map((each) => each.snapshot());
    this.#points.push({ row, spaces });
    const blocks = new Set(spaces.flatMap(({ list }) => list.blocks));
    for (const block of blocks) if (!this.#last.has(block)) this.#growth += BLOCK_BYTES;
    this.#growth += blocks.size * LIST_BYTES;
    this.#last = blocks;
    while (this.#growth > this.#budget && this.#points.length > 2) this.#thin();
  }

  /** The last snapshot at or before a row. */
  before(row: number): Checkpoint | undefined {
    return this.#points[this.indexBefore(row)];
  }

  /** Its index; -1 when there is none. */
  indexBefore(row: number): number {
    let [low, high] = [0, this.#points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#points[middle]?.row ?? Infinity) <= row) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #thin(): void {
    const kept = this.#points.filter((_, index) => index % 2 === 0);
    this.#points.splice(0, this.#points.length, ...kept);
    this.#interval *= 2;
    const blocks = new Set<MappingBlock>();
    let lists = 0;
    for (const { spaces } of this.#points) {
      for (const each of spaces) {
        lists += each.list.blocks.length * LIST_BYTES;
        for (const block of each.list.blocks) blocks.add(block);
      }
    }
    this.#growth = blocks.size * BLOCK_BYTES + lists;
  }
}
