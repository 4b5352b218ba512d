/** Both stages: every address of stage 1, its context descriptors included, is an IPA. IHI 0070 3.3.2, 5.2; DDI 0487 D8.1. */
import { type Build, type Permission } from './armRiscvCases';
import { GuestSpace } from './armRiscvMemory';
import { type RadixTree } from './armRiscvRadix';
import { AP, armTree, type Granule, GRANULES, S2AP, s1Leaf, s2Leaf } from './armTables';
import { cd, type CdFields, CONFIG, putWords, SmmuImage, ste, type Stage2Fields } from './smmuImage';

const PAGE = 0x1000n;
const STAGE2 = { stage: 2 } as const;

interface Nested {
  readonly image: SmmuImage;
  /** 40-bit IPAs in two concatenated tables. */
  readonly stage2: RadixTree;
  readonly guest: GuestSpace;
  readonly s2: Stage2Fields;
}

/** Start level and S2SL0 of a 40-bit stage 2: two, sixteen and one table. */
const SECOND: Readonly<Record<Granule, readonly [start: number, sl0: number]>> = {
  '4K': [1, 1],
  '16K': [2, 1],
  '64K': [2, 1],
};

function nested(name: string, granule: Granule = '4K'): Nested {
  const image = new SmmuImage(name);
  const [start, sl0] = SECOND[granule];
  const stage2 = armTree(image.memory, { granule, start, inputBits: 40 });
  const enter = (ipa: bigint, paddr: bigint): void => stage2.set(ipa, 3, s2Leaf(3, paddr));
  const guest = new GuestSpace(image.memory, enter, 0x9a_0000_0000n, stage2.span(3));
  return { image, stage2, guest, s2: { t0sz: 24, sl0, tg: GRANULES[granule].tg0, ttb: stage2.root } };
}

function stream({ image, guest, s2 }: Nested, fields: CdFields, contextPtr?: bigint): number {
  const context = contextPtr ?? guest.allocate(64n);
  if (contextPtr === undefined) putWords(guest, context, cd(fields));
  return image.stream(ste({ config: CONFIG.nested, contextPtr: context, s2 }));
}

const START: Readonly<Record<Granule, number>> = { '4K': 1, '16K': 1, '64K': 2 };

/** Stage 1 of each granule over 4K pages that lie scattered. */
const scattered = (granule: Granule): Build => {
  return () => {
    const setup = nested(`smmuv3 nested: ${granule} over scattered 4K pages`);
    const { image, guest, stage2 } = setup;
    const tree = armTree(guest, { granule, start: START[granule], inputBits: 39 });
    const requester = stream(setup, { ttb0: { tsz: 25, tg: GRANULES[granule].tg0, ttb: tree.root } });
    const size = tree.span(3);
    const why = `Stage 1 ${granule} page over stage 2 4K pages: walk and output are IPAs (IHI 0070 3.3.2)`;
    for (const [index, iova] of [0n, 0x12_3456_0000n, (1n << 39n) - size].entries()) {
      const ipa = 0x40_0000_0000n + BigInt(index) * 0x1_0001_0000n;
      tree.set(iova, 3, s1Leaf(3, ipa));
      // Every other 4K page of it is mapped, in descending order.
      for (let offset = 0n; offset < size; offset += 2n * PAGE) {
        const paddr = 0x30_0000_0000n + BigInt(index) * 0x100_0000n - offset;
        stage2.set(ipa + offset, 3, s2Leaf(3, paddr));
        const mapped = { paddr: paddr - offset, size, perm: 'RW', level: 3 } as const;
        for (const inPage of [0n, 0x7f8n, 0xfffn]) {
          image.cases.hit({ requester }, iova, 'read', mapped, offset + inPage, why);
          image.cases.hit({ requester }, iova, 'write', mapped, offset + inPage, why);
        }
        if (size > PAGE) {
          const fault = { fault: 'not-present', level: 3, ...STAGE2 };
          const missing =
            'Another 4K page of the same stage 1 page is not mapped by stage 2: a stage 2 fault';
          image.cases.refused({ requester }, iova + offset + PAGE, fault, missing);
        }
      }
    }
    const empty = { fault: 'not-present', level: 3, stage: 1 } as const;
    image.cases.refused({ requester }, size, empty, 'The stage 1 descriptor is invalid: a stage 1 fault');
    const outside = { fault: 'address-width', stage: 1 } as const;
    image.cases.refused(
      { requester },
      1n << 39n,
      outside,
      'The VA is beyond T0SZ: a stage 1 fault (IHI 0070 3.4)',
    );
    return image.build();
  };
};

/** Stage 2 of larger pages, with both halves of stage 1 over it. */
const largePages = (first: Granule, second: Granule): Build => {
  return () => {
    const setup = nested(`smmuv3 nested: both halves of ${first} over ${second} pages`, second);
    const { image, guest, stage2 } = setup;
    const low = armTree(guest, { granule: first, start: START[first], inputBits: 39 });
    const high = armTree(guest, { granule: first, start: START[first], inputBits: 39 });
    const requester = stream(setup, {
      ttb0: { tsz: 25, tg: GRANULES[first].tg0, ttb: low.root },
      ttb1: { tsz: 25, tg: GRANULES[first].tg1, ttb: high.root },
    });
    const size = low.span(3);
    const over = stage2.span(3);
    const upper = 0xffff_ff80_0000_0000n;
    const halves = [
      [low, 0n],
      [high, upper],
    ] as const;
    for (const [tree, base] of halves) {
      for (const [index, input] of [0n, 0x31_2340_0000n, (1n << 39n) - size].entries()) {
        const ipa = 0x44_0000_0000n + BigInt(index) * 0x12_0000n + (base === 0n ? 0n : 0x1_0000_0000n);
        const paddr = 0x21_0000_0000n - BigInt(index) * 0x30_0000n - (base === 0n ? 0n : 0x2_0000_0000n);
        stage2.set(ipa, 3, s2Leaf(3, paddr));
        // The upper part of the stage 2 page, as far as a page of stage 1 fits into it.
        const inside = over > size ? over - size : 0n;
        tree.set(input, 3, s1Leaf(3, ipa + inside));
        const why = `Stage 1 ${first} in stage 2 ${second}: the smaller page decides what is contiguous (IHI 0070 3.3.2)`;
        const mapped = { paddr: paddr + inside, size, perm: 'RW', level: 3 } as const;
        const reach = over < size ? over : size;
        for (const offset of [0n, reach / 2n, reach - 1n]) {
          image.cases.hit({ requester }, base + input, 'read', mapped, offset, why);
          image.cases.hit({ requester }, base + input, 'write', mapped, offset, why);
        }
      }
    }
    return image.build();
  };
};

/** Pages of different sizes on both sides. */
const mixedSizes: Build = () => {
  const setup = nested('smmuv3 nested: blocks over pages, pages over blocks');
  const { image, guest, stage2 } = setup;
  const tree = armTree(guest, { granule: '4K', start: 1, inputBits: 39 });
  const requester = stream(setup, { ttb0: { tsz: 25, tg: 0n, ttb: tree.root } });
  const { cases } = image;

  const blockIpa = 0x41_0020_0000n;
  const block = 0x1_0000_0000n;
  tree.set(block, 2, s1Leaf(2, blockIpa));
  const overPages = 'A 2M block of stage 1 over 4K pages of stage 2 (IHI 0070 3.3.2)';
  for (const [index, offset] of [0n, 0x1000n, 0x8_4000n, 0x1f_f000n].entries()) {
    const paddr = 0x22_0000_0000n - BigInt(index) * 0x33_3000n;
    stage2.set(blockIpa + offset, 3, s2Leaf(3, paddr));
    const mapped = { paddr: paddr - offset, size: 0x20_0000n, perm: 'RW', level: 2 } as const;
    cases.hit({ requester }, block, 'read', mapped, offset, overPages);
    cases.hit({ requester }, block, 'write', mapped, offset + 0xfffn, overPages);
  }
  const hole = { fault: 'not-present', level: 3, ...STAGE2 };
  cases.refused({ requester }, block + 0x2000n, hole, 'A 4K hole of stage 2 inside a stage 1 block');

  const big = 0x43_0000_0000n;
  stage2.set(big, 1, s2Leaf(1, 0x80_0000_0000n));
  const middle = 0x44_0020_0000n;
  stage2.set(middle, 2, s2Leaf(2, 0x55_5540_0000n));
  const overBlocks: readonly (readonly [bigint, bigint, bigint])[] = [
    [0x2_0000_0000n, big + 0x1234_5000n, 0x80_1234_5000n],
    [0x2_0000_1000n, big + 0x3fff_f000n, 0x80_3fff_f000n],
    [0x2_0000_2000n, middle + 0x1f_f000n, 0x55_555f_f000n],
  ];
  const why = 'A 4K page of stage 1 over a block of stage 2 (IHI 0070 3.3.2)';
  for (const [iova, ipa, paddr] of overBlocks) {
    tree.set(iova, 3, s1Leaf(3, ipa));
    cases.page({ requester }, iova, { paddr, size: PAGE, perm: 'RW', level: 3 }, why);
  }
  tree.set(0xc000_0000n, 1, s1Leaf(1, big));
  const same = 'A 1G block of stage 1 over a 1G block of stage 2';
  const gigabyte = { paddr: 0x80_0000_0000n, size: 1n << 30n, perm: 'RW', level: 1 } as const;
  cases.page({ requester }, 0xc000_0000n, gigabyte, same);
  return image.build();
};

/** What both stages allow, and which of them refuses. */
const permissions: Build = () => {
  const setup = nested('smmuv3 nested: permissions');
  const { image, guest, stage2 } = setup;
  const tree = armTree(guest, { granule: '4K', start: 1, inputBits: 39 });
  const requester = stream(setup, { ttb0: { tsz: 25, tg: 0n, ttb: tree.root } });
  const { cases } = image;
  const table: readonly (readonly [bigint, bigint, Permission, 1 | 2])[] = [
    [AP.RW, S2AP.RW, 'RW', 2],
    [AP.RW, S2AP.R, 'R', 2],
    [AP.RW, S2AP.W, 'W', 2],
    [AP.RO, S2AP.RW, 'R', 1],
    [AP.RO, S2AP.R, 'R', 1],
  ];
  table.forEach(([s1, s2, perm, deniedBy], index) => {
    const iova = BigInt(index) * PAGE;
    const ipa = 0x50_0000_0000n + iova * 3n;
    const paddr = 0x7_0000_0000n + iova * 5n;
    tree.set(iova, 3, s1Leaf(3, ipa, { permissions: s1 }));
    stage2.set(ipa, 3, s2Leaf(3, paddr, { permissions: s2 }));
    const why = `AP=${s1 >> 6n} and S2AP=${s2 >> 6n}: both stages must permit (DDI 0487 D8.4.3)`;
    cases.page({ requester }, iova, { paddr, size: PAGE, perm, level: 3, deniedBy }, why);
  });
  const iova = 0x20_0000n;
  tree.set(iova, 3, s1Leaf(3, 0x51_0000_0000n));
  stage2.set(0x51_0000_0000n, 3, s2Leaf(3, 0x1000n, { permissions: S2AP.none }));
  cases.denied({ requester }, iova, STAGE2, 'S2AP=0: stage 2 permits nothing (DDI 0487 D8.4.2)');
  tree.set(iova + PAGE, 3, s1Leaf(3, 0x51_0000_0000n, { permissions: AP.privRW }));
  const user = 'AP[1]=0 refuses an unprivileged request at stage 1 before stage 2 is asked (DDI 0487 D8.15)';
  cases.denied({ requester }, iova + PAGE, { level: 3, stage: 1 }, user);
  tree.set(iova + 2n * PAGE, 3, s1Leaf(3, 0x51_0000_0000n, { af: false }));
  const af = { fault: 'access-flag', level: 3, stage: 1 } as const;
  cases.refused({ requester }, iova + 2n * PAGE, af, 'AF=0 at stage 1 (IHI 0070 5.4 AFFD)');
  tree.set(iova + 3n * PAGE, 3, s1Leaf(3, 0x52_0000_0000n));
  stage2.set(0x52_0000_0000n, 3, s2Leaf(3, 0x1000n, { af: false }));
  const af2 = { fault: 'access-flag', level: 3, stage: 2 } as const;
  cases.refused(
    { requester },
    iova + 3n * PAGE,
    af2,
    'AF=0 at stage 2 of the final address (IHI 0070 5.2 S2AFFD)',
  );
  return image.build();
};

/** Stage 2 refuses the fetch of a context descriptor, a stage 1 table, or the final address. */
const stage2Faults: Build = () => {
  const setup = nested('smmuv3 nested: stage 2 faults of walks');
  const { image, guest, stage2 } = setup;
  const { cases } = image;
  const iova = 0x12_3456_7000n;
  const why = (what: string): string =>
    `${what}: a stage 2 fault of the walk (IHI 0070 5.2 S1ContextPtr, 7.3.13)`;
  const fresh = (): { readonly tree: RadixTree; readonly fields: CdFields } => {
    const tree = armTree(guest, { granule: '4K', start: 1, inputBits: 39 });
    return { tree, fields: { ttb0: { tsz: 25, tg: 0n, ttb: tree.root } } };
  };
  const unmapped = { fault: 'not-present', ...STAGE2 };

  const noContext = stream(setup, {}, 0x77_0000_0000n);
  cases.refused(
    { requester: noContext },
    iova,
    unmapped,
    why('S1ContextPtr is an IPA that stage 2 does not map'),
  );
  const far = stream(setup, {}, 1n << 41n);
  const width = { fault: 'address-width', ...STAGE2 };
  cases.refused({ requester: far }, iova, width, why('S1ContextPtr is beyond S2T0SZ but within the IAS'));
  const denied = stream(setup, {}, 0x78_0000_0000n);
  stage2.set(0x78_0000_0000n, 3, s2Leaf(3, 0x1000n, { permissions: S2AP.W }));
  const unreadable = { fault: 'read-denied', ...STAGE2 };
  cases.refusedOne(
    { requester: denied },
    iova,
    'read',
    unreadable,
    why('The page of the CD is not readable'),
  );
  const noRoot = stream(setup, { ttb0: { tsz: 25, tg: 0n, ttb: 0x79_0000_0000n } });
  cases.refused({ requester: noRoot }, iova, unmapped, why('TTB0 is an IPA that stage 2 does not map'));

  for (const level of [1, 2]) {
    const { tree, fields } = fresh();
    tree.set(iova, level, 3n | 0x7a_0000_0000n);
    const requester = stream(setup, fields);
    const what = `The table below level ${level} is at an IPA that stage 2 does not map`;
    cases.refused({ requester }, iova, unmapped, why(what));
  }
  const old = fresh();
  old.tree.set(iova, 2, 3n | 0x7b_0000_0000n);
  stage2.set(0x7b_0000_0000n, 3, s2Leaf(3, 0x1000n, { af: false }));
  const oldStream = stream(setup, old.fields);
  cases.refused(
    { requester: oldStream },
    iova,
    { fault: 'access-flag', ...STAGE2 },
    why('AF=0 for the page of a table'),
  );
  const hidden = fresh();
  hidden.tree.set(iova, 2, 3n | 0x7c_0000_0000n);
  stage2.set(0x7c_0000_0000n, 3, s2Leaf(3, 0x1000n, { permissions: S2AP.none }));
  const hiddenStream = stream(setup, hidden.fields);
  const noRead = why('The page of a table is not readable');
  cases.refusedOne({ requester: hiddenStream }, iova, 'read', unreadable, noRead);

  const beyond = fresh();
  beyond.tree.set(iova, 3, s1Leaf(3, 1n << 40n));
  beyond.tree.set(iova + PAGE, 3, s1Leaf(3, 0x7d_0000_0000n));
  const wide = stream(setup, beyond.fields);
  const range = 'The IPA is within IPS but beyond S2T0SZ: stage 2 F_TRANSLATION (IHI 0070 3.4)';
  cases.refused({ requester: wide }, iova, width, range);
  cases.refused({ requester: wide }, iova + PAGE, unmapped, 'The output IPA is not mapped by stage 2');
  const narrow = stream(setup, { ...beyond.fields, ips: 2n });
  const ips = { fault: 'address-size', level: 3, stage: 1 } as const;
  cases.refused(
    { requester: narrow },
    iova,
    ips,
    'The IPA is beyond CD.IPS: stage 1 F_ADDR_SIZE (IHI 0070 5.4 IPS)',
  );
  return image.build();
};

/** Tables of context descriptors in IPA space, linear and two-level. */
const substreams: Build = () => {
  const setup = nested('smmuv3 nested: context descriptors by SubstreamID');
  const { image, guest, stage2, s2 } = setup;
  const contextFor = (pasid: number): readonly bigint[] => {
    const tree = armTree(guest, { granule: '4K', start: 1, inputBits: 39 });
    const ipa = 0x60_0000_0000n + BigInt(pasid) * PAGE;
    tree.set(0x5000n, 3, s1Leaf(3, ipa));
    stage2.set(ipa, 3, s2Leaf(3, 0x11_0000_0000n - BigInt(pasid) * PAGE));
    return cd({ ttb0: { tsz: 25, tg: 0n, ttb: tree.root } });
  };
  // 128 descriptors take two pages that are apart in memory.
  const linear = guest.allocate(128n * 64n, 128n * 64n);
  const l1 = guest.allocate(PAGE);
  const l2 = guest.allocate(PAGE);
  guest.write(l1 + 8n, l2 | 1n);
  guest.write(l1 + 16n, 0x7e_0000_0001n);
  for (const pasid of [0, 63, 64, 127]) putWords(guest, linear + BigInt(pasid) * 64n, contextFor(pasid));
  for (const pasid of [64, 65]) putWords(guest, l2 + BigInt(pasid - 64) * 64n, contextFor(pasid));
  const one = { config: CONFIG.nested, cdMax: 7n, dss: 2n, s2 };
  const linearStream = image.stream(ste({ ...one, contextPtr: linear }));
  const twoLevel = image.stream(ste({ ...one, s1Fmt: 1n, contextPtr: l1 }));
  const page = (pasid: number) =>
    ({ paddr: 0x11_0000_0000n - BigInt(pasid) * PAGE, size: PAGE, perm: 'RW', level: 3 }) as const;
  const why = 'S1ContextPtr and L1CD.L2Ptr are IPAs when stage 2 translates (IHI 0070 5.2 S1Fmt, 5.3 L2Ptr)';
  for (const pasid of [63, 64, 127])
    image.cases.page({ requester: linearStream, pasid }, 0x5000n, page(pasid), why);
  image.cases.page({ requester: linearStream }, 0x5000n, page(0), `${why}; S1DSS=2`);
  for (const pasid of [64, 65]) image.cases.page({ requester: twoLevel, pasid }, 0x5000n, page(pasid), why);
  const missing = { fault: 'process-entry-not-present' };
  image.cases.refused({ requester: twoLevel, pasid: 1 }, 0x5000n, missing, 'L1CD.V=0 (IHI 0070 5.3.1)');
  const entry = { requester: linearStream, pasid: 2 };
  image.cases.refused(entry, 0x5000n, missing, 'CD.V=0: C_BAD_CD (IHI 0070 5.4 V)');
  const large = image.stream(ste({ ...one, cdMax: 8n, s1Fmt: 1n, contextPtr: l1 }));
  const fault = { fault: 'not-present', ...STAGE2 };
  const l2Fault = 'L1CD.L2Ptr is an IPA that stage 2 does not map: a stage 2 fault (IHI 0070 5.3 L2Ptr)';
  image.cases.refused({ requester: large, pasid: 128 }, 0x5000n, fault, l2Fault);
  return image.build();
};

export const ARM_NESTED_IMAGES: readonly Build[] = [
  scattered('4K'),
  scattered('16K'),
  scattered('64K'),
  largePages('4K', '16K'),
  largePages('4K', '64K'),
  largePages('16K', '64K'),
  largePages('64K', '16K'),
  mixedSizes,
  permissions,
  stage2Faults,
  substreams,
];
