import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeFields, mask, type BitField } from '../../../../src/engine/bits/bitFields';
import { armFormat, armFormats, stage1Start, stage2Start } from '../../../../src/engine/formats/arm';
import { compileFormat, levelOf } from '../../../../src/engine/formats/compile';
import {
  type EntryShape,
  type FormatHardware,
  type LevelRule,
  type PageTableFormat,
} from '../../../../src/engine/formats/pageTableFormat';
import { zeroExtended, type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import {
  classify,
  entryFrame,
  entryPermission,
  leafFrame,
  pageShift,
  permissionText,
} from '../../../../src/engine/pageTable/entry';
import { isAccessed, isDirty } from '../../../../src/engine/pageTable/marks';
import { ABSENT, LEAF, MALFORMED, TABLE } from '../../../../src/engine/pageTable/entryClass';
import { entryProblems } from '../../../../src/engine/pageTable/entryProblems';
import { translateBatch } from '../../../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { domainId, frameNumber } from '../../../../src/engine/values';
import { FrameMemory, at } from '../../../builders/tables';

const bit = (place: number): bigint => 1n << BigInt(place);
const half = (word: bigint) => [Number(word & 0xffffffffn) | 0, Number(word >> 32n) | 0] as const;
const depthOf = (level: number): number => 4 - level;

const AF = bit(10);
const DBM = bit(51);
const CONTIGUOUS = bit(52);

const S1_4K = armFormat(1, '4K', '48');
const S2_4K = armFormat(2, '4K', '48');
const S1_4K_DS = armFormat(1, '4K', 'ds');
const S1_64K = armFormat(1, '64K', '48');
const S1_64K_LPA = armFormat(1, '64K', 'lpa');

const shapesOf = (level: LevelRule): readonly EntryShape[] =>
  level.level === 3 ? ['leaf'] : ['leaf', 'table'];

function compiled(format: PageTableFormat, hardware: FormatHardware = {}) {
  return compileFormat(format, format.levels.length, hardware);
}

function classOf(format: PageTableFormat, level: number, word: bigint): number {
  const ready = compiled(format);
  return classify(ready, levelOf(ready, depthOf(level)), ...half(word));
}

function permissionOf(
  format: PageTableFormat,
  level: number,
  word: bigint,
  hardware: FormatHardware,
): string {
  const ready = compiled(format, hardware);
  const found = classify(ready, levelOf(ready, depthOf(level)), ...half(word));
  return permissionText(entryPermission(ready, found, ...half(word)));
}

function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.ok(high >= low, `${what}: ${name} is upside down`);
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

describe('Armv8 page-table formats', () => {
  it('give every bit of a descriptor one field, in each shape at each level', () => {
    assert.equal(armFormats().length, 12);
    for (const format of armFormats())
      for (const level of format.levels)
        for (const shape of shapesOf(level))
          assertCovers(format.layout(shape, level), `${format.id} ${shape} level ${level.level}`);
  });

  it('number levels from 3 at the leaf-most to 0, 1 or -1, each as wide as its granule', () => {
    const shape = ({ levels }: PageTableFormat) =>
      levels.map(({ level, shift, indexBits }) => [level, shift, indexBits]);
    // DDI 0487 Tables D8-16, D8-26 and D8-35.
    const small = [[3, 12, 9], [2, 21, 9], [1, 30, 9], [0, 39, 9]]; // prettier-ignore
    assert.deepEqual(shape(S1_4K), small);
    assert.deepEqual(shape(S1_4K_DS), [...small, [-1, 48, 4]]);
    assert.deepEqual(shape(armFormat(1, '16K', '48')), [[3, 14, 11], [2, 25, 11], [1, 36, 11], [0, 47, 1]]); // prettier-ignore
    assert.deepEqual(shape(armFormat(2, '16K', 'ds')), [[3, 14, 11], [2, 25, 11], [1, 36, 11], [0, 47, 5]]); // prettier-ignore
    assert.deepEqual(shape(S1_64K), [[3, 16, 13], [2, 29, 13], [1, 42, 6]]); // prettier-ignore
    assert.deepEqual(shape(S1_64K_LPA), [[3, 16, 13], [2, 29, 13], [1, 42, 10]]); // prettier-ignore
  });

  it('hold blocks at the levels of their granule only, and take the others as not valid', () => {
    const blocks = (format: PageTableFormat) =>
      format.levels
        .filter(({ level }) => level < 3 && classOf(format, level, 0x741n) === LEAF)
        .map(({ level }) => level);
    for (const stage of [1, 2] as const) {
      assert.deepEqual(blocks(armFormat(stage, '4K', '48')), [2, 1]);
      assert.deepEqual(blocks(armFormat(stage, '4K', 'ds')), [2, 1, 0]);
      assert.deepEqual(blocks(armFormat(stage, '16K', '48')), [2]);
      assert.deepEqual(blocks(armFormat(stage, '16K', 'ds')), [2, 1]);
      assert.deepEqual(blocks(armFormat(stage, '64K', '48')), [2]);
      assert.deepEqual(blocks(armFormat(stage, '64K', 'lpa')), [2, 1]);
    }
    for (const format of armFormats()) {
      assert.equal(classOf(format, 3, 0x741n), MALFORMED, 'type 01 at level 3 is reserved');
      assert.equal(classOf(format, 3, 0x742n), ABSENT);
      for (const { level } of format.levels) assert.notEqual(classOf(format, level, 0x741n), TABLE);
    }
  });

  it('fault on no other bit: each one flipped alone leaves the descriptor what it is', () => {
    for (const format of armFormats())
      for (const { level } of format.levels)
        for (let place = 2; place < 64; place++) {
          if (level < 3) assert.equal(classOf(format, level, 3n ^ bit(place)), TABLE, `bit ${place}`);
          else assert.equal(classOf(format, level, 0x743n ^ bit(place)), LEAF, `bit ${place}`);
        }
  });

  it('warn of bits that should be 0, and name a descriptor type that is reserved', () => {
    const ready = compiled(S1_4K);
    const codes = (level: number, word: bigint) =>
      entryProblems(ready, depthOf(level), ...half(word)).map(({ code, severity, high, low }) => [
        code,
        severity,
        high,
        low,
      ]);
    assert.deepEqual(codes(2, 0x20_0741n), []);
    assert.deepEqual(codes(2, 0x20_0741n | bit(13)), [['entry/res0-set', 'warning', 15, 12]]);
    assert.deepEqual(codes(2, 0x20_0741n | bit(16)), [], 'nT');
    assert.deepEqual(codes(3, 0x741n), [['entry/reserved-type', 'error', 1, 1]]);
    assert.deepEqual(codes(0, 0x741n), [['entry/block-not-allowed', 'error', 1, 1]]);
  });

  it('make runs of contiguous entries as long as their granule and level say', () => {
    const sizes = (format: PageTableFormat, level: number, type: bigint) => {
      const ready = compiled(format);
      return pageShift(ready, levelOf(ready, depthOf(level)), ...half(type | AF | CONTIGUOUS));
    };
    // DDI 0487 Table D8-104: 64K, 32M, 16G; 2M, 1G; 2M, 16G.
    for (const stage of [1, 2] as const) {
      const small = armFormat(stage, '4K', '48');
      assert.deepEqual([sizes(small, 3, 3n), sizes(small, 2, 1n), sizes(small, 1, 1n)], [16, 25, 34]);
      const medium = armFormat(stage, '16K', '48');
      assert.deepEqual([sizes(medium, 3, 3n), sizes(medium, 2, 1n)], [21, 30]);
      const large = armFormat(stage, '64K', 'lpa');
      assert.deepEqual([sizes(large, 3, 3n), sizes(large, 2, 1n)], [21, 34]);
      assert.equal(sizes(large, 1, 1n), 42, 'no run of 4T blocks');
      assert.equal(sizes(armFormat(stage, '4K', 'ds'), 0, 1n), 39, 'no run of 512G blocks');
    }
  });

  it('put addresses of 52 bits together from two places', () => {
    const frameOf = (format: PageTableFormat, word: bigint) => entryFrame(compiled(format), ...half(word));
    const wide = 0xa_bcde_f012_0000n;
    const lpa = (wide & mask(47, 16)) | ((wide >> 48n) << 12n) | 3n;
    assert.equal(frameOf(S1_64K_LPA, lpa), Number(wide >> 12n));
    assert.equal(frameOf(S1_64K, lpa), Number((wide & mask(47, 0)) >> 12n), 'bits 15:12 are no address');
    const ds = (wide & mask(49, 12)) | ((wide >> 50n) << 8n) | 3n;
    assert.equal(frameOf(S1_4K_DS, ds), Number(wide >> 12n));
    assert.equal(frameOf(S1_4K, ds), Number((wide & mask(47, 0)) >> 12n), 'bits 9:8 are shareability');
    // Bits 13:12 of the 16K granule are no address.
    assert.equal(frameOf(armFormat(1, '16K', '48'), 0x1234_7003n), 0x12344);
  });

  it('decode and encode every field to the same word', () => {
    for (const format of armFormats())
      for (const level of format.levels)
        fc.assert(
          fc.property(fc.bigInt(0n, mask(63, 0)), fc.constantFrom(...shapesOf(level)), (word, shape) => {
            const fields = decodeFields(word, format.layout(shape, level));
            assert.equal(
              fields.reduce((all, { value, low }) => all | (value << BigInt(low)), 0n),
              word,
            );
            assert.ok(fields.every(({ meaning, section }) => meaning !== '' && section !== ''));
          }),
          { numRuns: 20 },
        );
  });
});

describe('permissions of Armv8 leaves', () => {
  const page = (ap: bigint, more = 0n) => 3n | AF | (ap << 6n) | more;
  const ofAp = (hardware: FormatHardware, more = 0n) =>
    [0n, 1n, 2n, 3n].map((ap) => permissionOf(S1_4K, 3, page(ap, more), hardware));

  it('follow AP[2:1] for unprivileged and for privileged requests', () => {
    // DDI 0487 Table D8-63.
    assert.deepEqual(ofAp({}), ['-', 'RW', '-', 'R']);
    assert.deepEqual(ofAp({ privileged: true }), ['RW', 'RW', 'R', 'R']);
    const never = { privileged: true, features: { privilegedAccessNever: true } };
    assert.deepEqual(ofAp(never), ['RW', '-', 'R', '-']);
  });

  it('let writable-clean leaves be written where hardware keeps dirty state', () => {
    assert.deepEqual(ofAp({}, DBM), ['-', 'RW', '-', 'R']);
    assert.deepEqual(ofAp({ setsDirty: true }, DBM), ['-', 'RW', '-', 'RW']);
    assert.deepEqual(ofAp({ setsDirty: true }), ['-', 'RW', '-', 'R']);
    assert.deepEqual(ofAp({ setsDirty: true, privileged: true }, DBM), ['RW', 'RW', 'RW', 'RW']);
    const ofS2ap = (hardware: FormatHardware, more = 0n) =>
      [0n, 1n, 2n, 3n].map((ap) => permissionOf(S2_4K, 3, page(ap, more), hardware));
    assert.deepEqual(ofS2ap({}), ['-', 'R', 'W', 'RW']);
    assert.deepEqual(ofS2ap({}, DBM), ['-', 'R', 'W', 'RW']);
    assert.deepEqual(ofS2ap({ setsDirty: true }, DBM), ['W', 'RW', 'W', 'RW']);
  });

  it('are dirty with DBM and the write permission that hardware gave', () => {
    const dirty = (format: PageTableFormat, word: bigint) => isDirty(compiled(format), ...half(word));
    const states = [page(1n), page(3n), page(1n, DBM), page(3n, DBM)];
    assert.deepEqual(
      states.map((word) => dirty(S1_4K, word)),
      [false, false, true, false],
    );
    assert.deepEqual(
      states.map((word) => dirty(S2_4K, word)),
      [false, false, false, true],
    );
  });

  it('lose what APTable takes away, unless hierarchical permissions are off', () => {
    const table = (ap: bigint) => 3n | (ap << 61n);
    const ofTables = (hardware: FormatHardware) =>
      [0n, 1n, 2n, 3n].map((ap) => permissionOf(S1_4K, 2, table(ap), hardware));
    // DDI 0487 Table D8-64.
    assert.deepEqual(ofTables({}), ['RW', '-', 'R', '-']);
    assert.deepEqual(ofTables({ privileged: true }), ['RW', 'RW', 'R', 'R']);
    assert.deepEqual(ofTables({ features: { hierarchicalPermissions: false } }), ['RW', 'RW', 'RW', 'RW']);
    assert.equal(permissionOf(S2_4K, 2, table(3n), {}), 'RW', 'stage 2 has no APTable');
  });

  it('read the descriptors that guests wrote', () => {
    // Of smmuv3-4k-share and smmuv3-4k-s2-share.
    const told = (format: PageTableFormat, level: number, word: bigint) => {
      const ready = compiled(format);
      const compiledLevel = levelOf(ready, depthOf(level));
      assert.equal(classify(ready, compiledLevel, ...half(word)), LEAF);
      assert.ok(isAccessed(ready, ...half(word)));
      return [
        permissionText(entryPermission(ready, LEAF, ...half(word))),
        pageShift(ready, compiledLevel, ...half(word)),
        leafFrame(ready, compiledLevel, ...half(word)),
      ];
    };
    assert.deepEqual(told(S1_4K, 3, 0x10_d3d2_f47n), ['RW', 12, 0x10d3d2]);
    assert.deepEqual(told(S1_4K, 3, 0x10_d3d2_fc7n), ['R', 12, 0x10d3d2]);
    assert.deepEqual(told(S1_4K, 2, 0x10_e000_f45n), ['RW', 21, 0x10e000]);
    assert.deepEqual(told(S1_4K, 3, 0x60_0000_0809_0e4bn), ['RW', 12, 0x8090]);
    assert.deepEqual(told(S2_4K, 3, 0x10_d33e_77fn), ['R', 12, 0x10d33e]);
    assert.deepEqual(told(S2_4K, 3, 0x10_d33e_7bfn), ['W', 12, 0x10d33e]);
    assert.deepEqual(told(S2_4K, 2, 0x10_e600_7fdn), ['RW', 21, 0x10e600]);
  });
});

describe('starts of Armv8 walks', () => {
  it('are as low as the input bits allow in stage 1', () => {
    // DDI 0487 D8.2.8.1, D8.2.9.1, D8.2.10.1: lookup level and bits of the root.
    const start = (granule: '4K' | '16K' | '64K', tsz: number) => {
      const { levels, rootIndexBits } = stage1Start(granule, 64 - tsz);
      return [4 - levels, rootIndexBits];
    };
    assert.deepEqual([12, 15, 16, 24, 25, 33, 34, 39, 42, 43, 48].map((tsz) => start('4K', tsz)),
      [[-1, 4], [-1, 1], [0, 9], [0, 1], [1, 9], [1, 1], [2, 9], [2, 4], [2, 1], [3, 9], [3, 4]]); // prettier-ignore
    assert.deepEqual([12, 16, 17, 27, 28, 38, 39, 48].map((tsz) => start('16K', tsz)),
      [[0, 5], [0, 1], [1, 11], [1, 1], [2, 11], [2, 1], [3, 11], [3, 2]]); // prettier-ignore
    assert.deepEqual([12, 16, 21, 22, 34, 35, 47].map((tsz) => start('64K', tsz)),
      [[1, 10], [1, 6], [1, 1], [2, 13], [2, 1], [3, 13], [3, 1]]); // prettier-ignore
  });

  it('are where software says in stage 2, with up to 16 tables side by side', () => {
    // DDI 0487 Tables D8-20 to D8-24, D8-30 to D8-33 and D8-39 to D8-41: the T0SZ that a start level takes.
    const takes = (granule: '4K' | '16K' | '64K', form: '48' | 'ds' | 'lpa', sl0: number, sl2 = 0) => {
      const good = Array.from({ length: 64 }, (_, tsz) => tsz).filter(
        (tsz) => tsz >= 12 && tsz <= 48 && stage2Start(granule, form, 64 - tsz, { sl0, sl2 }),
      );
      return [good[0], good.at(-1)];
    };
    assert.deepEqual(takes('4K', 'ds', 0, 1), [12, 15]);
    assert.deepEqual(takes('4K', 'ds', 2), [12, 24]);
    assert.deepEqual(takes('4K', '48', 1), [21, 33]);
    assert.deepEqual(takes('4K', '48', 0), [30, 42]);
    assert.deepEqual(takes('4K', '48', 3), [39, 48]);
    assert.deepEqual(takes('16K', 'ds', 3), [12, 16]);
    assert.deepEqual(takes('16K', '48', 3), [undefined, undefined]);
    assert.deepEqual(takes('16K', '48', 2), [13, 27]);
    assert.deepEqual(takes('16K', '48', 1), [24, 38]);
    assert.deepEqual(takes('16K', '48', 0), [35, 48]);
    assert.deepEqual(takes('64K', '48', 2), [12, 21]);
    assert.deepEqual(takes('64K', '48', 1), [18, 34]);
    assert.deepEqual(takes('64K', '48', 0), [31, 47]);
    for (const granule of ['4K', '16K', '64K'] as const)
      for (const sl0 of [1, 2, 3]) assert.equal(stage2Start(granule, 'ds', 40, { sl0, sl2: 1 }), undefined);
    assert.equal(stage2Start('64K', 'lpa', 40, { sl0: 3, sl2: 0 }), undefined);
  });

  it('are in stage 2 where the hardware has them only', () => {
    // DDI 0487 J1.1 AArch64.S2InvalidSL: the least PAMax of a start level; 4K level 3 needs FEAT_TTST.
    const rows = [
      ['4K', 'ds', 0, 1, 50, 52],
      ['4K', '48', 2, 0, 44, 44],
      ['4K', '48', 1, 0, 36, 32],
      ['16K', 'ds', 3, 0, 50, 52],
      ['16K', '48', 2, 0, 42, 42],
      ['16K', '48', 1, 0, 36, 32],
      ['64K', '48', 2, 0, 44, 44],
      ['64K', '48', 1, 0, 36, 32],
    ] as const;
    for (const [granule, form, sl0, sl2, inputBits, least] of rows) {
      const sizes = [32, 36, 40, 42, 44, 48, 52].filter((physicalBits) =>
        stage2Start(granule, form, inputBits, { sl0, sl2 }, { physicalBits }),
      );
      assert.equal(sizes[0], least, `${granule} ${form} SL0 ${sl0}`);
    }
    for (const smallTables of [false, true, undefined]) {
      const start = stage2Start('4K', '48', 25, { sl0: 3, sl2: 0 }, { smallTables });
      assert.equal(start !== undefined, smallTables !== false);
    }
  });
});

describe('Armv8 walks', () => {
  /** A root in frame 0x100 of four levels with the 4K granule, a table below each, a page in entry 0. */
  function space(words: readonly bigint[], hardware: FormatHardware): AddressSpace {
    const memory = new FrameMemory();
    words.forEach((word, index) => {
      memory.frame(0x100 + index);
      memory.set(0x100 + index, 0, word);
    });
    return {
      stage: 1,
      domainId: domainId(1),
      root: frameNumber(0x100),
      rootEntry: 0,
      format: compileFormat(S1_4K, 4, hardware),
      ...zeroExtended(48),
      memory,
      stage2: undefined,
    };
  }
  const pointer = (frame: number, more = 0n) => at(frame) | 3n | more;
  const leaf = (frame: number, more = 0n) => at(frame) | 0x743n | more;

  function outcome(words: readonly bigint[], hardware: FormatHardware, write = false): string {
    const tables = space(words, hardware);
    const { outcome: walked } = walkTables(tables, 0x123, 0, write);
    const batch = makeBatch(1);
    batch.addressLo[0] = 0x123;
    batch.write[0] = write ? 1 : 0;
    translateBatch(tables, batch);
    const status = batch.status[0] ?? 0;
    const told = walked.ok ? 'ok' : `${walked.fault} at ${4 - walked.depth}`;
    assert.equal(
      status === 0 ? 'ok' : `${faultOf(status)} at ${4 - (batch.depth[0] ?? 0)}`,
      told,
      'the batch agrees',
    );
    return told;
  }

  it('tell what APTable denies at the leaf, and a missing leaf as missing', () => {
    const denied = [pointer(0x101, 3n << 61n), pointer(0x102), pointer(0x103)];
    assert.equal(outcome([...denied, leaf(0x200)], {}), 'read-denied at 3');
    assert.equal(outcome([...denied, 0n], {}), 'not-present at 3');
    assert.equal(outcome([...denied, leaf(0x200, AF) ^ AF], {}), 'access-flag at 3');
  });

  it('check the size of every address, before the access flag and the permission', () => {
    const good = [pointer(0x101), pointer(0x102), pointer(0x103)];
    const hardware = { outputBits: 32 };
    assert.equal(outcome([...good, leaf(0xfffff)], hardware), 'ok');
    assert.equal(outcome([...good, leaf(0x100000)], hardware), 'address-size at 3');
    assert.equal(outcome([...good, leaf(0x100000) ^ AF], hardware), 'address-size at 3');
    assert.equal(outcome([...good, leaf(0x100000, bit(7))], hardware, true), 'address-size at 3');
    assert.equal(outcome([pointer(0x101), pointer(0x100000)], hardware), 'address-size at 1');
  });

  it('fault on a clear access flag unless hardware sets it or software lets it through', () => {
    const words = [pointer(0x101), pointer(0x102), pointer(0x103), leaf(0x200) ^ AF];
    assert.equal(outcome(words, {}), 'access-flag at 3');
    assert.equal(outcome(words, { setsAccessed: true }), 'ok');
    assert.equal(outcome(words, { ignoresAccessed: true }), 'ok');
    const denied = [...words.slice(0, 3), leaf(0x200, bit(7)) ^ AF];
    assert.equal(outcome(denied, {}, true), 'access-flag at 3', 'before the permission');
  });
});
