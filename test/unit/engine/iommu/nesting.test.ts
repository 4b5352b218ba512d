/** A stage 1 in guest memory over a stage 2: reads and marks of hardware's own accesses, and what caches keep of both. */
import assert from 'node:assert/strict';
import { at } from '../../../builders/tables';
import { sayOutcome } from './oneSpace';
import {
  armUnit,
  BELOW,
  bit,
  chain,
  DATA,
  frames,
  riscvUnit,
  ROOT,
  TC,
  vtdUnit,
  type RealUnit,
} from './realUnit';

/** Guest frames are host frames 0x100 higher. */
const HOST = 0x100;

interface Below {
  readonly levels: number;
  readonly table: (frame: number, depth: number) => bigint;
  /** The leaf of stage 2 for a guest frame. */
  readonly leaf: (guest: number) => bigint;
}

/** Writes stage 2, and returns the frame of its leaves. */
function below({ memory }: RealUnit, { levels, table, leaf }: Below): number {
  const last = chain(memory, BELOW, levels, table);
  for (let guest = 0; guest < 0x100; guest++) memory.set(last, guest, leaf(guest));
  return last;
}

/** Writes stage 1 in guest memory, from guest frame ROOT on. */
function above({ memory }: RealUnit, levels: number, table: (frame: number) => bigint, leaf: bigint): void {
  for (let level = 0; level < levels; level++) {
    memory.frame(HOST + ROOT + level);
    memory.set(HOST + ROOT + level, 0, level === levels - 1 ? leaf : table(ROOT + level + 1));
  }
}

const VTD2: Below = {
  levels: 4,
  table: (frame) => at(frame) | 3n,
  leaf: (guest) => at(HOST + guest) | 3n,
};
const X86_TABLE = (frame: number): bigint => at(frame) | 7n;
const OUT = '0x180123';

describe('VT-d nested translation with SSADE', () => {
  const unit = (): { unit: RealUnit; last: number } => {
    const made = vtdUnit({ type: 'nested', ssade: true });
    const last = below(made, VTD2);
    above(made, 4, X86_TABLE, at(DATA) | 7n);
    return { unit: made, last };
  };

  it('marks stage 1 by writes to guest memory, which stage 2 sees as such', () => {
    const { unit: made, last } = unit();
    assert.equal(sayOutcome(made.run(0x123n, 'write').outcome), OUT);
    for (let level = 0; level < 3; level++)
      assert.equal(made.memory.get(HOST + ROOT + level, 0), X86_TABLE(ROOT + level + 1) | 0x20n);
    assert.equal(made.memory.get(HOST + ROOT + 3, 0), at(DATA) | 0x67n);
    // A and D of the pages of all four tables, and of the page written to.
    for (const guest of [ROOT, ROOT + 1, ROOT + 2, ROOT + 3, DATA])
      assert.equal(made.memory.get(last, guest), VTD2.leaf(guest) | 0x300n, `guest frame ${guest}`);
    assert.equal(made.memory.get(last, 0), VTD2.leaf(0));
    assert.deepEqual(made.observed, [
      'mark 0x110000',
      'mark 0x111000',
      'mark 0x112000',
      'mark 0x113000',
      'write 0x180123',
    ]);
  });

  it('takes reads of tables for writes: their pages get D although no entry is marked', () => {
    const { unit: made, last } = unit();
    above(made, 4, (frame) => X86_TABLE(frame) | 0x20n, at(DATA) | 0x67n);
    made.run(0x123n, 'read');
    for (const guest of [ROOT, ROOT + 1, ROOT + 2, ROOT + 3])
      assert.equal(made.memory.get(last, guest), VTD2.leaf(guest) | 0x300n);
    assert.equal(made.memory.get(last, DATA), VTD2.leaf(DATA) | 0x100n);
  });

  it('refuses tables of stage 1 in pages that may not be written, and says which address', () => {
    const { unit: made, last } = unit();
    made.memory.set(last, ROOT + 1, at(HOST + ROOT + 1) | 1n);
    const { outcome } = made.run(0x123n, 'read');
    assert.deepEqual(outcome, {
      ok: false,
      fault: 'read-denied',
      depth: 1,
      stage: 2,
      guestLo: 0x11000,
      guestHi: 0,
      implicit: true,
    });
  });

  it('tells the guest physical address of an output that stage 2 refuses', () => {
    const { unit: made, last } = unit();
    made.memory.set(last, DATA, 0n);
    const { outcome } = made.run(0x123n, 'write');
    assert.deepEqual(outcome, {
      ok: false,
      fault: 'not-present',
      depth: 1,
      stage: 2,
      guestLo: 0x80123,
      guestHi: 0,
    });
    // Stage 1 was done before: it says that the page is dirty.
    assert.equal(made.memory.get(HOST + ROOT + 3, 0), at(DATA) | 0x67n);
  });

  it('caches what both stages have: an entry goes by its guest page, too', () => {
    const { unit: made, last } = unit();
    made.run(0x123n, 'write');
    const [entry] = made.iommu.caches.iotlb.entries();
    assert.deepEqual(entry, {
      tag: { vm: 5, space: 0 },
      global: false,
      page: 0,
      shift: 12,
      outputPage: HOST + DATA,
      permission: 3,
      accessedDone: true,
      dirtyDone: true,
      stage1Shift: 12,
      stage2Shift: 12,
      guestPage: DATA,
      stage1Leaf: (HOST + ROOT + 3) * 4096,
      stage2Leaf: last * 4096 + DATA * 8,
    });
    made.iommu.invalidate({ translations: { vm: 5, guestPages: { startPage: DATA, endPage: DATA + 1 } } });
    assert.equal(made.iommu.caches.iotlb.size, 0);
  });

  it('reads tables of stage 1 where the walk cache has them, until stage 2 is invalidated', () => {
    const { unit: made, last } = unit();
    made.run(0x123n, 'read');
    // The leaf-most table of stage 1 moves in host memory; page 1 is only in the new one.
    const moved = 0x300;
    made.memory.frame(moved);
    made.memory.set(moved, 1, at(DATA) | 7n);
    made.memory.set(last, ROOT + 3, at(moved) | 3n);
    assert.equal(sayOutcome(made.run(0x1123n, 'read').outcome), 'not-present, stage 1, depth 1');
    const guestPages = { startPage: ROOT + 3, endPage: ROOT + 4 };
    made.iommu.invalidate({ tables: { vm: 5, stage: 1, guestPages } });
    assert.equal(sayOutcome(made.run(0x1123n, 'read').outcome), OUT);
  });

  it('is as large as the smaller of both pages', () => {
    const { unit: made } = unit();
    const memory = made.memory;
    // Stage 1: 2M at guest 0.
    memory.set(HOST + ROOT + 2, 0, 0x87n);
    assert.equal(sayOutcome(made.run(0x80123n, 'read').outcome), '0x180123');
    const [entry] = made.iommu.caches.iotlb.entries();
    assert.deepEqual(
      entry && [entry.page, entry.shift, entry.stage1Shift, entry.stage2Shift, entry.guestPage],
      [0x80, 12, 21, 12, 0x80],
    );
  });
});

describe('RISC-V nested translation (IOMMU 1.0 §2.7: implicit accesses)', () => {
  const [A, D] = [0x40n, 0x80n];
  const SV39X4: Below = {
    levels: 3,
    table: (frame) => (BigInt(frame) << 10n) | 1n,
    leaf: (guest) => (BigInt(HOST + guest) << 10n) | 0x1fn,
  };
  const table = (frame: number): bigint => (BigInt(frame) << 10n) | 1n;

  function made(tc: bigint, leaf: bigint, guestFlags = 0n): { unit: RealUnit; last: number } {
    const unit = riscvUnit({ stages: 'nested', tc });
    const last = below(unit, { ...SV39X4, leaf: (guest) => SV39X4.leaf(guest) | guestFlags });
    above(unit, 3, table, (BigInt(DATA) << 10n) | leaf);
    return { unit, last };
  }

  it('with GADE and SADE a read of a table sets D of its page, where that may be written', () => {
    const { unit, last } = made(TC.GADE | TC.SADE, 0xdfn);
    assert.equal(sayOutcome(unit.run(0x123n, 'read').outcome), OUT);
    for (const guest of [ROOT, ROOT + 1, ROOT + 2])
      assert.equal(unit.memory.get(last, guest), SV39X4.leaf(guest) | A | D);
    assert.equal(unit.memory.get(last, DATA), SV39X4.leaf(DATA) | A);
  });

  it('with GADE and without SADE it sets A only', () => {
    const { unit, last } = made(TC.GADE, 0xdfn);
    unit.run(0x123n, 'write');
    for (const guest of [ROOT, ROOT + 1, ROOT + 2])
      assert.equal(unit.memory.get(last, guest), SV39X4.leaf(guest) | A);
    assert.equal(unit.memory.get(last, DATA), SV39X4.leaf(DATA) | A | D);
  });

  it('in a page that may not be written it sets A only, and a mark there is refused', () => {
    const readOnly = (guest: number): bigint => SV39X4.leaf(guest) & ~4n;
    for (const [leaf, expected] of [
      [0xdfn, OUT],
      [0x1fn, 'write-denied, stage 2, depth 1'],
    ] as const) {
      const { unit, last } = made(TC.GADE | TC.SADE, leaf);
      unit.memory.set(last, ROOT + 2, readOnly(ROOT + 2));
      assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), expected);
      assert.equal(unit.memory.get(last, ROOT + 2), readOnly(ROOT + 2) | A);
    }
  });
});

describe('context descriptors of Arm in guest memory', () => {
  it('are read through stage 2, which hardware marks as its own read', () => {
    const unit = armUnit({ stages: 'nested', ha: true, hd: true });
    const { memory } = unit;
    // S2HA and S2HD.
    memory.set(1, 2, memory.get(1, 2) | bit(55) | bit(56));
    const leaf = (guest: number): bigint => at(HOST + guest) | 0x43n | bit(51);
    const last = below(unit, { levels: 3, table: (frame) => at(frame) | 3n, leaf });
    above(unit, 3, (frame) => at(frame) | 3n, at(DATA) | 0x443n);
    memory.frame(HOST + 2);
    memory.set(HOST + 2, 0, memory.get(2, 0));
    memory.set(HOST + 2, 1, memory.get(2, 1));
    const { steps, outcome } = unit.run(0x123n, 'read');
    assert.equal(sayOutcome(outcome), OUT);
    const [AF, S2W] = [bit(10), bit(7)];
    assert.equal(memory.get(last, 2), leaf(2) | AF, 'the page of the CD');
    assert.equal(memory.get(last, ROOT), leaf(ROOT) | AF);
    assert.equal(memory.get(last, DATA), leaf(DATA) | AF);
    const fetched = steps.flatMap((step) =>
      step.kind === 'fetch' && step.role === 'process' ? [step.address] : [],
    );
    assert.deepEqual(fetched, [0x102000, 0x102010, 0x102020, 0x102030]);
    unit.run(0x123n, 'write');
    assert.equal(memory.get(last, DATA), leaf(DATA) | AF | S2W);
  });

  it('that stage 2 refuses end the request, with the address of the descriptor', () => {
    const unit = armUnit({ stages: 'nested' });
    below(unit, { levels: 3, table: (frame) => at(frame) | 3n, leaf: () => 0n });
    const { outcome } = unit.run(0x123n, 'read');
    assert.deepEqual(outcome, {
      ok: false,
      fault: 'not-present',
      depth: 1,
      stage: 2,
      guestLo: 0x2000,
      guestHi: 0,
      implicit: true,
    });
  });
});

describe('hostile tables of stage 1', () => {
  it('do not get out of stage 2: cycles, rubbish, tables of tables', () => {
    const unit = vtdUnit({ type: 'nested', ssade: true });
    below(unit, VTD2);
    for (let guest = 0; guest < 0x100; guest++) {
      unit.memory.frame(HOST + guest);
      for (let entry = 0; entry < 512; entry++)
        unit.memory.set(HOST + guest, entry, at((entry * 7 + guest) % 0x180) | 0x7n);
    }
    const before = frames();
    for (let page = 0n; page < 400n; page++) {
      const { outcome } = unit.run((page * 0x9e37_79b9_7f4a_7c15n) % (1n << 47n), 'write');
      if (!outcome.ok) continue;
      const frame = outcome.outputHi * 0x100000 + (outcome.outputLo >>> 12);
      assert.ok(frame >= HOST && frame < HOST + 0x100, `0x${frame.toString(16)}`);
    }
    for (const frame of before.frames.keys()) {
      if (frame === 4 || frame < BELOW || frame >= BELOW + 4) continue;
      assert.ok(unit.memory.frames.has(frame));
    }
    for (const told of unit.observed) {
      const frame = Math.floor(Number(told.split(' ')[1]) / 4096);
      assert.ok(frame >= HOST && frame < HOST + 0x100, told);
    }
  });
});
