/** Stage 2 alone: start levels, concatenated roots, S2AP, AF, DBM and output size. DDI 0487 D8.2, D8.4.2, D8.5; IHI 0070 5.2. */
import { type Build, type Permission } from './armRiscvCases';
import { type RadixTree } from './armRiscvRadix';
import { AP, armTree, DBM, type Granule, GRANULES, S2AP, s2Leaf, setRun } from './armTables';
import { IDR3_HAD, IDR3_STT, SmmuImage, type Stage2Fields } from './smmuImage';

const PAGE = 0x1000n;

/** S2T0SZ, S2SL0, start level and the number of concatenated tables, from tables D8-21 to D8-41. */
type Start = readonly [t0sz: number, sl0: number, level: number, tables: number];

const STARTS: Readonly<Record<Granule, readonly Start[]>> = {
  '4K': [
    [16, 2, 0, 1],
    [24, 2, 0, 1],
    [24, 1, 1, 2],
    [23, 1, 1, 4],
    [22, 1, 1, 8],
    [21, 1, 1, 16],
    [25, 1, 1, 1],
    [33, 1, 1, 1],
    [33, 0, 2, 2],
    [32, 0, 2, 4],
    [31, 0, 2, 8],
    [30, 0, 2, 16],
    [34, 0, 2, 1],
    [39, 0, 2, 1],
  ],
  '16K': [
    [16, 2, 1, 2],
    [17, 2, 1, 1],
    [27, 2, 1, 1],
    [27, 1, 2, 2],
    [24, 1, 2, 16],
    [28, 1, 2, 1],
    [38, 1, 2, 1],
    [38, 0, 3, 2],
    [35, 0, 3, 16],
    [39, 0, 3, 1],
  ],
  '64K': [
    [16, 2, 1, 1],
    [21, 2, 1, 1],
    [21, 1, 2, 2],
    [19, 1, 2, 8],
    [22, 1, 2, 1],
    [34, 1, 2, 1],
    [34, 0, 3, 2],
    [31, 0, 3, 16],
    [35, 0, 3, 1],
    [39, 0, 3, 1],
  ],
};

const SMALL_STARTS: Readonly<Record<Granule, readonly Start[]>> = {
  '4K': [
    [43, 3, 3, 1],
    [48, 3, 3, 1],
    [42, 3, 3, 2],
    [39, 3, 3, 16],
    [40, 0, 2, 1],
    [42, 0, 2, 1],
  ],
  '16K': [
    [40, 0, 3, 1],
    [48, 0, 3, 1],
  ],
  '64K': [
    [40, 0, 3, 1],
    [46, 0, 3, 1],
  ],
};

function cover(image: SmmuImage, granule: Granule, [t0sz, sl0, level, tables]: Start, order: number): void {
  const { cases, memory } = image;
  const inputBits = 64 - t0sz;
  const tree = armTree(memory, { granule, start: level, inputBits });
  const requester = image.stage2({ t0sz, sl0, tg: GRANULES[granule].tg0, ttb: tree.root });
  const page = tree.span(3);
  const end = 1n << BigInt(inputBits);
  const many = tables === 1 ? '' : `, ${tables} concatenated tables`;
  const why = `${granule}, S2T0SZ=${t0sz}, S2SL0=${sl0}: start level ${level}${many} (DDI 0487 D8.2.8 to D8.2.10)`;
  const inputs = new Set([0n, end - page, end / 2n, (end / 5n) & ~(page - 1n)]);
  for (const [index, iova] of [...inputs].entries()) {
    const paddr = (BigInt(order * 8 + index + 1) * 0x12_3456_0000n) & ~(page - 1n);
    tree.set(iova, 3, s2Leaf(3, paddr));
    cases.page({ requester }, iova, { paddr, size: page, perm: 'RW', level: 3, deniedBy: 2 }, why);
  }
  if (!inputs.has(page)) {
    const fault = { fault: 'not-present', level: 3, stage: 2 } as const;
    cases.refused({ requester }, page, fault, 'Descriptor bit 0 clear (DDI 0487 D8.3)');
  }
  if (inputBits < 48) {
    const beyond = 'The IPA is beyond S2T0SZ: stage 2 F_TRANSLATION (IHI 0070 3.4)';
    for (const iova of [end, end | page, 1n << 47n]) {
      cases.refused({ requester }, iova, { fault: 'address-width', stage: 2 }, beyond);
    }
  }
  const large =
    'The input is beyond the IAS: stage 1 F_ADDR_SIZE although stage 1 is bypassed (IHI 0070 3.4)';
  cases.refused({ requester }, 1n << 48n, { fault: 'address-size' }, large);
}

const starts = (granule: Granule): Build => {
  return () => {
    const image = new SmmuImage(`smmuv3 stage 2: start levels, ${granule}`);
    STARTS[granule].forEach((start, order) => cover(image, granule, start, order));
    return image.build();
  };
};

const smallStarts: Build = () => {
  const image = new SmmuImage('smmuv3 stage 2: small translation tables', { IDR3: IDR3_HAD | IDR3_STT });
  for (const granule of ['4K', '16K', '64K'] as const) {
    SMALL_STARTS[granule].forEach((start, order) => cover(image, granule, start, order));
  }
  return image.build();
};

/** Start levels that do not fit the input size. */
const wrongStarts: Build = () => {
  const image = new SmmuImage('smmuv3 stage 2: S2SL0 against S2T0SZ');
  const wrong: readonly (readonly [Granule, number, number, string])[] = [
    ['4K', 25, 2, '39 bits do not reach level 0'],
    ['4K', 20, 1, '44 bits at level 1 would be 32 tables'],
    ['4K', 34, 1, '30 bits do not reach level 1'],
    ['4K', 29, 0, '35 bits at level 2 would be 32 tables'],
    ['16K', 16, 3, 'level 0 needs S2DS=1'],
    ['16K', 28, 2, '36 bits do not reach level 1'],
    ['16K', 23, 1, '41 bits at level 2 would be 32 tables'],
    ['64K', 22, 2, '42 bits do not reach level 1'],
    ['64K', 17, 1, '47 bits at level 2 would be 32 tables'],
    ['64K', 25, 3, 'S2SL0=3 is reserved'],
  ];
  for (const [granule, t0sz, sl0, reason] of wrong) {
    const ttb = image.memory.allocate(0x10000n, 0x10000n);
    const requester = image.stage2({ t0sz, sl0, tg: GRANULES[granule].tg0, ttb });
    const why = `${granule}, S2T0SZ=${t0sz}, S2SL0=${sl0}: ${reason}; ILLEGAL (IHI 0070 5.2 S2SL0, DDI 0487 D8.2)`;
    image.cases.refused({ requester }, 0n, { fault: 'context-entry-invalid' }, why);
  }
  return image.build();
};

interface Setting {
  readonly image: SmmuImage;
  readonly tree: RadixTree;
  readonly stream: (fields?: Partial<Stage2Fields>) => number;
}

/** 40-bit IPAs in two concatenated tables. */
function setting(name: string): Setting {
  const image = new SmmuImage(name);
  const tree = armTree(image.memory, { granule: '4K', start: 1, inputBits: 40 });
  const stream = (fields: Partial<Stage2Fields> = {}): number =>
    image.stage2({ t0sz: 24, sl0: 1, tg: 0n, ttb: tree.root, ...fields });
  return { image, tree, stream };
}

/** S2AP at every leaf level; write without read is legal here. */
const permissions: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 2: S2AP');
  const { cases } = image;
  const requester = stream();
  const table: readonly (readonly [bigint, Permission | null])[] = [
    [S2AP.none, null],
    [S2AP.R, 'R'],
    [S2AP.W, 'W'],
    [S2AP.RW, 'RW'],
  ];
  for (const level of [3, 2, 1]) {
    const size = tree.span(level);
    table.forEach(([bits, perm], index) => {
      const iova = (BigInt(4 - level) << 36n) + BigInt(index) * size;
      const paddr = (1n << 41n) + iova;
      tree.set(iova, level, s2Leaf(level, paddr, { permissions: bits }));
      const why = `S2AP=${bits >> 6n}, level ${level} (DDI 0487 D8.4.2)`;
      if (perm) cases.page({ requester }, iova, { paddr, size, perm, level, deniedBy: 2 }, why);
      else cases.denied({ requester }, iova, { stage: 2 }, why);
    });
  }
  // What means read-only and unprivileged at stage 1 is something else here: one difference of AP and S2AP.
  const iova = 0xf0_0000_0000n;
  tree.set(iova, 3, s2Leaf(3, 0x1234_5000n, { permissions: AP.privRO }));
  const why = 'Bits 7:6 = 10 are privileged read-only at stage 1, write-only at stage 2 (DDI 0487 D8.4.2)';
  cases.page({ requester }, iova, { paddr: 0x1234_5000n, size: PAGE, perm: 'W', level: 3, deniedBy: 2 }, why);
  return image.build();
};

/** STE.S2AFFD, S2HA, S2HD. */
const flags: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 2: AF, DBM');
  const { cases } = image;
  const plain = stream();
  const affd = stream({ affd: true });
  const ha = stream({ ha: true });
  const hd = stream({ ha: true, hd: true });
  const hdAlone = stream({ hd: true });
  for (const level of [3, 2, 1]) {
    const size = tree.span(level);
    const region = BigInt(4 - level) << 36n;
    const at = (index: bigint) => ({
      iova: region + index * size,
      paddr: (1n << 41n) + region + index * size,
    });
    const mapped = (paddr: bigint, perm: Permission) => ({ paddr, size, perm, level, deniedBy: 2 }) as const;
    const old = at(0n);
    tree.set(old.iova, level, s2Leaf(level, old.paddr, { af: false }));
    const fault = { fault: 'access-flag', level, stage: 2 } as const;
    const af = 'AF=0 with S2HA=0 and S2AFFD=0: access flag fault (IHI 0070 5.2 S2AFFD)';
    cases.refused({ requester: plain }, old.iova, fault, af);
    cases.refused(
      { requester: hdAlone },
      old.iova,
      fault,
      'S2HD=1 with S2HA=0 counts as both 0 (IHI 0070 5.2 S2HA)',
    );
    const never = 'S2AFFD=1: AF counts as 1 (IHI 0070 5.2 S2AFFD)';
    cases.page({ requester: affd }, old.iova, mapped(old.paddr, 'RW'), never);
    const update = 'S2HA=1: hardware sets AF (IHI 0070 5.2 S2HA)';
    for (const requester of [ha, hd]) cases.page({ requester }, old.iova, mapped(old.paddr, 'RW'), update);

    const clean = at(1n);
    tree.set(clean.iova, level, s2Leaf(level, clean.paddr, { permissions: S2AP.R, more: DBM }));
    const writable = 'DBM=1, S2AP[1]=0, S2HD=1: writable-clean (DDI 0487 D8.5.2.1)';
    cases.page({ requester: hd }, clean.iova, mapped(clean.paddr, 'RW'), writable);
    const without = 'DBM counts only with S2HD=1 and S2HA=1 (DDI 0487 D8.5.2.1)';
    for (const requester of [plain, ha, hdAlone]) {
      cases.page({ requester }, clean.iova, mapped(clean.paddr, 'R'), without);
    }
    const dirty = at(2n);
    tree.set(dirty.iova, level, s2Leaf(level, dirty.paddr, { more: DBM }));
    const both = 'DBM=1, S2AP[1]=1: writable with or without S2HD (DDI 0487 D8.5.2.1)';
    for (const requester of [plain, hd])
      cases.page({ requester }, dirty.iova, mapped(dirty.paddr, 'RW'), both);
    const readOnly = at(3n);
    tree.set(readOnly.iova, level, s2Leaf(level, readOnly.paddr, { permissions: S2AP.R }));
    const noDbm = 'DBM=0, S2AP[1]=0: read-only even with S2HD=1 (DDI 0487 D8.5.2.1)';
    cases.page({ requester: hd }, readOnly.iova, mapped(readOnly.paddr, 'R'), noDbm);
  }
  return image.build();
};

/** S2PS, runs of the Contiguous bit, reserved encodings, bits that do not count. */
const leaves: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 2: leaves');
  const { cases } = image;
  const requester = stream();
  for (const level of [3, 2, 1]) {
    const span = tree.span(level);
    const size = span * 16n;
    const start = BigInt(4 - level) << 36n;
    const target = (1n << 42n) + start;
    setRun(tree, start, level, 16, (offset) => s2Leaf(level, target + offset));
    const mapped = { paddr: target, size, perm: 'RW', level } as const;
    const why = `Contiguous bit at level ${level}: 16 entries of 4K (DDI 0487 D8.7.1, table D8-104)`;
    cases.page({ requester }, start, mapped, why);
    cases.hit({ requester }, start, 'read', mapped, span * 7n + 0x123n, why);
  }
  const iova = 0xe0_0000_0000n;
  tree.set(iova, 3, s2Leaf(2, 0x5555_5000n));
  const reserved = 'Descriptor bits 1:0 = 01 at level 3 are reserved: a fault (DDI 0487 D8.3, table D8-48)';
  cases.refused({ requester }, iova, { fault: 'entry-reserved', level: 3, stage: 2 }, reserved);
  for (const [index, bit] of [2, 5, 53, 54, 55, 56, 57, 58].entries()) {
    const input = iova + BigInt(index + 1) * PAGE;
    const paddr = 0x6666_0000n + BigInt(index) * PAGE;
    tree.set(input, 3, s2Leaf(3, paddr) ^ (1n << BigInt(bit)));
    const why = `Bit ${bit} of a stage 2 page does not decide where data go (DDI 0487 D8.3.1.2, table D8-53)`;
    cases.page({ requester }, input, { paddr, size: PAGE, perm: 'RW', level: 3 }, why);
  }
  const sizes: readonly (readonly [bigint, number])[] = [
    [0n, 32],
    [1n, 36],
    [2n, 40],
    [3n, 42],
    [4n, 44],
    [5n, 48],
  ];
  const input = 0xd0_0000_0000n;
  const outputs = [31, 32, 36, 40, 42, 44, 47];
  outputs.forEach((bit, index) => tree.set(input + BigInt(index) * PAGE, 3, s2Leaf(3, 1n << BigInt(bit))));
  for (const [ps, width] of sizes) {
    const limited = stream({ ps });
    outputs.forEach((bit, index) => {
      const at = input + BigInt(index) * PAGE;
      const why = `Output bit ${bit}, S2PS of ${width} bits (IHI 0070 5.2 S2PS)`;
      const fault = { fault: 'address-size', level: 3, stage: 2 } as const;
      const page = { paddr: 1n << BigInt(bit), size: PAGE, perm: 'RW', level: 3 } as const;
      if (bit < width) cases.page({ requester: limited }, at, page, why);
      else cases.refused({ requester: limited }, at, fault, `${why}: F_ADDR_SIZE`);
    });
  }
  return image.build();
};

export const ARM_STAGE2_IMAGES: readonly Build[] = [
  starts('4K'),
  starts('16K'),
  starts('64K'),
  smallStarts,
  wrongStarts,
  permissions,
  flags,
  leaves,
];
