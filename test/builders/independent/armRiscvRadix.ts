import { type Space } from './armRiscvMemory';

/** One level of a tree: the input bits `shift` to `shift + bits - 1` index its tables. */
export interface RadixLevel {
  /** As the specification numbers it. */
  readonly level: number;
  readonly shift: number;
  readonly bits: number;
}

export interface RadixShape {
  /** Root first. */
  readonly levels: readonly RadixLevel[];
  /** The entry that points to a table. */
  readonly pointer: (address: bigint) => bigint;
  /** Alignment of the tables below the root, in bytes. */
  readonly tableAlignment: bigint;
}

/** A tree of tables of 64-bit entries, in any space. Tables come into being as entries are set. */
export class RadixTree {
  readonly root: bigint;

  constructor(
    private readonly space: Space,
    readonly shape: RadixShape,
    root?: bigint,
  ) {
    const size = tableSize(this.at(0));
    this.root = root ?? space.allocate(size, size > 4096n ? size : 4096n);
  }

  /** Bytes that an entry of a level maps. */
  span(level: number): bigint {
    return 1n << BigInt(this.at(this.depth(level)).shift);
  }

  /** Address of the entry for an input address at a level; makes the tables above it. */
  slot(input: bigint, level: number): bigint {
    const last = this.depth(level);
    let table = this.root;
    for (let depth = 0; depth < last; depth++) {
      const slot = table + indexAt(input, this.at(depth)) * 8n;
      table = this.child(slot, depth);
    }
    return table + indexAt(input, this.at(last)) * 8n;
  }

  set(input: bigint, level: number, entry: bigint): void {
    this.space.write(this.slot(input, level), entry);
  }

  /** Sets more bits of an entry that is there, for example of a pointer. */
  add(input: bigint, level: number, more: bigint): void {
    const slot = this.slot(input, level);
    this.space.write(slot, this.space.read(slot) | more);
  }

  private readonly children = new Map<bigint, bigint>();

  private child(slot: bigint, depth: number): bigint {
    const known = this.children.get(slot);
    if (known !== undefined) return known;
    const size = tableSize(this.at(depth + 1));
    const alignment = this.shape.tableAlignment;
    const table = this.space.allocate(size, alignment);
    this.space.write(slot, this.shape.pointer(table));
    this.children.set(slot, table);
    return table;
  }

  private depth(level: number): number {
    const depth = this.shape.levels.findIndex((candidate) => candidate.level === level);
    if (depth < 0) throw new Error(`no level ${level}`);
    return depth;
  }

  private at(depth: number): RadixLevel {
    const level = this.shape.levels[depth];
    if (!level) throw new Error(`no depth ${depth}`);
    return level;
  }
}

const tableSize = (level: RadixLevel): bigint => 8n << BigInt(level.bits);

const indexAt = (input: bigint, level: RadixLevel): bigint =>
  (input >> BigInt(level.shift)) & ((1n << BigInt(level.bits)) - 1n);
