/** Stage 1 tables of every granule and start level, both halves, blocks and runs. DDI 0487 D8.2.8 to D8.2.10, D8.7.1. */
import { type Build, type Mapped } from './armRiscvCases';
import { type RadixTree } from './armRiscvRadix';
import { armTree, type Granule, GRANULES, s1Leaf, setRun } from './armTables';
import { IDR3_HAD, IDR3_STT, SmmuImage } from './smmuImage';

/** T0SZ and the initial lookup level that tables D8-18, D8-28 and D8-37 give for it. */
const START_LEVELS: Readonly<Record<Granule, readonly (readonly [number, number])[]>> = {
  '4K': [
    [16, 0],
    [20, 0],
    [24, 0],
    [25, 1],
    [30, 1],
    [33, 1],
    [34, 2],
    [39, 2],
  ],
  '16K': [
    [16, 0],
    [17, 1],
    [24, 1],
    [27, 1],
    [28, 2],
    [38, 2],
    [39, 3],
  ],
  '64K': [
    [16, 1],
    [21, 1],
    [22, 2],
    [34, 2],
    [35, 3],
    [39, 3],
  ],
};

/** With small translation tables (IDR3.STT). */
const SMALL_START_LEVELS: Readonly<Record<Granule, readonly (readonly [number, number])[]>> = {
  '4K': [
    [40, 2],
    [42, 2],
    [43, 3],
    [48, 3],
  ],
  '16K': [
    [40, 3],
    [48, 3],
  ],
  '64K': [
    [40, 3],
    [47, 3],
  ],
};

/** Levels that hold leaves without 52-bit addresses; runs of the Contiguous bit there (table D8-104). */
const LEAF_LEVELS: Readonly<Record<Granule, readonly (readonly [number, number])[]>> = {
  '4K': [
    [3, 16],
    [2, 16],
    [1, 16],
  ],
  '16K': [
    [3, 128],
    [2, 32],
  ],
  '64K': [
    [3, 32],
    [2, 32],
  ],
};

/** An output address of up to 47 bits, a multiple of `span`, with every bit pattern different. */
const output = (span: bigint, seed: number): bigint =>
  (0x6b5a_9678_1234_5000n ^ (BigInt(seed) * 0x11_3577_1000n)) & 0x7fff_ffff_ffffn & ~(span - 1n);

const section = (granule: Granule): string =>
  ({ '4K': 'D8.2.8', '16K': 'D8.2.9', '64K': 'D8.2.10' })[granule];

/** Maps the first and the last page of the input range and one in between. */
function cover(image: SmmuImage, granule: Granule, t0sz: number, start: number, root?: bigint): void {
  const { cases, memory } = image;
  const inputBits = 64 - t0sz;
  const tree = armTree(memory, { granule, start, inputBits, ...(root === undefined ? {} : { root }) });
  const requester = image.stage1({ ttb0: { tsz: t0sz, tg: GRANULES[granule].tg0, ttb: tree.root } });
  const why = `${granule}, T0SZ=${t0sz}: the walk starts at level ${start} (DDI 0487 ${section(granule)})`;
  const page = tree.span(3);
  const end = 1n << BigInt(inputBits);
  const inputs = new Set([0n, end - page, (end / 3n) & ~(page - 1n)]);
  for (const iova of inputs) {
    const paddr = output(page, t0sz + Number(iova & 0xffffn));
    tree.set(iova, 3, s1Leaf(3, paddr));
    cases.page({ requester }, iova, { paddr, size: page, perm: 'RW', level: 3 }, why);
  }
  if (!inputs.has(page)) {
    const empty = 'Descriptor bit 0 clear (DDI 0487 D8.3)';
    cases.refused({ requester }, page, { fault: 'not-present', level: 3 }, empty);
  }
  if (start < 3) {
    // The top table has entries beside those in use, unless it is a table of two.
    const middle = end / 2n + end / 4n;
    if (tree.shape.levels[0] && tree.shape.levels[0].bits > 2) {
      const why0 = 'Descriptor bit 0 clear in the first table (DDI 0487 D8.3)';
      cases.refused({ requester }, middle, { fault: 'not-present', level: start }, why0);
    }
  }
  const outside = 'The VA is not sign-extended from the size that T0SZ gives: F_TRANSLATION (IHI 0070 3.4)';
  const limits = [end, end | page, 1n << 54n, 1n << 63n, (1n << 56n) | page];
  for (const iova of limits) cases.refused({ requester }, iova, { fault: 'address-width' }, outside);
}

const starts = (granule: Granule): Build => {
  return () => {
    const image = new SmmuImage(`smmuv3 stage 1: start levels, ${granule}`);
    for (const [t0sz, start] of START_LEVELS[granule]) cover(image, granule, t0sz, start);
    return image.build();
  };
};

const smallStarts: Build = () => {
  const image = new SmmuImage('smmuv3 stage 1: small translation tables', { IDR3: IDR3_HAD | IDR3_STT });
  for (const granule of ['4K', '16K', '64K'] as const) {
    for (const [t0sz, start] of SMALL_START_LEVELS[granule]) cover(image, granule, t0sz, start);
  }
  return image.build();
};

/** Roots smaller than a page lie where their own size aligns them (DDI 0487 D8.2.5.2). */
const unalignedRoots: Build = () => {
  const image = new SmmuImage('smmuv3 stage 1: roots inside a page');
  const inPage = (offset: bigint): bigint => image.memory.allocate(0x4000n, 0x4000n) + offset;
  cover(image, '16K', 16, 0, inPage(0x340n));
  cover(image, '16K', 16, 0, inPage(0x1ff0n));
  cover(image, '4K', 24, 0, inPage(0x7c0n));
  cover(image, '4K', 30, 1, inPage(0xc80n));
  cover(image, '64K', 16, 1, inPage(0x2600n));
  cover(image, '64K', 39, 3, inPage(0x3000n));
  return image.build();
};

interface Context {
  readonly image: SmmuImage;
  readonly tree: RadixTree;
  readonly requester: number;
  readonly granule: Granule;
}

function leaves({ image, tree, requester, granule }: Context): void {
  const { cases } = image;
  let index = 0;
  for (const [level, run] of LEAF_LEVELS[granule]) {
    const span = tree.span(level);
    const size = span * BigInt(run);
    // A region of its own for each level, so that no leaf stands in another's way.
    const region = BigInt(4 - level) << 44n;
    const plain = region;
    const paddr = output(span, ++index);
    tree.set(plain, level, s1Leaf(level, paddr));
    const kind = level === 3 ? 'page' : 'block';
    const why = `${granule} ${kind} at level ${level} (DDI 0487 ${section(granule)})`;
    cases.page({ requester }, plain, { paddr, size: span, perm: 'RW', level }, why);

    const start = region + size * 2n;
    const target = output(size, ++index);
    setRun(tree, start, level, run, (offset) => s1Leaf(level, target + offset));
    const mapped: Mapped = { paddr: target, size, perm: 'RW', level };
    const contiguous = `Contiguous bit at level ${level}: ${run} entries of ${granule} (DDI 0487 D8.7.1, table D8-104)`;
    cases.page({ requester }, start, mapped, contiguous);
    for (const entry of [1n, BigInt(run) / 2n, BigInt(run) - 1n]) {
      cases.hit({ requester }, start, 'read', mapped, entry * span, contiguous);
      cases.hit({ requester }, start, 'write', mapped, entry * span + span - 1n, contiguous);
    }
    cases.refused(
      { requester },
      start + size,
      { fault: 'not-present', level },
      'The entry after the run is empty',
    );
  }
}

/** Descriptors that D8.3 calls reserved: 01 at level 3, blocks where the granule has none. */
function reserved({ image, tree, requester, granule }: Context): void {
  const { cases } = image;
  const page = tree.span(3);
  const iova = 0x7000n * page;
  tree.set(iova, 3, s1Leaf(2, output(page, 40)));
  const reservedPage =
    'Descriptor bits 1:0 = 01 at level 3 are reserved: a fault (DDI 0487 D8.3, table D8-48)';
  cases.refused({ requester }, iova, { fault: 'entry-reserved', level: 3 }, reservedPage);
  const first = tree.shape.levels[0]?.level ?? 0;
  const lowest = Math.min(...LEAF_LEVELS[granule].map(([level]) => level));
  for (let level = first; level < lowest; level++) {
    const span = tree.span(level);
    const top = level === first ? 1n << 47n : (5n << 44n) & ~(span - 1n);
    tree.set(top, level, s1Leaf(1, output(span, 41)));
    const why = `No blocks at level ${level} of ${granule} without 52-bit addresses (DDI 0487 ${section(granule)})`;
    cases.refused({ requester }, top, { fault: 'entry-reserved', level }, why);
    cases.refused({ requester }, top + page * 5n, { fault: 'entry-reserved', level }, why);
  }
}

const leavesOf = (granule: Granule): Build => {
  return () => {
    const image = new SmmuImage(`smmuv3 stage 1: leaves and runs, ${granule}`);
    const start = granule === '64K' ? 1 : 0;
    const tree = armTree(image.memory, { granule, start, inputBits: 48 });
    const requester = image.stage1({ ttb0: { tsz: 16, tg: GRANULES[granule].tg0, ttb: tree.root } });
    const context = { image, tree, requester, granule };
    leaves(context);
    reserved(context);
    return image.build();
  };
};

/** TTB1 with its own granule and size, beside TTB0. */
const upperHalf: Build = () => {
  const image = new SmmuImage('smmuv3 stage 1: both halves');
  const { cases, memory } = image;
  const variants: readonly (readonly [Granule, number, number, Granule, number, number])[] = [
    ['4K', 25, 1, '4K', 25, 1],
    ['4K', 16, 0, '16K', 17, 1],
    ['64K', 22, 2, '4K', 34, 2],
    ['16K', 28, 2, '64K', 16, 1],
  ];
  for (const [granule0, t0sz, start0, granule1, t1sz, start1] of variants) {
    const low = armTree(memory, { granule: granule0, start: start0, inputBits: 64 - t0sz });
    const high = armTree(memory, { granule: granule1, start: start1, inputBits: 64 - t1sz });
    const requester = image.stage1({
      ttb0: { tsz: t0sz, tg: GRANULES[granule0].tg0, ttb: low.root },
      ttb1: { tsz: t1sz, tg: GRANULES[granule1].tg1, ttb: high.root },
    });
    const page0 = low.span(3);
    const page1 = high.span(3);
    const end0 = 1n << BigInt(64 - t0sz);
    const start = (1n << 64n) - (1n << BigInt(64 - t1sz));
    const lowWhy = `VA[55]=0 selects TTB0, ${granule0}, T0SZ=${t0sz} (IHI 0070 3.4.1)`;
    const highWhy = `VA[55]=1 selects TTB1, TG1 ${granule1}, T1SZ=${t1sz} (IHI 0070 3.4.1, 5.4 TG1)`;
    for (const [index, iova] of [0n, end0 - page0].entries()) {
      const paddr = output(page0, 50 + index);
      low.set(iova, 3, s1Leaf(3, paddr));
      cases.page({ requester }, iova, { paddr, size: page0, perm: 'RW', level: 3 }, lowWhy);
    }
    for (const [index, iova] of [start, (1n << 64n) - page1].entries()) {
      const paddr = output(page1, 60 + index);
      high.set(iova - start, 3, s1Leaf(3, paddr));
      cases.page({ requester }, iova, { paddr, size: page1, perm: 'RW', level: 3 }, highWhy);
    }
    const empty = { fault: 'not-present', level: 3 };
    cases.refused({ requester }, start + page1, empty, 'Descriptor bit 0 clear, TTB1 (DDI 0487 D8.3)');
    const between = 'The VA is in neither half: F_TRANSLATION (IHI 0070 3.4, 3.4.1)';
    for (const iova of [end0, start - page1, 1n << 55n, (1n << 55n) - page0, 0x8000_0000_0000_0000n]) {
      cases.refused({ requester }, iova, { fault: 'address-width' }, between);
    }
  }
  return image.build();
};

/** CD.TBI0: VA[63:56] do not count. */
const topByte: Build = () => {
  const image = new SmmuImage('smmuv3 stage 1: top byte ignored');
  const { cases, memory } = image;
  const tree = armTree(memory, { granule: '4K', start: 1, inputBits: 39 });
  tree.set(0x1_2345_6000n, 3, s1Leaf(3, 0x44_5566_7000n));
  const ttb0 = { tsz: 25, tg: 0n, ttb: tree.root };
  const mapped: Mapped = { paddr: 0x44_5566_7000n, size: 0x1000n, perm: 'RW', level: 3 };
  const tagged = 0xab00_0001_2345_6000n;
  const tbi = image.stage1({ ttb0, tbi0: true });
  const why = 'CD.TBI0=1: VA[63:56] are ignored (IHI 0070 3.4.1, 5.4 TBI0)';
  cases.page({ requester: tbi }, tagged, mapped, why);
  cases.page({ requester: tbi }, 0x1_2345_6000n, mapped, why);
  const still = 'TBI0=1: VA[55:38] must still be equal (IHI 0070 3.4.1)';
  cases.refused({ requester: tbi }, tagged | (1n << 54n), { fault: 'address-width' }, still);
  const ttb1 = { tsz: 25, tg: 2n, ttb: tree.root };
  const upper = image.stage1({ ttb0, ttb1, tbi1: true });
  const upperWhy = 'CD.TBI1=1: VA[63:56] are ignored when VA[55]=1 (IHI 0070 3.4.1, 5.4 TBI1)';
  cases.page({ requester: upper }, 0x5aff_ff81_2345_6000n, mapped, upperWhy);
  cases.page({ requester: upper }, 0xffff_ff81_2345_6000n, mapped, upperWhy);
  cases.refused(
    { requester: upper },
    tagged,
    { fault: 'address-width' },
    'TBI1 is not for TTB0 (IHI 0070 5.4 TBI1)',
  );
  const off = image.stage1({ ttb0 });
  const without = 'TBI0=0: VA[63:56] count (IHI 0070 3.4.1)';
  cases.refused({ requester: off }, tagged, { fault: 'address-width' }, without);
  return image.build();
};

export const ARM_STAGE1_GEOMETRY_IMAGES: readonly Build[] = [
  starts('4K'),
  starts('16K'),
  starts('64K'),
  smallStarts,
  unalignedRoots,
  leavesOf('4K'),
  leavesOf('16K'),
  leavesOf('64K'),
  upperHalf,
  topByte,
];
