/** Big-endian tables: IHI 0070 5.2 S2ENDI, 5.4 ENDI, 6.3.1 TTENDIAN; RISC-V IOMMU 1.0, endianness of in-memory data structures. */
import { type Build, type Mapped } from './armRiscvCases';
import { Swapped } from './armRiscvMemory';
import { armTree, s1Leaf, s2Leaf } from './armTables';
import { atp, CAP, CAPABILITIES, leafTo, pageTable, RiscvImage, SV39, SV39X4, TC } from './riscvImage';
import { CONFIG, IDR0, SmmuImage, ste } from './smmuImage';

const IOVA = 0x12_3456_7000n;
const page = (paddr: bigint, level: number): Mapped => ({ paddr, size: 0x1000n, perm: 'RW', level });

/** CD.ENDI and STE.S2ENDI: the tables alone; entries and descriptors stay little-endian. */
const smmu: Build = () => {
  const image = new SmmuImage('smmuv3: big-endian tables', { IDR0: IDR0 & ~(3n << 21n) });
  const { cases, memory } = image;
  const big = new Swapped(memory);
  const first = armTree(big, { granule: '4K', start: 1, inputBits: 39 });
  first.set(IOVA, 3, s1Leaf(3, 0x5_1234_5000n));
  const half = { tsz: 25, tg: 0n, ttb: first.root };
  const why = 'CD.ENDI=1 with IDR0.TTENDIAN=0: stage 1 tables are big-endian (IHI 0070 5.4 ENDI)';
  cases.page({ requester: image.stage1({ ttb0: half, endi: true }) }, IOVA, page(0x5_1234_5000n, 3), why);
  const second = armTree(big, { granule: '4K', start: 1, inputBits: 39 });
  second.set(IOVA, 3, s2Leaf(3, 0x6_1234_5000n));
  const s2 = { t0sz: 25, sl0: 1, tg: 0n, ttb: second.root, endi: true };
  const why2 = 'STE.S2ENDI=1 with IDR0.TTENDIAN=0: stage 2 tables are big-endian (IHI 0070 5.2 S2ENDI)';
  cases.page({ requester: image.stage2(s2) }, IOVA, page(0x6_1234_5000n, 3), why2);
  return image.build();
};

const littleOnly: Build = () => {
  const image = new SmmuImage('smmuv3: big-endian tables not implemented');
  const ttb = image.memory.allocate(4096n);
  const requester = image.stage1({ ttb0: { tsz: 25, tg: 0n, ttb }, endi: true });
  const why = 'CD.ENDI=1 with IDR0.TTENDIAN=2: ILLEGAL (IHI 0070 5.4 ENDI)';
  image.cases.refused({ requester }, IOVA, { fault: 'process-entry-invalid' }, why);
  const s2 = { t0sz: 25, sl0: 1, tg: 0n, ttb, endi: true };
  const second = image.stream(ste({ config: CONFIG.stage2, s2 }));
  const why2 = 'STE.S2ENDI=1 with IDR0.TTENDIAN=2: ILLEGAL (IHI 0070 5.2 S2ENDI)';
  image.cases.refused({ requester: second }, IOVA, { fault: 'context-entry-invalid' }, why2);
  return image.build();
};

/** fctl.BE for the device directory and the second stage, DC.tc.SBE for the first. */
const riscv = (directory: boolean, first: boolean): Build => {
  return () => {
    const name = `riscv: fctl.BE=${directory ? 1 : 0}, DC.tc.SBE=${first ? 1 : 0}`;
    const same = directory === first;
    const image = new RiscvImage(name, {
      fctl: directory ? 1n : 0n,
      // Both endiannesses are needed only when they differ.
      capabilities: CAPABILITIES | (same ? 0n : CAP.end),
    });
    const { cases, memory } = image;
    const big = new Swapped(memory);
    const tree = pageTable(first ? big : memory, SV39);
    tree.set(IOVA, 0, leafTo(0x7_1234_5000n));
    const requester = image.device({ tc: TC.V | (first ? TC.SBE : 0n), fsc: atp(8n, tree.root) });
    const why = 'The device directory follows fctl.BE, the first stage DC.tc.SBE (IOMMU 1.0 2.10)';
    cases.page({ requester }, IOVA, page(0x7_1234_5000n, 0), why);
    const second = pageTable(directory ? big : memory, SV39X4);
    second.set(IOVA, 0, leafTo(0x8_1234_5000n));
    const guest = image.device({ tc: TC.V | (first ? TC.SBE : 0n), iohgatp: atp(8n, second.root) });
    const why2 = 'The second stage follows fctl.BE (IOMMU 1.0 2.10)';
    cases.page({ requester: guest }, IOVA, page(0x8_1234_5000n, 0), why2);
    return image.build();
  };
};

export const LITTLE_ENDIAN_ONLY_IMAGES: readonly Build[] = [littleOnly];
export const BIG_ENDIAN_IMAGES: readonly Build[] = [
  smmu,
  riscv(true, true),
  riscv(false, true),
  riscv(true, false),
];
