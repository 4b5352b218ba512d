import { type Expectation } from '../built';
import { type Asker, fault, mapped, type Perm } from './cases';
import { bit, type Frames } from './frames';
import { spanOf, type Tree } from './tree';

/** One kind of entry of one level, and its reserved bits. */
export interface Shape {
  readonly name: string;
  readonly level: number;
  readonly leaf: boolean;
  readonly reserved: readonly number[];
}

/** Numbers from `low` to `high`, both included. */
export const bits = (low: number, high: number): number[] =>
  Array.from({ length: high - low + 1 }, (_, index) => low + index);

/** What the matrix needs to know of a format. */
export interface Entries {
  /** A read-write leaf of a level at a physical address. */
  readonly leaf: (paddr: bigint, level: number) => bigint;
  /** An entry of a level that points to a table. */
  readonly pointer: (frame: number, level: number) => bigint;
}

/**
 * For each shape and each of its reserved bits one input address whose walk meets an entry with exactly that bit set, and
 * beside it the same entry without the bit, which translates. Uses 60 root slots of `tree` from BRANCH on.
 */
export function reservedBitCases(
  frames: Frames,
  tree: Tree,
  entries: Entries,
  shapes: readonly Shape[],
  who: Asker,
  section: string,
): Expectation[] {
  const below = new Map<number, number>();
  const nextSlot = new Map<number, number>();
  const lower = (level: number): number => {
    const known = below.get(level);
    if (known !== undefined) return known;
    const frame = frames.add();
    below.set(level, frame);
    frames.set(frame, 0, level === 1 ? entries.leaf(SHARED, 1) : entries.pointer(lower(level - 1), level));
    return frame;
  };
  const take = (level: number): bigint => {
    const slot = nextSlot.get(level) ?? 1;
    if (slot > 60) throw new Error(`level ${level} has no slot left`);
    nextSlot.set(level, slot + 1);
    return BigInt(BRANCH) * spanOf(tree.levels) + BigInt(slot) * spanOf(level);
  };
  return shapes.flatMap((shape) => {
    const { level, leaf } = shape;
    const paddr = leaf ? 5n * spanOf(level) : SHARED;
    const good = leaf ? entries.leaf(paddr, level) : entries.pointer(lower(level - 1), level);
    const clean = take(level);
    tree.set(clean, level, good);
    const size = leaf ? spanOf(level) : 4096n;
    const page = { iova: clean, paddr, size, perm: 'RW' as Perm, level: leaf ? level : 1 };
    const why = `${shape.name} of level ${level}`;
    const flipped = shape.reserved.map((flip) => {
      const iova = take(level);
      tree.set(iova, level, good ^ bit(flip));
      return fault(who, iova, 'read', 'entry-reserved', `${why}: bit ${flip} is reserved, ${section}`, {
        level,
      });
    });
    return [...mapped(who, page, `${why} without reserved bits, ${section}`), ...flipped];
  });
}

/** Root slot below which the entries of lower levels are; those of the root itself follow it. */
const BRANCH = 139;

/** The page that every pointer of the matrix leads to. */
const SHARED = 0x1_5432_1000n;
