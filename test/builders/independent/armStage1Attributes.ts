/** Stage 1 permissions, access flag, dirty state and output size. DDI 0487 D8.4, D8.5, D8.15; IHI 0070 5.4. */
import { type Build, type Permission } from './armRiscvCases';
import { AP, APTABLE, armTree, DBM, s1Leaf } from './armTables';
import { type CdFields, idr1, IDR3_HAD, IDR5_52, SmmuImage } from './smmuImage';
import { type RadixTree } from './armRiscvRadix';

const PRIVILEGED = 3n;
const UNPRIVILEGED = 2n;
const PAGE = 0x1000n;

interface Setting {
  readonly image: SmmuImage;
  readonly tree: RadixTree;
  readonly stream: (fields?: Partial<CdFields>, privCfg?: bigint) => number;
}

function setting(name: string, registers: Readonly<Record<string, bigint>> = {}): Setting {
  const image = new SmmuImage(name, registers);
  const tree = armTree(image.memory, { granule: '4K', start: 1, inputBits: 39 });
  const stream = (fields: Partial<CdFields> = {}, privCfg = 0n): number =>
    image.stage1({ ttb0: { tsz: 25, tg: 0n, ttb: tree.root }, ...fields }, privCfg);
  return { image, tree, stream };
}

/** AP[2:1], at each leaf level. */
const accessPermissions: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 1: AP[2:1]');
  const { cases } = image;
  const incoming = stream();
  const unprivileged = stream({}, UNPRIVILEGED);
  const privileged = stream({}, PRIVILEGED);
  const never = stream({ pan: true }, PRIVILEGED);
  const userOfNever = stream({ pan: true }, UNPRIVILEGED);
  const table: readonly (readonly [bigint, Permission | null, Permission])[] = [
    [AP.privRW, null, 'RW'],
    [AP.RW, 'RW', 'RW'],
    [AP.privRO, null, 'R'],
    [AP.RO, 'R', 'R'],
  ];
  for (const level of [3, 2, 1]) {
    const span = tree.span(level);
    table.forEach(([permissions, user, kernel], index) => {
      const iova = (BigInt(4 - level) << 34n) + BigInt(index) * span;
      const paddr = (0x10n << 34n) + iova;
      tree.set(iova, level, s1Leaf(level, paddr, { permissions }));
      const why = `AP[2:1]=${permissions >> 6n}, level ${level} (DDI 0487 D8.4.1.2)`;
      const mapped = { paddr, size: span, level };
      for (const requester of [incoming, unprivileged]) {
        if (user) cases.page({ requester }, iova, { ...mapped, perm: user }, why);
        else cases.denied({ requester }, iova, { level }, `${why}; the request is unprivileged`);
      }
      cases.page({ requester: privileged }, iova, { ...mapped, perm: kernel }, `${why}; STE.PRIVCFG=3`);
      const pan = `${why}; CD.PAN=1: no privileged access to what the unprivileged may access (IHI 0070 5.4 PAN)`;
      if (user) cases.denied({ requester: never }, iova, { level }, pan);
      else cases.page({ requester: never }, iova, { ...mapped, perm: kernel }, pan);
      const unharmed = `${why}; CD.PAN=1 does not bear on unprivileged requests (IHI 0070 5.4 PAN)`;
      if (user) cases.page({ requester: userOfNever }, iova, { ...mapped, perm: user }, unharmed);
    });
  }
  return image.build();
};

/** IDR1.ATTR_PERMS_OVR=0: STE.PRIVCFG counts for nothing. IDR3.HAD=0: CD.HAD0 neither. */
const notImplemented: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 1: PRIVCFG and HAD0 not implemented', {
    IDR1: idr1(16) & ~(1n << 26n),
    IDR3: 0n,
  });
  const { cases } = image;
  tree.set(PAGE, 3, s1Leaf(3, 0x8000_0000n, { permissions: AP.privRW }));
  const incoming =
    'STE.PRIVCFG is RES0 when IDR1.ATTR_PERMS_OVR=0: the request is unprivileged (IHI 0070 5.2)';
  cases.denied({ requester: stream({}, PRIVILEGED) }, PAGE, { level: 3 }, incoming);
  const region = 1n << 30n;
  tree.set(region, 3, s1Leaf(3, 0x9000_0000n));
  tree.add(region, 1, APTABLE.noWrite);
  const requester = stream({ ttb0: { tsz: 25, tg: 0n, ttb: tree.root, had: true } });
  const still = 'CD.HAD0 is ignored when IDR3.HAD=0: APTable counts (IHI 0070 5.4 HAD0)';
  cases.page({ requester }, region, { paddr: 0x9000_0000n, size: PAGE, perm: 'R', level: 3 }, still);
  return image.build();
};

/** APTable limits everything below a table descriptor; CD.HAD0 switches it off. */
const hierarchical: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 1: APTable', { IDR3: IDR3_HAD });
  const { cases } = image;
  const base = { tsz: 25, tg: 0n, ttb: tree.root };
  const user = stream();
  const kernel = stream({}, PRIVILEGED);
  const disabled = stream({ ttb0: { ...base, had: true } });
  const dirty = stream({ ha: true, hd: true });
  let region = 0n;
  const tables: readonly (readonly [string, bigint, bigint])[] = [
    ['APTable[1] at level 1', APTABLE.noWrite, 0n],
    ['APTable[1] at level 2', 0n, APTABLE.noWrite],
    ['APTable[0] at level 1', APTABLE.noUnprivileged, 0n],
    ['APTable[0] at level 2', 0n, APTABLE.noUnprivileged],
    ['APTable[1] at level 1 and APTable[0] at level 2', APTABLE.noWrite, APTABLE.noUnprivileged],
  ];
  for (const [name, level1, level2] of tables) {
    region += 1n << 30n;
    const paddr = 0x20_0000_0000n + region;
    tree.set(region, 3, s1Leaf(3, paddr));
    tree.set(region + PAGE, 3, s1Leaf(3, paddr + PAGE, { permissions: AP.RO | DBM }));
    tree.add(region, 1, level1);
    tree.add(region, 2, level2);
    const why = `${name} (DDI 0487 D8.4.1.2, table D8-64)`;
    const both = level1 | level2;
    const readOnly = (both & APTABLE.noWrite) !== 0n;
    const hidden = (both & APTABLE.noUnprivileged) !== 0n;
    const mapped = { paddr, size: PAGE, level: 3 };
    const perm: Permission = readOnly ? 'R' : 'RW';
    if (hidden) cases.denied({ requester: user }, region, { level: 3 }, why);
    else cases.page({ requester: user }, region, { ...mapped, perm }, why);
    cases.page({ requester: kernel }, region, { ...mapped, perm }, `${why}; STE.PRIVCFG=3`);
    const off = `${name}, disabled by CD.HAD0 (IHI 0070 5.4 HAD0)`;
    cases.page({ requester: disabled }, region, { ...mapped, perm: 'RW' }, off);
    if (readOnly && !hidden) {
      const clean = `${name}: DBM does not help, AP[2] is not the only reason (DDI 0487 D8.5.2.1)`;
      const page = { ...mapped, paddr: paddr + PAGE, perm: 'R' as const };
      cases.page({ requester: dirty }, region + PAGE, page, clean);
    }
  }
  // Siblings below another descriptor are not limited.
  const free = region + (1n << 30n);
  tree.set(free, 3, s1Leaf(3, 0x30_0000_0000n));
  const whyFree = 'APTable limits only what lies below its descriptor (DDI 0487 D8.4.1.2)';
  cases.page(
    { requester: user },
    free,
    { paddr: 0x30_0000_0000n, size: PAGE, perm: 'RW', level: 3 },
    whyFree,
  );
  return image.build();
};

/** APTable in the upper half, with CD.HAD1 of its own. */
const upperHierarchical: Build = () => {
  const image = new SmmuImage('smmuv3 stage 1: APTable and HAD1');
  const tree = armTree(image.memory, { granule: '4K', start: 1, inputBits: 39 });
  const ttb = { tsz: 25, ttb: tree.root };
  tree.set(0x1234_5000n, 3, s1Leaf(3, 0x7700_1000n));
  tree.add(0x1234_5000n, 2, APTABLE.noWrite);
  const upper = 0xffff_ff80_1234_5000n;
  const mapped = { paddr: 0x7700_1000n, size: PAGE, level: 3 };
  const streams: readonly (readonly [boolean, boolean])[] = [
    [false, false],
    [true, false],
    [false, true],
  ];
  for (const [had0, had1] of streams) {
    const requester = image.stage1({
      ttb0: { ...ttb, tg: 0n, had: had0 },
      ttb1: { ...ttb, tg: 2n, had: had1 },
    });
    const why = `HAD0=${had0 ? 1 : 0}, HAD1=${had1 ? 1 : 0}: each half has its own (IHI 0070 5.4 HAD0, HAD1)`;
    image.cases.page({ requester }, 0x1234_5000n, { ...mapped, perm: had0 ? 'RW' : 'R' }, why);
    image.cases.page({ requester }, upper, { ...mapped, perm: had1 ? 'RW' : 'R' }, why);
  }
  return image.build();
};

/** CD.AFFD, HA and HD. */
const flags: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 1: AF, DBM');
  const { cases } = image;
  const plain = stream();
  const affd = stream({ affd: true });
  const ha = stream({ ha: true });
  const hd = stream({ ha: true, hd: true });
  const hdAlone = stream({ hd: true });
  const hdAffd = stream({ hd: true, affd: true });
  for (const level of [3, 2, 1]) {
    const span = tree.span(level);
    const region = BigInt(4 - level) << 34n;
    const target = (0x40n << 34n) + region;
    const at = (index: bigint) => ({ iova: region + index * span, paddr: target + index * span });
    const mapped = (paddr: bigint, perm: Permission) => ({ paddr, size: span, perm, level });

    const old = at(0n);
    tree.set(old.iova, level, s1Leaf(level, old.paddr, { af: false }));
    const fault = { fault: 'access-flag', level };
    const af = 'AF=0 with HA=0 and AFFD=0: access flag fault (IHI 0070 5.4 AFFD, DDI 0487 D8.5.1)';
    cases.refused({ requester: plain }, old.iova, fault, af);
    const reservedHd = 'HD=1 with HA=0 behaves as HA=HD=0 (IHI 0070 5.4 HA)';
    cases.refused({ requester: hdAlone }, old.iova, fault, reservedHd);
    const never = 'AFFD=1: AF counts as 1 (IHI 0070 5.4 AFFD)';
    cases.page({ requester: affd }, old.iova, mapped(old.paddr, 'RW'), never);
    cases.page({ requester: hdAffd }, old.iova, mapped(old.paddr, 'RW'), `${never}; ${reservedHd}`);
    const update = 'HA=1: hardware sets AF (IHI 0070 5.4 HA)';
    cases.page({ requester: ha }, old.iova, mapped(old.paddr, 'RW'), update);
    cases.page({ requester: hd }, old.iova, mapped(old.paddr, 'RW'), update);

    const clean = at(1n);
    tree.set(clean.iova, level, s1Leaf(level, clean.paddr, { permissions: AP.RO, more: DBM }));
    const writable = 'DBM=1, AP[2]=1, HD=1: writable-clean, a write is permitted (DDI 0487 D8.5.2.1)';
    cases.page({ requester: hd }, clean.iova, mapped(clean.paddr, 'RW'), writable);
    const without = 'DBM counts only with HD=1 and HA=1 (DDI 0487 D8.5.2.1)';
    for (const requester of [plain, ha, hdAlone]) {
      cases.page({ requester }, clean.iova, mapped(clean.paddr, 'R'), without);
    }

    const dirty = at(2n);
    tree.set(dirty.iova, level, s1Leaf(level, dirty.paddr, { permissions: AP.RW, more: DBM }));
    const both = 'DBM=1, AP[2]=0: writable with or without HD (DDI 0487 D8.5.2.1)';
    for (const requester of [plain, ha, hd]) {
      cases.page({ requester }, dirty.iova, mapped(dirty.paddr, 'RW'), both);
    }

    const hidden = at(3n);
    tree.set(hidden.iova, level, s1Leaf(level, hidden.paddr, { permissions: AP.privRO, more: DBM }));
    const user = 'DBM=1 but AP[1]=0: nothing for an unprivileged request (DDI 0487 D8.5.2.1)';
    cases.denied({ requester: hd }, hidden.iova, { level }, user);

    const readOnly = at(4n);
    tree.set(readOnly.iova, level, s1Leaf(level, readOnly.paddr, { permissions: AP.RO }));
    const noDbm = 'DBM=0, AP[2]=1: read-only even with HD=1 (DDI 0487 D8.5.2.1)';
    cases.page({ requester: hd }, readOnly.iova, mapped(readOnly.paddr, 'R'), noDbm);
  }
  return image.build();
};

/** Bits that no walk looks at. */
const ignoredBits: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 1: bits that do not count');
  const requester = stream();
  const leafBits = [2, 3, 4, 5, 11, 50, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63];
  leafBits.forEach((bit, index) => {
    const iova = BigInt(index) * PAGE;
    const paddr = 0x1_0000_0000n + iova;
    tree.set(iova, 3, s1Leaf(3, paddr, { more: 1n << BigInt(bit) }));
    const why = `Bit ${bit} of a page does not decide where it leads (DDI 0487 D8.3.1.2, table D8-52)`;
    image.cases.page({ requester }, iova, { paddr, size: PAGE, perm: 'RW', level: 3 }, why);
  });
  const tableBits = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60];
  tableBits.forEach((bit, index) => {
    const iova = (1n << 34n) + (BigInt(index) << 21n);
    const paddr = 0x2_0000_0000n + BigInt(index) * PAGE;
    tree.set(iova, 3, s1Leaf(3, paddr));
    tree.add(iova, 2, 1n << BigInt(bit));
    const why = `Bit ${bit} of a table descriptor is ignored for data (DDI 0487 D8.3.1.1, table D8-50)`;
    image.cases.page({ requester }, iova, { paddr, size: PAGE, perm: 'RW', level: 3 }, why);
  });
  return image.build();
};

/** Output addresses beyond CD.IPS or IDR5.OAS. */
const outputSize: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 1: output size');
  const { cases } = image;
  const sizes: readonly (readonly [bigint, number])[] = [
    [0n, 32],
    [1n, 36],
    [2n, 40],
    [3n, 42],
    [4n, 44],
    [5n, 48],
  ];
  const streams = sizes.map(([ips, width]) => ({ width, requester: stream({ ips }) }));
  for (const [level, region] of [
    [3, 1n],
    [2, 2n],
    [1, 3n],
  ] as const) {
    const span = tree.span(level);
    for (const [index, bit] of [31, 32, 35, 36, 39, 40, 41, 42, 43, 44, 47].entries()) {
      const iova = (region << 34n) + BigInt(index) * span;
      const paddr = 1n << BigInt(bit);
      tree.set(iova, level, s1Leaf(level, paddr));
      for (const { width, requester } of streams) {
        if (bit < width) {
          const why = `Output bit ${bit} within an IPS of ${width} bits (IHI 0070 5.4 IPS)`;
          cases.page({ requester }, iova, { paddr, size: span, perm: 'RW', level }, why);
        } else {
          const why = `Output bit ${bit} beyond an IPS of ${width} bits: F_ADDR_SIZE (IHI 0070 5.4 IPS)`;
          cases.refused({ requester }, iova, { fault: 'address-size', level }, why);
        }
      }
    }
  }
  // The pointers to tables are checked as well.
  const iova = 4n << 34n;
  tree.set(iova, 2, 3n | (1n << 40n));
  const pointer = 'The next table lies beyond IPS: F_ADDR_SIZE (IHI 0070 5.4 IPS, DDI 0487 D8.15)';
  for (const { width, requester } of streams.filter(({ width }) => width <= 40)) {
    cases.refused({ requester }, iova, { fault: 'address-size', level: 2 }, `${pointer}, ${width} bits`);
  }
  const absent = 'The next table is not in the image (F_WALK_EABT, IHI 0070 7.3.12)';
  for (const { requester } of streams.filter(({ width }) => width > 40)) {
    cases.refused({ requester }, iova, { fault: 'table-unreadable' }, absent);
  }
  return image.build();
};

/** An OAS that is smaller than IPS caps it. */
const smallOutput: Build = () => {
  const { image, tree, stream } = setting('smmuv3 stage 1: OAS below IPS', { IDR5: (IDR5_52 & 0x70n) | 2n });
  const requester = stream({ ips: 5n });
  tree.set(0n, 3, s1Leaf(3, 1n << 39n));
  tree.set(PAGE, 3, s1Leaf(3, 1n << 40n));
  const why = 'The effective IPS is MIN(CD.IPS, IDR5.OAS) (IHI 0070 5.4 IPS)';
  image.cases.page({ requester }, 0n, { paddr: 1n << 39n, size: PAGE, perm: 'RW', level: 3 }, why);
  image.cases.refused({ requester }, PAGE, { fault: 'address-size', level: 3 }, why);
  return image.build();
};

export const ARM_STAGE1_ATTRIBUTE_IMAGES: readonly Build[] = [
  accessPermissions,
  notImplemented,
  hierarchical,
  upperHierarchical,
  flags,
  ignoredBits,
  outputSize,
  smallOutput,
];
