/** Where a StreamID leads: registers, linear and two-level stream tables, STE.Config. IHI 0070 3.3.2, 5.1, 5.2, 6.3. */
import { type BuiltImage } from '../built';
import { type Build, Cases, type Mapped } from './armRiscvCases';
import { Memory, type Space } from './armRiscvMemory';
import { armTree, GRANULES, s1Leaf, s2Leaf } from './armTables';
import { cd, CONFIG, IDR0, idr1, IDR3_HAD, IDR5_48, putWords, SmmuImage, ste } from './smmuImage';

const IOVA = 0x12_3456_7000n;

/** A context descriptor that maps one page to `target`. */
export function simpleContext(space: Space, target: bigint): bigint {
  const tree = armTree(space, { granule: '4K', start: 1, inputBits: 39 });
  tree.set(IOVA, 3, s1Leaf(3, target));
  const address = space.allocate(64n);
  putWords(space, address, cd({ ttb0: { tsz: 25, tg: GRANULES['4K'].tg0, ttb: tree.root } }));
  return address;
}

/** The input address that `simpleContext` maps. */
export const SIMPLE_IOVA = IOVA;
export const simplePage = (target: bigint): Mapped => ({
  paddr: target,
  size: 0x1000n,
  perm: 'RW',
  level: 3,
});

const stage1Entry = (space: Space, target: bigint): readonly bigint[] =>
  ste({ config: CONFIG.stage1, contextPtr: simpleContext(space, target) });

const disabled = (abort: boolean): Build => {
  return () => {
    const image = new SmmuImage(`smmuv3: SMMUEN=0, GBPA.ABORT=${abort ? 1 : 0}`, {
      CR0: 0n,
      GBPA: abort ? 1n << 20n : 0n,
    });
    const id = image.stream(stage1Entry(image.memory, 0x7000_0000n));
    for (const requester of [id, 200, 5000]) {
      if (abort) {
        const why = 'SMMUEN=0 and GBPA.ABORT=1 abort every transaction (IHI 0070 6.3.14)';
        image.cases.refused({ requester }, IOVA, { fault: 'translation-blocked' }, why);
      } else {
        const why = 'SMMUEN=0 and GBPA.ABORT=0: the address is output as it is (IHI 0070 3.4, 6.3.14)';
        image.cases.passThrough({ requester }, [0n, IOVA, 0xffff_ffff_ffffn], why);
      }
    }
    return image.build();
  };
};

/** STE.V and STE.Config. */
const configurations: Build = () => {
  const image = new SmmuImage('smmuv3: STE.V and STE.Config');
  const { cases, memory } = image;
  const context = simpleContext(memory, 0x5_0000_1000n);
  for (const config of [0n, 1n, 2n, 3n]) {
    const requester = image.stream(ste({ config, contextPtr: context }));
    const why = `STE.Config=${config}: no traffic passes; 0b0xx behaves as 0b000 (IHI 0070 5.2 Config)`;
    cases.refused({ requester }, IOVA, { fault: 'translation-blocked' }, why);
  }
  const invalid = image.stream(ste({ config: CONFIG.stage1, contextPtr: context, valid: false }));
  const notPresent = { fault: 'context-entry-not-present' };
  cases.refused({ requester: invalid }, IOVA, notPresent, 'STE.V=0: C_BAD_STE (IHI 0070 5.2 V)');
  const zero = image.stream([0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
  cases.refused({ requester: zero }, IOVA, notPresent, 'An STE of zeros has V=0: C_BAD_STE (IHI 0070 5.2 V)');

  const bypass = image.stream(ste({ config: CONFIG.bypass }));
  const both = 'STE.Config=4: both stages bypassed (IHI 0070 5.2 Config)';
  cases.passThrough({ requester: bypass }, [0n, IOVA, 0xffff_ffff_f000n], both);
  const tooLarge = 'Bypass with an input address beyond the OAS: F_ADDR_SIZE (IHI 0070 3.4)';
  cases.refused({ requester: bypass }, 1n << 48n, { fault: 'address-size' }, tooLarge);
  cases.refused({ requester: bypass }, (1n << 63n) | 0x1000n, { fault: 'address-size' }, tooLarge);
  const substream =
    'Stage 1 does not translate, but a SubstreamID is given: C_BAD_SUBSTREAMID (IHI 0070 5.2 S1Fmt)';
  cases.refused({ requester: bypass, pasid: 1 }, IOVA, { fault: 'pasid-not-supported' }, substream);

  const translated = image.stream(ste({ config: CONFIG.stage1, contextPtr: context }));
  const stage1 = 'STE.Config=5: stage 1 alone (IHI 0070 5.2 Config)';
  cases.page({ requester: translated }, IOVA, simplePage(0x5_0000_1000n), stage1);

  const tree = armTree(memory, { granule: '4K', start: 1, inputBits: 39 });
  tree.set(IOVA, 3, s2Leaf(3, 0x6_0000_2000n));
  const s2 = { t0sz: 25, sl0: 1, tg: 0n, ttb: tree.root };
  const second = image.stage2(s2);
  const stage2 = 'STE.Config=6: stage 2 alone (IHI 0070 5.2 Config)';
  cases.page({ requester: second }, IOVA, simplePage(0x6_0000_2000n), stage2);
  cases.refused({ requester: second, pasid: 0 }, IOVA, { fault: 'pasid-not-supported' }, substream);

  const noContext = image.stream(ste({ config: CONFIG.stage1, contextPtr: memory.absent() }));
  const unreadable = 'The context descriptor is not in the image (F_CD_FETCH, IHI 0070 7.3.10)';
  cases.refused({ requester: noContext }, IOVA, { fault: 'process-entry-unreadable' }, unreadable);
  const noRoot = image.stage1({ ttb0: { tsz: 25, tg: 0n, ttb: memory.absent() } });
  const noTable = 'The root table is not in the image (F_WALK_EABT, IHI 0070 7.3.12)';
  cases.refused({ requester: noRoot }, IOVA, { fault: 'table-unreadable' }, noTable);
  const noRoot2 = image.stage2({ ...s2, ttb: memory.absent() });
  cases.refused({ requester: noRoot2 }, IOVA, { fault: 'table-unreadable' }, noTable);
  return image.build();
};

/** STEs whose fields contradict each other or what the SMMU implements. */
const illegalEntries: Build = () => {
  const image = new SmmuImage('smmuv3: illegal STEs', { IDR1: idr1(16, 8), IDR5: (5n << 4n) | 5n });
  const { cases, memory } = image;
  const refuse = (words: readonly bigint[], why: string): void => {
    cases.refused({ requester: image.stream(words) }, 0x1000n, { fault: 'context-entry-invalid' }, why);
  };
  const tree = armTree(memory, { granule: '4K', start: 1, inputBits: 39 });
  tree.set(0x1000n, 3, s2Leaf(3, 0x8000_0000n));
  const good = { t0sz: 25, sl0: 1, tg: 0n, ttb: tree.root };
  const entry = (s2: typeof good): readonly bigint[] => ste({ config: CONFIG.stage2, s2 });
  cases.page(
    { requester: image.stream(entry(good)) },
    0x1000n,
    simplePage(0x8000_0000n),
    'The STE that the illegal ones differ from in one field',
  );
  refuse(entry({ ...good, tg: 3n }), 'STE.S2TG=3 is reserved: ILLEGAL (IHI 0070 5.2 S2TG)');
  refuse(entry({ ...good, tg: 2n }), 'STE.S2TG=16K without IDR5.GRAN16K: ILLEGAL (IHI 0070 5.2 S2TG)');
  refuse(entry({ ...good, t0sz: 15 }), 'STE.S2T0SZ below 16 with S2DS=0: ILLEGAL (IHI 0070 5.2 S2T0SZ)');
  refuse(
    entry({ ...good, t0sz: 40, sl0: 0 }),
    'STE.S2T0SZ=40 with IDR3.STT=0: ILLEGAL (IHI 0070 5.2 S2T0SZ)',
  );
  refuse(
    entry({ ...good, sl0: 2 }),
    'A 39-bit input cannot start at level 0: S2SL0 ILLEGAL (DDI 0487 D8.2.8.2)',
  );
  refuse(
    entry({ ...good, t0sz: 20 }),
    '44 bits at level 1 would be 32 tables: S2SL0 ILLEGAL (DDI 0487 D8.2.8.2)',
  );
  refuse(
    ste({ config: CONFIG.stage2, s2: { ...good, aa64: false } }),
    'STE.S2AA64=0 with IDR0.TTF[0]=0: ILLEGAL (IHI 0070 5.2 S2AA64)',
  );
  refuse(
    ste({ config: CONFIG.stage2, s2: { ...good, ps: 1n, ttb: 1n << 40n } }),
    'STE.S2TTB beyond S2PS: ILLEGAL (IHI 0070 5.2 S2TTB)',
  );
  const contextPtr = simpleContext(memory, 0x9000_0000n);
  refuse(
    ste({ config: CONFIG.stage1, contextPtr, cdMax: 9n, dss: 2n }),
    'STE.S1CDMax above IDR1.SSIDSIZE: ILLEGAL (IHI 0070 5.2 S1CDMax)',
  );
  return image.build();
};

/** Without one of its stages an SMMU takes no STE that asks for it. */
const missingStage = (stage: 1 | 2): Build => {
  return () => {
    const image = new SmmuImage(`smmuv3: stage ${stage} not implemented`, {
      IDR0: IDR0 & ~(stage === 1 ? 2n : 1n),
    });
    const tree = armTree(image.memory, { granule: '4K', start: 1, inputBits: 39 });
    tree.set(IOVA, 3, s2Leaf(3, 0x8000_0000n));
    const s2 = { t0sz: 25, sl0: 1, tg: 0n, ttb: tree.root };
    const first = image.stream(stage1Entry(image.memory, 0x7000_0000n));
    const second = image.stage2(s2);
    const [refused, taken] = stage === 1 ? [first, second] : [second, first];
    const why = `IDR0 lacks stage ${stage}: STE.Config that uses it is ILLEGAL (IHI 0070 5.2 Config)`;
    image.cases.refused({ requester: refused }, IOVA, { fault: 'context-entry-invalid' }, why);
    const target = stage === 1 ? 0x8000_0000n : 0x7000_0000n;
    const other = 'The stage that is implemented translates (IHI 0070 5.2 Config)';
    image.cases.page({ requester: taken }, IOVA, simplePage(target), other);
    return image.build();
  };
};

const linear: Build = () => {
  const image = new SmmuImage('smmuv3: linear stream table', { STRTAB_BASE_CFG: 6n, IDR1: idr1(10) });
  const { cases } = image;
  for (let index = 0; index < 63; index++) image.stream(ste({ config: CONFIG.abort }));
  const last = image.stream(stage1Entry(image.memory, 0xa_0000_0000n));
  const beyond = image.stream(stage1Entry(image.memory, 0xb_0000_0000n));
  cases.page(
    { requester: last },
    IOVA,
    simplePage(0xa_0000_0000n),
    'The last StreamID of LOG2SIZE=6 (IHI 0070 6.3.25)',
  );
  for (const requester of [beyond, 128, 1023, 0x8000]) {
    const why = 'StreamID >= 2^LOG2SIZE: C_BAD_STREAMID (IHI 0070 6.3.25, 7.3.3)';
    cases.refused({ requester }, IOVA, { fault: 'requester-out-of-range' }, why);
  }
  return image.build();
};

const narrowStreams: Build = () => {
  const image = new SmmuImage('smmuv3: SIDSIZE below LOG2SIZE', { IDR1: idr1(1) });
  const first = [0, 1].map(() => image.stream(stage1Entry(image.memory, 0xc_0000_0000n)));
  image.stream(stage1Entry(image.memory, 0xd_0000_0000n));
  for (const requester of first) {
    image.cases.page(
      { requester },
      IOVA,
      simplePage(0xc_0000_0000n),
      'StreamID below 2^SIDSIZE (IHI 0070 6.3.25)',
    );
  }
  const why = 'The effective LOG2SIZE is MIN(LOG2SIZE, IDR1.SIDSIZE) (IHI 0070 6.3.25)';
  image.cases.refused({ requester: 2 }, IOVA, { fault: 'requester-out-of-range' }, why);
  return image.build();
};

const missingTable = (twoLevel: boolean): Build => {
  return () => {
    const image = new SmmuImage(
      `smmuv3: ${twoLevel ? 'two-level' : 'linear'} stream table not in the image`,
      {
        STRTAB_BASE: 0x7777_0000n,
        ...(twoLevel ? { STRTAB_BASE_CFG: (1n << 16n) | (6n << 6n) | 9n } : {}),
      },
    );
    const fault = twoLevel ? 'root-entry-unreadable' : 'context-entry-unreadable';
    const why = 'The stream table is not in the image (F_STE_FETCH, IHI 0070 7.3.4)';
    image.cases.refused({ requester: 3 }, IOVA, { fault }, why);
    return image.build();
  };
};

/** STRTAB_BASE_CFG.FMT=1: eight level-1 descriptors. */
const twoLevel = (split: number): Build => {
  return (): BuiltImage => {
    const memory = new Memory();
    const cases = new Cases();
    const l1 = memory.allocate(64n);
    const perTable = 1 << split;
    const describe = (index: number, span: number, table: bigint): void =>
      memory.write(l1 + BigInt(index) * 8n, table | BigInt(span));
    const put = (table: bigint, index: number, target: bigint): void =>
      putWords(memory, table + BigInt(index) * 64n, stage1Entry(memory, target));

    const whole = memory.allocate(64n << BigInt(split), 64n << BigInt(split));
    describe(0, split + 1, whole);
    const partial = memory.allocate(4n * 64n);
    describe(2, 3, partial);
    const single = memory.allocate(64n);
    describe(7, 1, single);
    describe(3, split + 1, (memory.absent() & ~((64n << BigInt(split)) - 1n)) | (1n << 40n));
    describe(4, split + 2, whole);
    const invalid = memory.allocate(4096n);
    describe(5, 0, invalid);
    put(invalid, 0, 0x9_0000_0000n);

    const inRange = 'L1STD.Span: the level-2 array has 2^(Span-1) STEs (IHI 0070 5.1, 6.3.25 SPLIT)';
    const good: readonly (readonly [bigint, number, number])[] = [
      [whole, 0, 0],
      [whole, 0, 1],
      [whole, 0, perTable - 1],
      [partial, 2, 0],
      [partial, 2, 3],
      [single, 7, 0],
    ];
    good.forEach(([table, block, index], order) => {
      const target = 0x1_0000_0000n + BigInt(order) * 0x1000n;
      put(table, index, target);
      const requester = block * perTable + index;
      cases.page({ requester }, IOVA, simplePage(target), inRange);
    });
    const stream = (block: number, index: number) => ({ requester: block * perTable + index });
    const span = 'StreamID beyond the span of its level-1 descriptor: C_BAD_STREAMID (IHI 0070 5.1.1)';
    for (const [block, index] of [
      [2, 4],
      [2, perTable - 1],
      [7, 1],
    ] as const) {
      cases.refused(stream(block, index), IOVA, { fault: 'requester-out-of-range' }, span);
    }
    const zero = 'L1STD.Span=0: its StreamIDs are invalid (IHI 0070 5.1 Span)';
    for (const block of [1, 5, 6]) {
      cases.refused(stream(block, 0), IOVA, { fault: 'root-entry-not-present' }, zero);
      cases.refused(stream(block, perTable - 1), IOVA, { fault: 'root-entry-not-present' }, zero);
    }
    const absent = 'The level-2 array is not in the image (F_STE_FETCH, IHI 0070 7.3.4)';
    cases.refused(stream(3, 2), IOVA, { fault: 'context-entry-unreadable' }, absent);
    const notValid = 'STE.V=0 in a level-2 array: C_BAD_STE (IHI 0070 5.2 V)';
    cases.refused(stream(0, 2), IOVA, { fault: 'context-entry-not-present' }, notValid);
    const beyond = 'StreamID >= 2^LOG2SIZE: C_BAD_STREAMID (IHI 0070 6.3.25)';
    cases.refused(stream(8, 0), IOVA, { fault: 'requester-out-of-range' }, beyond);
    cases.refused(stream(8, 1), IOVA, { fault: 'requester-out-of-range' }, beyond);
    return {
      name: `smmuv3: two-level stream table, SPLIT=${split}`,
      kind: 'smmuv3',
      registers: {
        STRTAB_BASE: l1,
        STRTAB_BASE_CFG: (1n << 16n) | (BigInt(split) << 6n) | BigInt(split + 3),
        CR0: 1n,
        GBPA: 0n,
        IDR0,
        IDR1: idr1(20),
        IDR3: IDR3_HAD,
        IDR5: IDR5_48,
      },
      frames: memory.frames,
      expectations: cases.expectations,
    };
  };
};

export const SMMU_STREAM_TABLE_IMAGES: readonly Build[] = [
  disabled(false),
  disabled(true),
  configurations,
  illegalEntries,
  missingStage(1),
  missingStage(2),
  linear,
  narrowStreams,
  missingTable(false),
  missingTable(true),
  twoLevel(6),
  twoLevel(8),
  twoLevel(10),
];
