import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeFields, mask, type BitField } from '../../../../src/engine/bits/bitFields';
import { compileFormat, levelOf } from '../../../../src/engine/formats/compile';
import {
  type EntryShape,
  type FormatHardware,
  type LevelRule,
  type PageTableFormat,
} from '../../../../src/engine/formats/pageTableFormat';
import { sv39, sv39x4, sv48, sv48x4, sv57, sv57x4 } from '../../../../src/engine/formats/riscv';
import { signExtended, zeroExtended, type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { classify, leafFrame, pageShift } from '../../../../src/engine/pageTable/entry';
import { isDirty } from '../../../../src/engine/pageTable/marks';
import { ABSENT, LEAF, MALFORMED, TABLE } from '../../../../src/engine/pageTable/entryClass';
import { translateBatch } from '../../../../src/engine/pageTable/translate';
import { makeBatch, faultOf } from '../../../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { domainId, frameNumber } from '../../../../src/engine/values';
import { FrameMemory, at } from '../../../builders/tables';

const FORMATS: readonly PageTableFormat[] = [sv39, sv48, sv57, sv39x4, sv48x4, sv57x4];
/** Neither Svpbmt nor Svrsw60t59b. */
const PLAIN: FormatHardware = { features: { svpbmt: false, svrsw60t59b: false } };
const BOTH: FormatHardware = { features: { svpbmt: true, svrsw60t59b: true } };

const V = 1n;
const R = 2n;
const W = 4n;
const X = 8n;
const U = 16n;
const A = 64n;
const D = 128n;
const N = 1n << 63n;
const LEAF_BITS = V | R | W | U | A | D;

const shapesOf = (level: LevelRule): readonly EntryShape[] =>
  level.level === 0 ? ['leaf'] : ['leaf', 'table'];
const half = (word: bigint) => [Number(word & 0xffffffffn) | 0, Number(word >> 32n) | 0] as const;
const bit = (place: number): bigint => 1n << BigInt(place);
const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);

function classOf(format: PageTableFormat, level: number, word: bigint, hardware = PLAIN): number {
  const compiled = compileFormat(format, format.levels.length, hardware);
  return classify(compiled, levelOf(compiled, level + 1), ...half(word));
}

function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

describe('RISC-V page-table formats', () => {
  it('give every bit of an entry one field, in each shape at each level', () => {
    for (const format of FORMATS)
      for (const level of format.levels)
        for (const shape of shapesOf(level))
          assertCovers(format.layout(shape, level), `${format.title} ${shape} ${level.entryName}`);
  });

  it('number levels from 0 at the leaf-most, and have a root of 2,048 entries in the x4 modes', () => {
    const shape = ({ levels }: PageTableFormat) =>
      levels.map(({ level, shift, indexBits }) => [level, shift, indexBits]);
    const below = [[0, 12, 9], [1, 21, 9], [2, 30, 9], [3, 39, 9], [4, 48, 9]]; // prettier-ignore
    assert.deepEqual(shape(sv39), below.slice(0, 3));
    assert.deepEqual(shape(sv48), below.slice(0, 4));
    assert.deepEqual(shape(sv57), below);
    assert.deepEqual(shape(sv39x4), [...below.slice(0, 2), [2, 30, 11]]);
    assert.deepEqual(shape(sv48x4), [...below.slice(0, 3), [3, 39, 11]]);
    assert.deepEqual(shape(sv57x4), [...below.slice(0, 4), [4, 48, 11]]);
  });

  it('fault on each reserved bit of a pointer alone: U, A, D, 58:54, 60:59, PBMT and N', () => {
    for (const format of FORMATS)
      for (const { level } of format.levels.slice(1)) {
        const pointer = (0x12345n << 10n) | V;
        assert.equal(classOf(format, level, pointer), TABLE);
        for (const place of [4, 6, 7, ...range(54, 63)])
          assert.equal(classOf(format, level, pointer | bit(place)), MALFORMED, `bit ${place}`);
        for (const place of [5, 8, 9]) assert.equal(classOf(format, level, pointer | bit(place)), TABLE);
        for (const place of [59, 60]) assert.equal(classOf(format, level, pointer | bit(place), BOTH), TABLE);
      }
  });

  it('fault on each reserved bit of a leaf alone: 58:54, 60:59, PBMT, N above level 0 and a misaligned PPN', () => {
    for (const format of FORMATS)
      for (const { level } of format.levels) {
        const leaf = bit(53) | LEAF_BITS;
        assert.equal(classOf(format, level, leaf), LEAF);
        for (const place of [...range(10, 9 + 9 * level), ...range(54, 63)])
          assert.equal(classOf(format, level, leaf | bit(place)), MALFORMED, `level ${level} bit ${place}`);
        for (const place of [5, 8, 9, ...range(10 + 9 * level, 52)])
          assert.equal(classOf(format, level, leaf | bit(place)), LEAF, `level ${level} bit ${place}`);
        for (const place of range(59, 62))
          assert.equal(classOf(format, level, leaf | bit(place), BOTH), LEAF, `level ${level} bit ${place}`);
        assert.equal(classOf(format, level, leaf | (3n << 61n), BOTH), MALFORMED, 'PBMT = 3');
      }
  });

  it('fault on W without R, on a pointer at level 0, and on sizes of N other than 64K', () => {
    for (const format of FORMATS) {
      for (const { level } of format.levels) {
        for (const also of [0n, X]) assert.equal(classOf(format, level, V | W | U | A | D | also), MALFORMED);
        assert.equal(classOf(format, level, V | X | U | A), LEAF);
        assert.equal(classOf(format, level, LEAF_BITS & ~V), ABSENT);
      }
      assert.equal(classOf(format, 0, V), MALFORMED);
      for (let size = 0n; size < 16n; size++)
        assert.equal(classOf(format, 0, N | (size << 10n) | LEAF_BITS), size === 8n ? LEAF : MALFORMED);
    }
  });

  it('read the entries that a guest wrote', () => {
    // Of riscv-share: a 64K page of VFIO and a 2M page of virtio-blk, as Linux 7.2 wrote them.
    const compiled = compileFormat(sv57, 5, PLAIN);
    const napot = half(N | (0x10c848n << 10n) | 0xdfn);
    const level0 = levelOf(compiled, 1);
    assert.equal(classify(compiled, level0, ...napot), LEAF);
    assert.equal(pageShift(compiled, level0, ...napot), 16);
    assert.equal(leafFrame(compiled, level0, ...napot), 0x10c840);
    assert.ok(isDirty(compiled, ...napot));
    const large = half((0x10b600n << 10n) | 0x5bn);
    const level1 = levelOf(compiled, 2);
    assert.equal(pageShift(compiled, level1, ...large), 21);
    assert.equal(leafFrame(compiled, level1, ...large), 0x10b600);
    assert.ok(!isDirty(compiled, ...large));
  });
});

/** Frame 0x100 and, for the x4 modes, the three after it: a root; a table for each level below. */
function chain(format: PageTableFormat, level: number, input: bigint, leaf: bigint): FrameMemory {
  const memory = new FrameMemory();
  for (let frame = 0x100; frame < 0x104; frame++) memory.frame(frame);
  let table = 0x100;
  for (const rule of [...format.levels].reverse()) {
    const index = Number((input >> BigInt(rule.shift)) & ((1n << BigInt(rule.indexBits)) - 1n));
    const frame = table + Math.floor(index / 512);
    if (rule.level === level) {
      memory.set(frame, index % 512, leaf);
      return memory;
    }
    const next = 0x200 + rule.level;
    memory.frame(next);
    memory.set(frame, index % 512, (BigInt(next) << 10n) | V);
    table = next;
  }
  return memory;
}

function spaceOf(format: PageTableFormat, memory: FrameMemory, hardware = PLAIN): AddressSpace {
  const compiled = compileFormat(format, format.levels.length, hardware);
  const second = format.levels.at(-1)?.indexBits === 11;
  const width = second ? zeroExtended(compiled.addressBits) : signExtended(compiled.addressBits);
  return {
    stage: second ? 2 : 1,
    domainId: domainId(1),
    root: frameNumber(0x100),
    rootEntry: 0,
    format: compiled,
    ...width,
    memory,
    stage2: undefined,
  };
}

/** What the walk answers, which the batch must too. */
function answer(space: AddressSpace, input: bigint, write: boolean): string {
  const [lo, hi] = [Number(input & 0xffffffffn), Number(input >> 32n)];
  const { outcome } = walkTables(space, lo, hi, write);
  const batch = makeBatch(1);
  batch.addressLo[0] = lo;
  batch.addressHi[0] = hi;
  batch.write[0] = write ? 1 : 0;
  translateBatch(space, batch);
  const text = (paddrLo: number, paddrHi: number, shift: number, permission: number) =>
    `0x${((BigInt(paddrHi) << 32n) | BigInt(paddrLo >>> 0)).toString(16)} ${shift} ${permission}`;
  const { paddrLo, paddrHi, pageShift: shift, permission, status } = batch;
  const batched =
    status[0] === 0
      ? text(paddrLo[0] ?? 0, paddrHi[0] ?? 0, shift[0] ?? 0, permission[0] ?? 0)
      : faultOf(status[0] ?? 0);
  const walked = outcome.ok
    ? text(outcome.paddrLo, outcome.paddrHi, outcome.pageShift, outcome.permission)
    : outcome.fault;
  assert.equal(batched, walked, 'the batch agrees with the walk');
  return walked;
}

describe('RISC-V page tables', () => {
  const anyFormat = fc.constantFrom(...FORMATS);
  /** An address that the format takes. */
  const inputOf = (format: PageTableFormat, seed: bigint): bigint => {
    const { shift, indexBits } = format.levels.at(-1) ?? { shift: 0, indexBits: 0 };
    const bits = BigInt(shift + indexBits);
    const low = seed & ((1n << bits) - 1n);
    const upper = indexBits === 9 && low >> (bits - 1n) === 1n;
    return upper ? low | (mask(63, 0) ^ ((1n << bits) - 1n)) : low;
  };

  it('give back any page at any level that an encoder of the fields wrote', () => {
    fc.assert(
      fc.property(
        anyFormat,
        fc.nat(4),
        fc.bigInt(0n, mask(63, 0)),
        fc.bigInt(0n, mask(43, 0)),
        fc.boolean(),
        fc.boolean(),
        (format, depth, seed, page, writable, large) => {
          const level = depth % format.levels.length;
          const napot = large && level === 0;
          const size = napot ? 16n : BigInt(12 + 9 * level);
          const number = (page >> (size - 12n)) << (size - 12n);
          const flags = LEAF_BITS & (writable ? ~0n : ~W);
          const entry = ((number | (napot ? 8n : 0n)) << 10n) | flags | (napot ? N : 0n);
          const input = inputOf(format, seed);
          const space = spaceOf(format, chain(format, level, input, entry));
          const paddr = (number << 12n) | (input & ((1n << size) - 1n));
          const expected = `0x${paddr.toString(16)} ${size} ${writable ? 3 : 1}`;
          assert.equal(answer(space, input, false), expected);
          assert.equal(answer(space, input, true), writable ? expected : 'write-denied');
          const rule = format.levels[level];
          assert.ok(rule);
          const fields = decodeFields(entry, format.layout('leaf', rule));
          const ppn = fields.find(({ name }) => name === 'PPN');
          assert.equal(ppn?.value, (entry & mask(53, ppn?.low ?? 0)) >> BigInt(ppn?.low ?? 0));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('answer alike in the walk and in the batch, whatever a leaf-most entry holds', () => {
    fc.assert(
      fc.property(
        anyFormat,
        fc.bigInt(0n, mask(63, 0)),
        fc.bigInt(0n, mask(63, 0)),
        fc.boolean(),
        (format, seed, word, write) => {
          const input = inputOf(format, seed);
          for (const entry of [word, word & mask(53, 0), (word & mask(53, 8)) | LEAF_BITS])
            answer(spaceOf(format, chain(format, 0, input, entry | V)), input, write);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('take first-stage addresses sign-extended and second-stage ones zero-extended', () => {
    for (const format of [sv39, sv48, sv57]) {
      const bits = format.levels.length * 9 + 12;
      const space = spaceOf(format, chain(format, 0, 0n, at(5) | 1n));
      for (let place = bits - 1; place < 64; place++)
        assert.equal(answer(space, bit(place), false), 'address-width', `${format.title} bit ${place}`);
      assert.notEqual(answer(space, mask(63, bits - 1), false), 'address-width');
    }
    for (const format of [sv39x4, sv48x4, sv57x4]) {
      const bits = format.levels.length * 9 + 14;
      const space = spaceOf(format, chain(format, 0, 0n, at(5) | 1n));
      for (let place = bits; place < 64; place++)
        assert.equal(answer(space, bit(place), false), 'address-width', `${format.title} bit ${place}`);
      assert.notEqual(answer(space, bit(bits - 1), false), 'address-width');
    }
  });

  it('look at the permission first, then at A, then at D on a write; not when hardware sets them', () => {
    const faults = (flags: bigint, hardware = PLAIN) =>
      [false, true].map((write) => {
        const space = spaceOf(sv39, chain(sv39, 0, 0n, (5n << 10n) | V | flags), hardware);
        return answer(space, 0n, write).replace(/^0x.*/, 'ok');
      });
    assert.deepEqual(faults(R | W | U | A | D), ['ok', 'ok']);
    assert.deepEqual(faults(R | W | U | A), ['ok', 'dirty-flag']);
    assert.deepEqual(faults(R | W | U | D), ['access-flag', 'access-flag']);
    assert.deepEqual(faults(R | U), ['access-flag', 'write-denied']);
    assert.deepEqual(faults(R | W | A | D), ['read-denied', 'write-denied']);
    assert.deepEqual(faults(R | W | U, { ...PLAIN, setsAccessed: true, setsDirty: true }), ['ok', 'ok']);
    assert.deepEqual(faults(R | W | A | D, { ...PLAIN, privileged: true }), ['ok', 'ok']);
  });

  it('refuse U = 0 in the second stage whatever the privilege', () => {
    const leaf = (5n << 10n) | V | R | W | A | D;
    const space = spaceOf(sv39x4, chain(sv39x4, 0, 0n, leaf), { ...PLAIN, privileged: true });
    assert.equal(answer(space, 0n, false), 'read-denied');
  });
});
