/** 52-bit addresses: 64K with LPA and LVA, 4K and 16K with DS=1 (LPA2), at both stages. DDI 0487 D8.2.8 to D8.2.10, D8.3.1. */
import { type Build } from './armRiscvCases';
import { Memory } from './armRiscvMemory';
import { type AddressForm, armTree, CONTIGUOUS, type Granule, GRANULES, s1Leaf, s2Leaf } from './armTables';
import { IDR5_52, SmmuImage } from './smmuImage';

/** Physical address with every one of its upper four bits in play. */
const high = (upper: bigint, span: bigint): bigint =>
  ((upper << 48n) | 0x5a96_1234_5000n) & ~(span - 1n) & 0xf_ffff_ffff_ffffn;

/** A root may be small; with 52-bit addresses it is aligned to 64 bytes at least (IHI 0070 5.4 TTB0). */
interface Variant {
  readonly granule: Granule;
  readonly t0sz: number;
  readonly start: number;
  readonly form: AddressForm;
  /** Block levels that only 52-bit addresses bring. */
  readonly wideBlock: number;
}

const VARIANTS: readonly Variant[] = [
  { granule: '64K', t0sz: 12, start: 1, form: '64K-52', wideBlock: 1 },
  { granule: '64K', t0sz: 16, start: 1, form: '64K-52', wideBlock: 1 },
  { granule: '64K', t0sz: 22, start: 2, form: '64K-52', wideBlock: 2 },
  { granule: '4K', t0sz: 12, start: -1, form: 'DS-52', wideBlock: 0 },
  { granule: '4K', t0sz: 15, start: -1, form: 'DS-52', wideBlock: 0 },
  { granule: '4K', t0sz: 16, start: 0, form: 'DS-52', wideBlock: 0 },
  { granule: '4K', t0sz: 25, start: 1, form: 'DS-52', wideBlock: 1 },
  { granule: '16K', t0sz: 12, start: 0, form: 'DS-52', wideBlock: 1 },
  { granule: '16K', t0sz: 15, start: 0, form: 'DS-52', wideBlock: 1 },
  { granule: '16K', t0sz: 17, start: 1, form: 'DS-52', wideBlock: 1 },
];

const stage1 = (variant: Variant): Build => {
  return () => {
    const { granule, t0sz, start, form, wideBlock } = variant;
    const image = new SmmuImage(`smmuv3 stage 1: 52 bits, ${granule}, T0SZ=${t0sz}`, { IDR5: IDR5_52 });
    const { cases, memory } = image;
    // The tables themselves lie beyond 48 bits.
    const upper = new Memory(0xb_4000_0000_0000n, memory.frames);
    const inputBits = 64 - t0sz;
    const tree = armTree(upper, { granule, start, inputBits, form });
    const ds = form === 'DS-52';
    const ttb0 = { tsz: t0sz, tg: GRANULES[granule].tg0, ttb: tree.root };
    const requester = image.stage1({ ttb0, ips: 6n, ds });
    const page = tree.span(3);
    const end = 1n << BigInt(inputBits);
    const where = ds ? 'DS=1: OA[51:50] in bits 9:8' : 'OA[51:48] in bits 15:12';
    const why = `${granule}, T0SZ=${t0sz}: start level ${start}, ${where} (DDI 0487 D8.2, D8.3.1)`;
    for (const [index, nibble] of [1n, 2n, 4n, 8n, 15n].entries()) {
      const iova = BigInt(index) * page * 3n;
      const paddr = high(nibble, page);
      tree.set(iova, 3, s1Leaf(3, paddr, { form }));
      cases.page({ requester }, iova, { paddr, size: page, perm: 'RW', level: 3 }, why);
    }
    const last = end - page;
    const paddr = high(9n, page);
    tree.set(last, 3, s1Leaf(3, paddr, { form }));
    cases.page({ requester }, last, { paddr, size: page, perm: 'RW', level: 3 }, why);

    const span = tree.span(wideBlock);
    const block = end / 2n;
    const target = high(6n, span);
    const ordinary = (granule === '64K' && wideBlock === 2) || (granule === '4K' && wideBlock === 1);
    const only = ordinary ? '' : ', only with 52-bit addresses';
    const blockWhy = `${granule} block at level ${wideBlock}${only} (DDI 0487 D8.2)`;
    tree.set(block, wideBlock, s1Leaf(wideBlock, target, { form }));
    cases.page({ requester }, block, { paddr: target, size: span, perm: 'RW', level: wideBlock }, blockWhy);
    if (!ordinary) {
      const contiguous = end / 4n;
      tree.set(contiguous, wideBlock, s1Leaf(wideBlock, target, { form, more: CONTIGUOUS }));
      const res0 = `The Contiguous bit is RES0 in a level ${wideBlock} block of ${granule} (DDI 0487 D8.7.1)`;
      cases.page(
        { requester },
        contiguous,
        { paddr: target, size: span, perm: 'RW', level: wideBlock },
        res0,
      );
    }
    const outside = 'The VA is beyond T0SZ: F_TRANSLATION (IHI 0070 3.4)';
    for (const iova of [end, 1n << 53n, 1n << 63n]) {
      cases.refused({ requester }, iova, { fault: 'address-width' }, outside);
    }
    // The same tables, placed low, with a smaller output size.
    const low = armTree(memory, { granule, start, inputBits, form });
    const narrow = image.stage1({ ttb0: { ...ttb0, ttb: low.root }, ips: 5n, ds });
    low.set(0n, 3, s1Leaf(3, high(0n, page), { form }));
    low.set(page, 3, s1Leaf(3, high(1n, page), { form }));
    low.set(page * 2n, 3, s1Leaf(3, high(8n, page), { form }));
    const size = 'Output bits 51:48 with IPS=48 bits: F_ADDR_SIZE (IHI 0070 5.4 IPS)';
    const mapped = { paddr: high(0n, page), size: page, perm: 'RW', level: 3 } as const;
    cases.page({ requester: narrow }, 0n, mapped, size);
    cases.refused({ requester: narrow }, page, { fault: 'address-size', level: 3 }, size);
    cases.refused({ requester: narrow }, page * 2n, { fault: 'address-size', level: 3 }, size);
    return image.build();
  };
};

/** Input sizes that need DS or VAX. */
const illegalSizes: Build = () => {
  const image = new SmmuImage('smmuv3 stage 1: input sizes beyond 48 bits', { IDR5: IDR5_52 });
  const { cases, memory } = image;
  const refuse = (granule: Granule, tsz: number, ds: boolean, why: string): void => {
    const ttb = memory.allocate(0x10000n, 0x10000n);
    const requester = image.stage1({ ttb0: { tsz, tg: GRANULES[granule].tg0, ttb }, ips: 6n, ds });
    cases.refused({ requester }, 0x1000n, { fault: 'process-entry-invalid' }, why);
  };
  refuse('4K', 12, false, '4K with T0SZ=12 needs CD.DS=1: ILLEGAL (IHI 0070 5.4 T0SZ)');
  refuse('16K', 15, false, '16K with T0SZ=15 needs CD.DS=1: ILLEGAL (IHI 0070 5.4 T0SZ)');
  refuse('64K', 11, false, 'T0SZ=11 is below the minimum of 12: ILLEGAL (IHI 0070 5.4 T0SZ)');
  refuse('4K', 11, true, 'T0SZ=11 is below the minimum of 12: ILLEGAL (IHI 0070 5.4 T0SZ)');
  return image.build();
};

const noLva: Build = () => {
  const image = new SmmuImage('smmuv3 stage 1: 52-bit output without 52-bit input', {
    IDR5: (7n << 4n) | 6n,
  });
  const { cases, memory } = image;
  const wide = armTree(memory, { granule: '64K', start: 1, inputBits: 52 });
  const refused = image.stage1({ ttb0: { tsz: 12, tg: 1n, ttb: wide.root }, ips: 6n });
  const why = '64K with T0SZ=12 and IDR5.VAX=0: ILLEGAL (IHI 0070 5.4 T0SZ)';
  cases.refused({ requester: refused }, 0n, { fault: 'process-entry-invalid' }, why);
  const tree = armTree(memory, { granule: '64K', start: 1, inputBits: 48, form: '64K-52' });
  const requester = image.stage1({ ttb0: { tsz: 16, tg: 1n, ttb: tree.root }, ips: 6n });
  const paddr = high(12n, 0x10000n);
  tree.set(0x12_3456_0000n, 3, s1Leaf(3, paddr, { form: '64K-52' }));
  const output = '64K puts OA[51:48] in bits 15:12 whatever VAX says (DDI 0487 D8.3.1)';
  cases.page({ requester }, 0x12_3456_0000n, { paddr, size: 0x10000n, perm: 'RW', level: 3 }, output);
  return image.build();
};

interface Stage2Variant {
  readonly granule: Granule;
  readonly t0sz: number;
  readonly start: number;
  readonly sl0: number;
  readonly sl0Bit2?: boolean;
  readonly form: AddressForm;
}

/** S2SL0 with S2SL0_2 as tables D8-19, D8-29 and D8-38 code the start levels. */
const STAGE2_VARIANTS: readonly Stage2Variant[] = [
  { granule: '4K', t0sz: 12, start: -1, sl0: 0, sl0Bit2: true, form: 'DS-52' },
  { granule: '4K', t0sz: 15, start: -1, sl0: 0, sl0Bit2: true, form: 'DS-52' },
  { granule: '4K', t0sz: 15, start: 0, sl0: 2, form: 'DS-52' },
  { granule: '4K', t0sz: 12, start: 0, sl0: 2, form: 'DS-52' },
  { granule: '4K', t0sz: 24, start: 1, sl0: 1, form: 'DS-52' },
  { granule: '16K', t0sz: 12, start: 0, sl0: 3, form: 'DS-52' },
  { granule: '16K', t0sz: 13, start: 1, sl0: 2, form: 'DS-52' },
  { granule: '64K', t0sz: 12, start: 1, sl0: 2, form: '64K-52' },
  { granule: '64K', t0sz: 18, start: 2, sl0: 1, form: '64K-52' },
];

const stage2: Build = () => {
  const image = new SmmuImage('smmuv3 stage 2: 52 bits', { IDR5: IDR5_52 });
  const { cases, memory } = image;
  const upper = new Memory(0x7_8000_0000_0000n, memory.frames);
  for (const { granule, t0sz, start, sl0, sl0Bit2 = false, form } of STAGE2_VARIANTS) {
    const inputBits = 64 - t0sz;
    const tree = armTree(upper, { granule, start, inputBits, form });
    const s2 = {
      t0sz,
      sl0,
      sl0Bit2,
      tg: GRANULES[granule].tg0,
      ttb: tree.root,
      ps: 6n,
      ds: form === 'DS-52',
    };
    const requester = image.stage2(s2);
    const page = tree.span(3);
    const end = 1n << BigInt(inputBits);
    const why = `Stage 2, ${granule}, S2T0SZ=${t0sz}: start level ${start} (DDI 0487 D8.2, IHI 0070 5.2 S2SL0_2, S2DS)`;
    for (const [index, iova] of [0n, end / 2n, end - page].entries()) {
      const paddr = high(BigInt(5 + index * 5), page);
      tree.set(iova, 3, s2Leaf(3, paddr, { form }));
      cases.page({ requester }, iova, { paddr, size: page, perm: 'RW', level: 3 }, why);
    }
    if (end < 1n << 52n) {
      const beyond = 'The IPA is beyond S2T0SZ: stage 2 F_TRANSLATION (IHI 0070 3.4)';
      cases.refused({ requester }, end, { fault: 'address-width', stage: 2 }, beyond);
    }
  }
  return image.build();
};

export const ARM_WIDE_IMAGES: readonly Build[] = [...VARIANTS.map(stage1), illegalSizes, noLva, stage2];
