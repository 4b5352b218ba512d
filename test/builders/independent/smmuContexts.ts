/** Which context descriptor a request takes, and which ones are illegal. IHI 0070 5.2 (S1Fmt, S1CDMax, S1DSS), 5.3, 5.4. */
import { type Build } from './armRiscvCases';
import { armTree, GRANULES, s1Leaf, s2Leaf } from './armTables';
import { type CdFields, CONFIG, IDR0, idr1, IDR5_48, putWords, SmmuImage, ste } from './smmuImage';
import { simpleContext, SIMPLE_IOVA, simplePage } from './smmuStreamTables';

const targetOf = (pasid: number): bigint => 0x2_0000_0000n + BigInt(pasid) * 0x10_0000n;

/** Copies a context descriptor that maps the page of `pasid` into a table of descriptors. */
function putContext(image: SmmuImage, table: bigint, index: number, pasid: number): void {
  const context = simpleContext(image.memory, targetOf(pasid));
  const words = Array.from({ length: 8 }, (_, word) => image.memory.read(context + BigInt(word) * 8n));
  putWords(image.memory, table + BigInt(index) * 64n, words);
}

/** S1Fmt=0, and what S1DSS does with requests that bring no SubstreamID. */
const linearContexts: Build = () => {
  const image = new SmmuImage('smmuv3: linear context descriptors, S1DSS');
  const { cases, memory } = image;
  const table = memory.allocate(64n * 64n);
  for (const pasid of [0, 1, 5, 63]) putContext(image, table, pasid, pasid);
  const entry = (cdMax: bigint, dss: bigint): number =>
    image.stream(ste({ config: CONFIG.stage1, contextPtr: table, cdMax, dss }));
  const blocked = { fault: 'translation-blocked' };

  const terminate = entry(6n, 0n);
  for (const pasid of [0, 1, 5, 63]) {
    const why = 'S1Fmt=0: context descriptors indexed by SubstreamID (IHI 0070 5.2 S1Fmt)';
    cases.page({ requester: terminate, pasid }, SIMPLE_IOVA, simplePage(targetOf(pasid)), why);
  }
  const none = 'S1DSS=0: a request without SubstreamID is terminated, F_STREAM_DISABLED (IHI 0070 5.2 S1DSS)';
  cases.refused({ requester: terminate }, SIMPLE_IOVA, blocked, none);
  const notValid = 'CD.V=0: C_BAD_CD (IHI 0070 5.4 V)';
  cases.refused(
    { requester: terminate, pasid: 2 },
    SIMPLE_IOVA,
    { fault: 'process-entry-not-present' },
    notValid,
  );
  const beyond = 'SubstreamID >= 2^S1CDMax: C_BAD_SUBSTREAMID (IHI 0070 5.2 S1CDMax)';
  for (const pasid of [64, 1000, 0xfffff]) {
    cases.refused({ requester: terminate, pasid }, SIMPLE_IOVA, { fault: 'pasid-out-of-range' }, beyond);
  }

  const bypass = entry(3n, 1n);
  const through = 'S1DSS=1: stage 1 is bypassed without SubstreamID (IHI 0070 5.2 S1DSS)';
  cases.passThrough({ requester: bypass }, [0n, SIMPLE_IOVA, 0xffff_ffff_ffffn], through);
  const large = 'S1DSS=1 bypass beyond the OAS: F_ADDR_SIZE (IHI 0070 3.4, 5.2 S1DSS)';
  cases.refused({ requester: bypass }, 1n << 48n, { fault: 'address-size' }, large);
  const used = 'S1DSS=1 with a SubstreamID: its context descriptor is used (IHI 0070 5.2 S1DSS)';
  cases.page({ requester: bypass, pasid: 5 }, SIMPLE_IOVA, simplePage(targetOf(5)), used);
  cases.page({ requester: bypass, pasid: 0 }, SIMPLE_IOVA, simplePage(targetOf(0)), used);
  cases.refused({ requester: bypass, pasid: 8 }, SIMPLE_IOVA, { fault: 'pasid-out-of-range' }, beyond);

  const zero = entry(3n, 2n);
  const substream0 = 'S1DSS=2: without SubstreamID the CD of substream 0 is used (IHI 0070 5.2 S1DSS)';
  cases.page({ requester: zero }, SIMPLE_IOVA, simplePage(targetOf(0)), substream0);
  const taken = 'S1DSS=2: SubstreamID 0 itself is terminated, F_STREAM_DISABLED (IHI 0070 5.2 S1DSS)';
  cases.refused({ requester: zero, pasid: 0 }, SIMPLE_IOVA, blocked, taken);
  const others = 'S1DSS=2: other SubstreamIDs use their own CD (IHI 0070 5.2 S1DSS)';
  cases.page({ requester: zero, pasid: 1 }, SIMPLE_IOVA, simplePage(targetOf(1)), others);
  const reserved = 'S1DSS=3 behaves as 0 (IHI 0070 5.2 S1DSS)';
  cases.refused({ requester: entry(3n, 3n) }, SIMPLE_IOVA, blocked, reserved);

  const single = entry(0n, 0n);
  const ignored = 'S1CDMax=0: one CD, S1DSS ignored (IHI 0070 5.2 S1CDMax)';
  cases.page({ requester: single }, SIMPLE_IOVA, simplePage(targetOf(0)), ignored);
  const disabled = 'S1CDMax=0 and a SubstreamID: C_BAD_SUBSTREAMID (IHI 0070 5.2 S1CDMax)';
  for (const pasid of [0, 1]) {
    cases.refused({ requester: single, pasid }, SIMPLE_IOVA, { fault: 'pasid-not-supported' }, disabled);
  }
  return image.build();
};

/** S1Fmt=1 (64 CDs to a 4K table) and S1Fmt=2 (1024 CDs to a 64K table). */
const twoLevelContexts = (s1Fmt: 1n | 2n): Build => {
  return () => {
    const image = new SmmuImage(`smmuv3: two-level context descriptors, S1Fmt=${s1Fmt}`);
    const { cases, memory } = image;
    const split = s1Fmt === 1n ? 6 : 10;
    const perTable = 1 << split;
    const l1 = memory.allocate(16n * 8n);
    const tables = [0, 1, 3].map((index) => {
      const bytes = 64n << BigInt(split);
      const table = memory.allocate(bytes, bytes);
      memory.write(l1 + BigInt(index) * 8n, table | 1n);
      return { index, table };
    });
    // Entry 5 has a pointer but is not valid; entry 6 points out of the image.
    memory.write(l1 + 5n * 8n, tables[0]?.table ?? 0n);
    memory.write(l1 + 6n * 8n, (1n << 41n) | 1n);
    const cdMax = BigInt(split + 4);
    const requester = image.stream(ste({ config: CONFIG.stage1, contextPtr: l1, s1Fmt, cdMax, dss: 0n }));
    for (const { index, table } of tables) {
      for (const offset of [0, 1, perTable - 1]) {
        const pasid = index * perTable + offset;
        putContext(image, table, offset, pasid);
        const why = `S1Fmt=${s1Fmt}: L1CD by the upper SubstreamID bits, CD by the lower ${split} (IHI 0070 5.2, 5.3)`;
        cases.page({ requester, pasid }, SIMPLE_IOVA, simplePage(targetOf(pasid)), why);
      }
    }
    const notPresent = { fault: 'process-entry-not-present' };
    const notValid = 'L1CD.V=0: C_BAD_SUBSTREAMID (IHI 0070 5.3.1)';
    for (const index of [2, 5, 15]) {
      cases.refused({ requester, pasid: index * perTable }, SIMPLE_IOVA, notPresent, notValid);
    }
    const unused = 'CD.V=0: C_BAD_CD (IHI 0070 5.4 V)';
    cases.refused({ requester, pasid: 2 }, SIMPLE_IOVA, notPresent, unused);
    const absent = 'The level-2 table is not in the image (F_CD_FETCH, IHI 0070 7.3.10)';
    const unreadable = { fault: 'process-entry-unreadable' };
    cases.refused({ requester, pasid: 6 * perTable }, SIMPLE_IOVA, unreadable, absent);
    const beyond = 'SubstreamID >= 2^S1CDMax: C_BAD_SUBSTREAMID (IHI 0070 5.2 S1CDMax)';
    cases.refused({ requester, pasid: 16 * perTable }, SIMPLE_IOVA, { fault: 'pasid-out-of-range' }, beyond);

    const small = image.stream(ste({ config: CONFIG.stage1, contextPtr: l1, s1Fmt, cdMax: 4n, dss: 2n }));
    const first = 'S1CDMax below the split: only L1CD 0 is used (IHI 0070 5.2 S1Fmt)';
    cases.page({ requester: small, pasid: 1 }, SIMPLE_IOVA, simplePage(targetOf(1)), first);
    const zero = 'S1DSS=2 in a two-level table: substream 0 (IHI 0070 5.2 S1DSS)';
    cases.page({ requester: small }, SIMPLE_IOVA, simplePage(targetOf(0)), zero);
    cases.refused({ requester: small, pasid: 16 }, SIMPLE_IOVA, { fault: 'pasid-out-of-range' }, beyond);
    return image.build();
  };
};

/** IDR0.CD2L=0. */
const noTwoLevel: Build = () => {
  const image = new SmmuImage('smmuv3: two-level context descriptors not implemented', {
    IDR0: IDR0 & ~(1n << 19n),
  });
  const contextPtr = simpleContext(image.memory, targetOf(0));
  const requester = image.stream(ste({ config: CONFIG.stage1, contextPtr, s1Fmt: 1n, cdMax: 6n, dss: 2n }));
  const why = 'S1Fmt != 0 with IDR0.CD2L=0: ILLEGAL (IHI 0070 5.2 S1Fmt)';
  image.cases.refused({ requester }, SIMPLE_IOVA, { fault: 'context-entry-invalid' }, why);
  const ignored = image.stream(ste({ config: CONFIG.stage1, contextPtr, s1Fmt: 1n, cdMax: 0n }));
  const single = 'S1Fmt is ignored when S1CDMax=0 (IHI 0070 5.2 S1Fmt)';
  image.cases.page({ requester: ignored }, SIMPLE_IOVA, simplePage(targetOf(0)), single);
  return image.build();
};

/** IDR1.SSIDSIZE=0: S1CDMax, S1Fmt and S1DSS count for nothing. */
const noSubstreams: Build = () => {
  const image = new SmmuImage('smmuv3: no SubstreamIDs', { IDR1: idr1(16, 0) });
  const contextPtr = simpleContext(image.memory, targetOf(0));
  const requester = image.stream(ste({ config: CONFIG.stage1, contextPtr, s1Fmt: 1n, cdMax: 6n, dss: 0n }));
  const why = 'SSIDSIZE=0: S1CDMax is ignored, one CD (IHI 0070 5.2 S1CDMax)';
  image.cases.page({ requester }, SIMPLE_IOVA, simplePage(targetOf(0)), why);
  return image.build();
};

/** Context descriptors with one field wrong. */
const illegalContexts: Build = () => {
  const image = new SmmuImage('smmuv3: illegal context descriptors', {
    IDR5: IDR5_48 & ~(1n << 5n),
    IDR0: IDR0 & ~0xc0n,
  });
  const { cases, memory } = image;
  const tree = armTree(memory, { granule: '4K', start: 1, inputBits: 39 });
  tree.set(SIMPLE_IOVA, 3, s1Leaf(3, targetOf(9)));
  const ttb0 = { tsz: 25, tg: 0n, ttb: tree.root };
  const add = (fields: CdFields): number => image.stage1(fields);
  const refuse = (fields: CdFields, why: string, fault = 'process-entry-invalid'): void =>
    cases.refused({ requester: add(fields) }, SIMPLE_IOVA, { fault }, why);
  const good = 'The context descriptor that the illegal ones differ from in one field';
  cases.page({ requester: add({ ttb0 }) }, SIMPLE_IOVA, simplePage(targetOf(9)), good);

  refuse({ ttb0, valid: false }, 'CD.V=0: C_BAD_CD (IHI 0070 5.4 V)', 'process-entry-not-present');
  refuse({ ttb0: { ...ttb0, tg: 3n } }, 'CD.TG0=3 is reserved: ILLEGAL (IHI 0070 5.4 TG0)');
  refuse({ ttb0: { ...ttb0, tg: 2n } }, 'CD.TG0=16K without IDR5.GRAN16K: ILLEGAL (IHI 0070 5.4 TG0)');
  refuse({ ttb0: { ...ttb0, tsz: 40 } }, 'CD.T0SZ above 39 with IDR3.STT=0: ILLEGAL (IHI 0070 5.4 T0SZ)');
  refuse({ ttb0: { ...ttb0, tsz: 15 } }, 'CD.T0SZ below 16 with VAX=0: ILLEGAL (IHI 0070 5.4 T0SZ)');
  refuse({ ttb0, aa64: false }, 'CD.AA64=0 with IDR0.TTF[0]=0: ILLEGAL (IHI 0070 5.4 AA64)');
  refuse({ ttb0: { ...ttb0, ttb: 1n << 40n }, ips: 1n }, 'CD.TTB0 beyond IPS: ILLEGAL (IHI 0070 5.4 TTB0)');
  refuse({ ttb0, ha: true }, 'CD.HA=1 with IDR0.HTTU=0: ILLEGAL (IHI 0070 5.4 HA)');
  refuse({ ttb0, ha: true, hd: true }, 'CD.HD=1 with IDR0.HTTU=0: ILLEGAL (IHI 0070 5.4 HA)');
  const ttb1 = { tsz: 25, tg: GRANULES['4K'].tg1, ttb: tree.root };
  refuse(
    { ttb0, ttb1: { ...ttb1, tg: 0n } },
    'CD.TG1=0 is reserved: ILLEGAL even for TTB0 (IHI 0070 5.4 TG1, 5.4.2)',
  );
  refuse({ ttb0, ttb1: { ...ttb1, tsz: 40 } }, 'CD.T1SZ above 39: ILLEGAL even for TTB0 (IHI 0070 5.4.1.1)');

  const ignored = 'EPD1=1: T1SZ and TG1 are ignored (IHI 0070 5.4.1.1)';
  const epd1 = add({ ttb0, ttb1: { tsz: 63, tg: 0n, ttb: 0n }, epd1: true });
  cases.page({ requester: epd1 }, SIMPLE_IOVA, simplePage(targetOf(9)), ignored);
  const blocked = { fault: 'translation-blocked' };
  const upper = 0xffff_ff80_0000_0000n | SIMPLE_IOVA;
  const walk = 'EPD: no walks through this half, F_TRANSLATION (IHI 0070 5.4 EPD0, 5.4.1.1)';
  cases.refused({ requester: add({ ttb0, ttb1, epd1: true }) }, upper, blocked, walk);
  const epd0 = add({ ttb0: { tsz: 63, tg: 3n, ttb: 0n }, ttb1, epd0: true });
  cases.refused({ requester: epd0 }, SIMPLE_IOVA, blocked, walk);
  const other = 'EPD0=1 leaves TTB1 to translate (IHI 0070 5.4.1.1)';
  cases.page({ requester: epd0 }, upper, simplePage(targetOf(9)), other);
  return image.build();
};

/** Config 7: S1DSS=1 leaves stage 2 to translate. */
const nestedBypass: Build = () => {
  const image = new SmmuImage('smmuv3: S1DSS=1 with stage 2');
  const tree = armTree(image.memory, { granule: '4K', start: 1, inputBits: 39 });
  tree.set(SIMPLE_IOVA, 3, s2Leaf(3, 0x3_3333_3000n));
  const s2 = { t0sz: 25, sl0: 1, tg: 0n, ttb: tree.root };
  const requester = image.stream(ste({ config: CONFIG.nested, contextPtr: 0x1000n, cdMax: 4n, dss: 1n, s2 }));
  const why =
    'S1DSS=1 with Config=7: as Config=6, stage 2 translates and no CD is fetched (IHI 0070 5.2 S1DSS)';
  image.cases.page({ requester }, SIMPLE_IOVA, { ...simplePage(0x3_3333_3000n) }, why);
  const miss = { fault: 'not-present', stage: 2 as const };
  image.cases.refused(
    { requester },
    SIMPLE_IOVA + 0x1000n,
    miss,
    'The IPA is not mapped by stage 2 (IHI 0070 3.4)',
  );
  return image.build();
};

export const SMMU_CONTEXT_IMAGES: readonly Build[] = [
  linearContexts,
  twoLevelContexts(1n),
  twoLevelContexts(2n),
  noTwoLevel,
  noSubstreams,
  illegalContexts,
  nestedBypass,
];
