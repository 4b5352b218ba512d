/** Tables of a first stage that hardware marks as it uses them: stage 2 must allow it to write there. */
import assert from 'node:assert/strict';
import { openDirectory } from '../../../src/engine/directory/index';
import { amdV1 } from '../../../src/engine/formats/amdV1';
import { armFormat, stage1Start, stage2Start } from '../../../src/engine/formats/arm';
import { compileFormat, type CompiledFormat } from '../../../src/engine/formats/compile';
import { type FormatHardware } from '../../../src/engine/formats/pageTableFormat';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { amdV2, vtdFirstStage } from '../../../src/engine/formats/x8664';
import { zeroExtended, type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { NestedMemory } from '../../../src/engine/pageTable/nestedMemory';
import { domainId, frameNumber, pasid, requesterId } from '../../../src/engine/values';
import { FrameMemory, at } from '../../builders/tables';
import { answersOf } from './bothWays';

const bit = (place: number): bigint => 1n << BigInt(place);

/** Words of a pair of formats. */
interface Pair {
  readonly first: CompiledFormat;
  readonly second: CompiledFormat;
  /** A table entry of stage 1 that is marked, and a leaf. */
  readonly table: (frame: number) => bigint;
  readonly leaf: (frame: number) => bigint;
  readonly belowTable: (frame: number, depth: number) => bigint;
  readonly belowLeaf: (frame: number, writable: boolean) => bigint;
}

/** Tables of stage 1 stand in these guest frames, from the root on; its first page leads to guest frame 0x80. */
const ROOT = 0x10;
const DATA = 0x80;

interface Setting {
  /** The depth of the table of stage 1 that stage 2 lets be read only. */
  readonly readOnly: number;
  /** What the entries have in place of the marked ones, by depth. */
  readonly words?: Readonly<Record<number, bigint>>;
}

function nested({ first, second, ...words }: Pair, { readOnly, words: given = {} }: Setting): AddressSpace {
  const memory = new FrameMemory();
  const common = { rootEntry: 0, domainId: domainId(1), root: frameNumber(ROOT) };
  const below: AddressSpace = {
    ...common,
    stage: 2,
    root: frameNumber(1),
    format: second,
    ...zeroExtended(second.addressBits),
    memory,
    stage2: undefined,
  };
  for (let index = 0; index < second.rootDepth; index++) {
    memory.frame(1 + index);
    const depth = second.rootDepth - index;
    if (depth > 1) memory.set(1 + index, 0, words.belowTable(2 + index, depth - 1));
  }
  const refused = ROOT + first.rootDepth - readOnly;
  for (let frame = 0; frame < 0x100; frame++)
    memory.set(second.rootDepth, frame, words.belowLeaf(frame, frame !== refused));
  for (let index = 0; index < first.rootDepth; index++) {
    const [frame, depth] = [ROOT + index, first.rootDepth - index];
    memory.frame(frame);
    memory.set(frame, 0, given[depth] ?? (depth > 1 ? words.table(frame + 1) : words.leaf(DATA)));
  }
  return {
    ...common,
    stage: 1,
    format: first,
    ...zeroExtended(first.addressBits),
    memory: new NestedMemory(memory, below),
    stage2: below,
  };
}

/** Of a read and of a write of the first page. */
const answers = (pair: Pair, setting: Setting): string[] =>
  answersOf(
    nested(pair, setting),
    [false, true].map((write) => ({ address: 0x123n, write })),
  );

const REACHED = '0x80123';
const REFUSED = 'write-denied, stage 2, depth 1';

function armPair(hardware: FormatHardware): Pair {
  const start = stage1Start('4K', 39);
  const below = stage2Start('4K', '48', 39, { sl0: 1, sl2: 0 });
  assert.ok(below);
  return {
    first: compileFormat(armFormat(1, '4K', '48'), start.levels, hardware, start.rootIndexBits),
    second: compileFormat(armFormat(2, '4K', '48'), below.levels, {}, below.rootIndexBits),
    table: (frame) => at(frame) | 0x3n | bit(10),
    // AP[1], AF.
    leaf: (frame) => at(frame) | 0x443n,
    belowTable: (frame) => at(frame) | 0x3n,
    belowLeaf: (frame, writable) => at(frame) | 0x743n | (writable ? bit(7) : 0n),
  };
}

describe('marks of Arm stage 1 above stage 2 (IHI 0070 3.13.5, DDI 0487 D8.5)', () => {
  const HA = armPair({ setsAccessed: true });
  const HD = armPair({ setsAccessed: true, setsDirty: true });
  const HAFT = armPair({ setsAccessed: true, features: { marksTables: true } });
  const leaf = at(DATA) | 0x43n;
  const AF = bit(10);
  const AP2 = bit(7);
  const DBM = bit(51);

  it('are written where stage 2 allows writes only: the access flag', () => {
    assert.deepEqual(answers(HA, { readOnly: 1 }), [REACHED, REACHED]);
    assert.deepEqual(answers(HA, { readOnly: 1, words: { 1: leaf } }), [REFUSED, REFUSED]);
    assert.deepEqual(answers(HA, { readOnly: 2, words: { 1: leaf } }), [REACHED, REACHED]);
  });

  it('are not written for a request that stage 1 refuses', () => {
    const readOnly = leaf | AP2;
    assert.deepEqual(answers(HA, { readOnly: 1, words: { 1: readOnly } }), [
      REFUSED,
      'write-denied, stage 1, depth 1',
    ]);
    const fault = 'access-flag, stage 1, depth 1';
    assert.deepEqual(answers(armPair({}), { readOnly: 1, words: { 1: leaf } }), [fault, fault]);
  });

  it('are written where stage 2 allows writes only: the dirty state, by writes', () => {
    const clean = { 1: leaf | AF | AP2 | DBM };
    assert.deepEqual(answers(HD, { readOnly: 1, words: clean }), [REACHED, REFUSED]);
    assert.deepEqual(answers(HD, { readOnly: 0, words: clean }), [REACHED, REACHED]);
    const dirty = { 1: leaf | AF | DBM };
    assert.deepEqual(answers(HD, { readOnly: 1, words: dirty }), [REACHED, REACHED]);
    const untracked = { 1: leaf | AF };
    assert.deepEqual(answers(HD, { readOnly: 1, words: untracked }), [REACHED, REACHED]);
  });

  it('are those of tables, too, with HAFT', () => {
    const unmarked = { 3: at(ROOT + 1) | 3n };
    assert.deepEqual(answers(HA, { readOnly: 3, words: unmarked }), [REACHED, REACHED]);
    assert.deepEqual(answers(HAFT, { readOnly: 3, words: unmarked }), [REFUSED, REFUSED]);
    assert.deepEqual(answers(HAFT, { readOnly: 2, words: unmarked }), [REACHED, REACHED]);
    assert.deepEqual(answers(HAFT, { readOnly: 3 }), [REACHED, REACHED]);
  });
});

describe('marks of Arm tables (IHI 0070 5.4, CD.HAFT)', () => {
  /** Bits that hardware sets in table entries of the only stream. */
  function tableMarks(httu: bigint, cd: bigint, haft: bigint): number {
    const memory = new FrameMemory();
    for (const frame of [1, 2, 0x10]) memory.frame(frame);
    memory.set(1, 0, 1n | (5n << 1n) | at(2));
    // T0SZ 25, EPD1, V, IPS 5, AA64, R, A; TTB0.
    memory.set(2, 0, 25n | bit(30) | bit(31) | (5n << 32n) | bit(41) | bit(45) | bit(46) | cd);
    memory.set(2, 1, at(0x10) | haft);
    const IDR0 = 3n | (2n << 2n) | (httu << 6n) | (2n << 21n);
    const registers = { STRTAB_BASE: at(1), STRTAB_BASE_CFG: 6n, IDR0, IDR1: 16n, IDR5: (7n << 4n) | 5n };
    const opened = openDirectory('smmuv3', memory, new Map(Object.entries(registers)));
    assert.ok(opened.ok);
    const { answer } = opened.value.lookup(requesterId(0), null);
    assert.equal(answer.kind, 'table', answer.kind === 'fault' ? answer.why : '');
    return answer.space.format.tableMarksLo;
  }

  it('are set with HAFT where IDR0.HTTU has it, and hardware marks at all', () => {
    const [HA, HAFT] = [bit(43), bit(3)];
    assert.equal(tableMarks(3n, HA, HAFT), 1 << 10);
    assert.equal(tableMarks(3n, HA, 0n), 0);
    assert.equal(tableMarks(2n, HA, HAFT), 0);
    assert.equal(tableMarks(2n, 0n, HAFT), 0);
  });
});

const X86_WORDS = {
  table: (frame: number) => at(frame) | 0x27n,
  leaf: (frame: number) => at(frame) | 0x67n,
};
const MARKS: FormatHardware = { setsAccessed: true, setsDirty: true };
const X86: Readonly<Record<string, Pair>> = {
  'VT-d first stage above second stage (VT-d 4.1, condition SFS.8)': {
    ...X86_WORDS,
    first: compileFormat(vtdFirstStage, 4, MARKS),
    second: compileFormat(vtdSecondStage, 3, {}),
    belowTable: (frame) => at(frame) | 3n,
    belowLeaf: (frame, writable) => at(frame) | (writable ? 3n : 1n),
  },
  'AMD guest tables above host tables': {
    ...X86_WORDS,
    first: compileFormat(amdV2, 4, MARKS),
    second: compileFormat(amdV1, 3, {}),
    belowTable: (frame, depth) => at(frame) | bit(61) | bit(62) | (BigInt(depth) << 9n) | 1n,
    belowLeaf: (frame, writable) => at(frame) | bit(61) | (writable ? bit(62) : 0n) | 1n,
  },
};

for (const [title, pair] of Object.entries(X86)) {
  describe(`marks of ${title}`, () => {
    const ACCESSED = 0x20n;
    const DIRTY = 0x40n;

    it('are written where stage 2 allows writes only: A of every level', () => {
      for (let depth = 1; depth <= 4; depth++) {
        assert.deepEqual(answers(pair, { readOnly: depth }), [REACHED, REACHED]);
        const marked = depth === 1 ? pair.leaf(DATA) : pair.table(ROOT + 5 - depth);
        const words = { [depth]: marked & ~ACCESSED };
        assert.deepEqual(answers(pair, { readOnly: depth, words }), [REFUSED, REFUSED], `depth ${depth}`);
        assert.deepEqual(answers(pair, { readOnly: 0, words }), [REACHED, REACHED]);
      }
    });

    it('are written where stage 2 allows writes only: D of the leaf, by writes', () => {
      const words = { 1: pair.leaf(DATA) & ~DIRTY };
      assert.deepEqual(answers(pair, { readOnly: 1, words }), [REACHED, REFUSED]);
      assert.deepEqual(answers(pair, { readOnly: 0, words }), [REACHED, REACHED]);
    });

    it('are written level by level, before what is below is looked at', () => {
      const words = { 4: pair.table(ROOT + 1) & ~ACCESSED, 1: 0n };
      assert.deepEqual(answers(pair, { readOnly: 4, words }), [REFUSED, REFUSED]);
      const missing = 'not-present, stage 1, depth 1';
      assert.deepEqual(answers(pair, { readOnly: 0, words }), [missing, missing]);
    });
  });
}

describe('marks of many leaves', () => {
  it('are looked at frame by frame: what one table allows says nothing of another', () => {
    const pair = Object.values(X86)[0];
    assert.ok(pair);
    const unmarked = (frame: number): bigint => pair.leaf(frame) & ~0x60n;
    const space = nested(pair, { readOnly: 0, words: { 1: unmarked(DATA) } });
    const stage2 = space.stage2?.memory;
    assert.ok(stage2 instanceof FrameMemory);
    // Entry 1 of level 2 leads to the table in guest frame 0x20, which stage 2 lets be read only.
    stage2.frame(0x20);
    stage2.set(ROOT + 2, 1, pair.table(0x20));
    stage2.set(3, 0x20, pair.belowLeaf(0x20, false));
    for (const table of [ROOT + 3, 0x20])
      for (let index = 0; index < 4; index++) stage2.set(table, index, unmarked(DATA + index));
    const asked = [0, 1, 512, 2, 513, 3].map((page) => ({ address: BigInt(page) << 12n, write: page > 1 }));
    assert.deepEqual(answersOf(space, asked), ['0x80000', '0x81000', REFUSED, '0x82000', REFUSED, '0x83000']);
  });
});

describe('marks of a RISC-V first stage above a second (RISC-V IOMMU 1.0 §2.1.3.1, SADE and GADE)', () => {
  const [GADE, SADE] = [bit(7), bit(8)];
  const [W, A, D] = [bit(2), bit(6), bit(7)];
  const GOOD = 0xdfn;
  const pointer = (frame: number): bigint => (BigInt(frame) << 10n) | 1n;
  const page = (frame: number, flags: bigint): bigint => (BigInt(frame) << 10n) | flags;

  /** Device 0: Sv39 in guest frames 0x10 to 0x12, Sv39x4 in frame 4 and on; process 0 of a directory in guest frame 0x20. */
  function directory(tc: bigint, leaf: bigint, below: Readonly<Record<number, bigint>>, processes: boolean) {
    const memory = new FrameMemory();
    for (const frame of [1, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x20]) memory.frame(frame);
    memory.set(4, 0, pointer(8));
    memory.set(8, 0, pointer(9));
    for (let frame = 0; frame < 0x100; frame++) memory.set(9, frame, page(frame, below[frame] ?? GOOD));
    memory.set(0x10, 0, pointer(0x11));
    memory.set(0x11, 0, pointer(0x12));
    memory.set(0x12, 0, page(DATA, leaf));
    const sv39 = (8n << 60n) | BigInt(ROOT);
    memory.set(0x20, 0, 1n);
    memory.set(0x20, 1, sv39);
    const words = [1n | tc | (processes ? bit(5) : 0n), (8n << 60n) | 4n, 0n];
    [...words, processes ? (1n << 60n) | 0x20n : sv39].forEach((word, index) => {
      memory.set(1, index, word);
    });
    const capabilities = 0x10n | (7n << 9n) | (7n << 17n) | bit(24) | (56n << 32n) | (7n << 38n);
    const registers = { ddtp: (1n << 10n) | 2n, capabilities, fctl: 0n };
    const opened = openDirectory('riscv', memory, new Map(Object.entries(registers)));
    assert.ok(opened.ok);
    return opened.value.lookup(requesterId(0), processes ? pasid(0) : null).answer;
  }

  function requests(tc: bigint, leaf: bigint, below: Readonly<Record<number, bigint>>, processes = false) {
    const answer = directory(tc, leaf, below, processes);
    assert.equal(answer.kind, 'table');
    return answersOf(
      answer.space,
      [false, true].map((write) => ({ address: 0x123n, write })),
    );
  }

  const TABLE = 0x12;
  const DIRTIED = 'dirty-flag, stage 2, depth 1';

  it('need D of pages that may be written, with SADE and without GADE', () => {
    for (const [tc, expected] of [
      [SADE, DIRTIED],
      [SADE | GADE, REACHED],
      [0n, REACHED],
      [GADE, REACHED],
    ] as const) {
      for (const table of [ROOT, 0x11, TABLE])
        assert.deepEqual(requests(tc, GOOD, { [table]: GOOD & ~D }), [expected, expected]);
      assert.deepEqual(requests(tc, GOOD, { [TABLE]: GOOD & ~W & ~D }), [REACHED, REACHED]);
    }
  });

  it('need no D of the pages of process directories, which are not marked', () => {
    assert.deepEqual(requests(SADE, GOOD, { 0x20: GOOD & ~D }, true), [REACHED, REACHED]);
  });

  it('are written where the second stage allows writes only', () => {
    const readOnly = { [TABLE]: GOOD & ~W };
    for (const tc of [SADE, SADE | GADE]) {
      assert.deepEqual(requests(tc, GOOD, readOnly), [REACHED, REACHED]);
      assert.deepEqual(requests(tc, GOOD & ~A, readOnly), [REFUSED, REFUSED]);
      assert.deepEqual(requests(tc, GOOD & ~D, readOnly), [REACHED, REFUSED]);
      assert.deepEqual(requests(tc, GOOD & ~A & ~D, {}), [REACHED, REACHED]);
    }
    const fault = 'access-flag, stage 1, depth 1';
    assert.deepEqual(requests(0n, GOOD & ~A, readOnly), [fault, fault]);
  });
});
