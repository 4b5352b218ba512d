/** Accessed and dirty marks of hardware, by vendor and stage, as the specifications have them. */
import assert from 'node:assert/strict';
import { at } from '../../../builders/tables';
import { sayOutcome } from './oneSpace';
import { amdUnit, armUnit, bit, chain, DATA, riscvUnit, ROOT, TC, vtdUnit, type RealUnit } from './realUnit';

/** One kind of table, with its only leaf. */
interface Marked {
  readonly unit: RealUnit;
  readonly levels: number;
  readonly table: (frame: number, depth: number) => bigint;
  readonly leaf: bigint;
}

/** What requests of page 0 meet, one after the other, and the leaf after each; no invalidation between. */
function after(
  { unit, levels, table, leaf }: Marked,
  accesses: readonly ('read' | 'write' | 'atomic')[],
): string[] {
  const frame = chain(unit.memory, ROOT, levels, table);
  unit.memory.set(frame, 0, leaf);
  return accesses.map((access) => {
    const { outcome } = unit.run(0x123n, access);
    const changed = unit.memory.get(frame, 0) ^ leaf;
    return `${sayOutcome(outcome)} ${changed.toString(16)}`;
  });
}

const OUT = '0x80123';

const X86 = { levels: 4, table: (frame: number) => at(frame) | 0x7n, leaf: at(DATA) | 0x7n };
const VTD = { levels: 4, table: (frame: number) => at(frame) | 3n, leaf: at(DATA) | 3n };
const AMD = {
  levels: 4,
  table: (frame: number, depth: number) => at(frame) | bit(61) | bit(62) | (BigInt(depth - 1) << 9n) | 1n,
  leaf: at(DATA) | bit(61) | bit(62) | 1n,
};
const ARM = { levels: 3, table: (frame: number) => at(frame) | 3n };
/** AP[1], without AF; AP[2] with DBM: writable and clean. */
const ARM1_LEAF = at(DATA) | 0x43n;
const ARM2_LEAF = at(DATA) | 0x43n;
const [AF, AP2, DBM, S2W] = [bit(10), bit(7), bit(51), bit(7)];
const RISCV = {
  levels: 3,
  table: (frame: number) => (BigInt(frame) << 10n) | 1n,
  leaf: (BigInt(DATA) << 10n) | 0x1fn,
};

describe('marks of VT-d (5.10 §3.7, §3.10)', () => {
  it('of a second stage are set with SSADE: A in every entry used, D in the leaf by writes', () => {
    const unit = vtdUnit({ type: 'second', ssade: true });
    assert.deepEqual(after({ unit, ...VTD }, ['read', 'read', 'write']), [
      `${OUT} 100`,
      `${OUT} 100`,
      `${OUT} 300`,
    ]);
    for (let level = 0; level < 3; level++)
      assert.equal(unit.memory.get(ROOT + level, 0), VTD.table(ROOT + level + 1) | 0x100n, `table ${level}`);
  });

  it('of a second stage are ignored without SSADE', () => {
    const unit = vtdUnit({ type: 'second' });
    assert.deepEqual(after({ unit, ...VTD }, ['read', 'write']), [`${OUT} 0`, `${OUT} 0`]);
  });

  it('of a second stage fault where walks do not snoop, and nothing is written', () => {
    const unit = vtdUnit({ type: 'second', ssade: true, coherent: false });
    const table = (frame: number): bigint => VTD.table(frame) | 0x100n;
    const marked = { unit, levels: 4, table, leaf: VTD.leaf | 0x100n };
    assert.deepEqual(after(marked, ['read', 'write']), [`${OUT} 0`, 'marks-refused, stage 2, depth 1 0']);
    const unmarked = vtdUnit({ type: 'second', ssade: true, coherent: false });
    assert.deepEqual(after({ unit: unmarked, ...VTD }, ['read']), ['marks-refused, stage 2, depth 4 0']);
    const ignored = vtdUnit({ type: 'second', coherent: false });
    assert.deepEqual(after({ unit: ignored, ...VTD }, ['write']), [`${OUT} 0`]);
  });

  it('of a first stage are always set, A in table entries, too', () => {
    const unit = vtdUnit({ type: 'first' });
    assert.deepEqual(after({ unit, ...X86 }, ['read', 'write']), [`${OUT} 20`, `${OUT} 60`]);
    for (let level = 0; level < 3; level++)
      assert.equal(unit.memory.get(ROOT + level, 0), X86.table(ROOT + level + 1) | 0x20n);
  });
});

describe('marks of AMD (48882 3.10 §2.2.2.1 HAD, §2.2.7)', () => {
  it('of host tables are set as DTE.HAD says: nothing, A, A and D', () => {
    assert.deepEqual(after({ unit: amdUnit({ had: 0n }), ...AMD }, ['read', 'write']), [
      `${OUT} 0`,
      `${OUT} 0`,
    ]);
    assert.deepEqual(after({ unit: amdUnit({ had: 1n }), ...AMD }, ['read', 'write']), [
      `${OUT} 20`,
      `${OUT} 20`,
    ]);
    assert.deepEqual(after({ unit: amdUnit({ had: 3n }), ...AMD }, ['read', 'write']), [
      `${OUT} 20`,
      `${OUT} 60`,
    ]);
  });

  it('of host tables are not set without HASup and HDSup', () => {
    const unit = amdUnit({ had: 3n, marks: false });
    assert.deepEqual(after({ unit, ...AMD }, ['write']), [`${OUT} 0`]);
  });

  it('of host tables are those of leaves only', () => {
    const unit = amdUnit({ had: 3n });
    after({ unit, ...AMD }, ['write']);
    for (let level = 0; level < 3; level++)
      assert.equal(unit.memory.get(ROOT + level, 0), AMD.table(ROOT + level + 1, 4 - level));
  });
});

describe('marks of Arm (IHI 0070 3.13, DDI 0487 D8.5)', () => {
  const one = (options: Partial<Parameters<typeof armUnit>[0]>) => armUnit({ stages: '1', ...options });
  const two = (options: Partial<Parameters<typeof armUnit>[0]>) => armUnit({ stages: '2', ...options });

  it('AF = 0 faults without HA, unless AFFD is set', () => {
    const leaf = ARM1_LEAF;
    assert.deepEqual(after({ unit: one({}), ...ARM, leaf }, ['read']), ['access-flag, stage 1, depth 1 0']);
    assert.deepEqual(after({ unit: one({ affd: true }), ...ARM, leaf }, ['read']), [`${OUT} 0`]);
    const below = ARM2_LEAF | S2W;
    assert.deepEqual(after({ unit: two({}), ...ARM, leaf: below }, ['read']), [
      'access-flag, stage 2, depth 1 0',
    ]);
    assert.deepEqual(after({ unit: two({ affd: true }), ...ARM, leaf: below }, ['read']), [`${OUT} 0`]);
  });

  it('AF is set with HA', () => {
    assert.deepEqual(after({ unit: one({ ha: true }), ...ARM, leaf: ARM1_LEAF }, ['read', 'write']), [
      `${OUT} 400`,
      `${OUT} 400`,
    ]);
  });

  it('the dirty state of stage 1 is AP[2] cleared, where DBM is set and HD', () => {
    const leaf = ARM1_LEAF | AP2 | DBM;
    assert.deepEqual(after({ unit: one({ ha: true, hd: true }), ...ARM, leaf }, ['read', 'write']), [
      `${OUT} 400`,
      `${OUT} 480`,
    ]);
    const readOnly = ARM1_LEAF | AP2 | AF;
    assert.deepEqual(after({ unit: one({ ha: true, hd: true }), ...ARM, leaf: readOnly }, ['write']), [
      'write-denied, stage 1, depth 1 0',
    ]);
  });

  it('the dirty state of stage 2 is S2AP[1] set, where DBM is set and S2HD', () => {
    const leaf = ARM2_LEAF | DBM;
    assert.deepEqual(after({ unit: two({ ha: true, hd: true }), ...ARM, leaf }, ['read', 'write']), [
      `${OUT} 400`,
      `${OUT} 480`,
    ]);
  });
});

describe('marks of RISC-V (IOMMU 1.0 §2.1.3.1, §2.7)', () => {
  const units = (tc: bigint) =>
    [
      ['stage 1', riscvUnit({ stages: 'first', tc })],
      ['stage 2', riscvUnit({ stages: 'second', tc })],
    ] as const;

  it('are set with SADE (GADE), A by reads, A and D by writes', () => {
    for (const [, unit] of units(TC.SADE | TC.GADE))
      assert.deepEqual(after({ unit, ...RISCV }, ['read', 'write']), [`${OUT} 40`, `${OUT} c0`]);
  });

  it('fault when clear without them: A by any access, D by writes', () => {
    for (const [stage, unit] of units(0n)) {
      assert.deepEqual(after({ unit, ...RISCV }, ['read', 'write']), [
        `access-flag, ${stage}, depth 1 0`,
        `access-flag, ${stage}, depth 1 0`,
      ]);
    }
    for (const [stage, unit] of units(0n)) {
      assert.deepEqual(after({ unit, ...RISCV, leaf: RISCV.leaf | 0x40n }, ['read', 'write']), [
        `${OUT} 0`,
        `dirty-flag, ${stage}, depth 1 0`,
      ]);
    }
  });

  it('SADE and GADE without AMO_HWAD make the device context misconfigured', () => {
    const capabilities = 0x10n | (7n << 9n) | (7n << 17n) | (56n << 32n);
    const unit = riscvUnit({ stages: 'second', tc: TC.GADE, capabilities });
    assert.deepEqual(after({ unit, ...RISCV }, ['read']), ['context-entry-invalid 0']);
  });
});

describe('one update', () => {
  it('sets A and D at once, before the access', () => {
    const unit = amdUnit({ had: 3n });
    const frame = chain(unit.memory, ROOT, AMD.levels, AMD.table);
    unit.memory.set(frame, 0, AMD.leaf);
    const { steps } = unit.run(0x123n, 'write');
    const kinds = steps.map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === 'update').length, 1);
    assert.ok(
      kinds.indexOf('update') < kinds.indexOf('fill') && kinds.indexOf('fill') < kinds.indexOf('access'),
    );
    const update = steps.find((step) => step.kind === 'update');
    assert.ok(update?.kind === 'update');
    assert.deepEqual([update.beforeLo ^ update.afterLo, update.changed], [0x60, false]);
  });

  it('is made by atomic operations as by writes', () => {
    assert.deepEqual(after({ unit: amdUnit({ had: 3n }), ...AMD }, ['atomic']), [`${OUT} 60`]);
    const writeOnly = { ...AMD, leaf: at(DATA) | bit(62) | 1n };
    assert.deepEqual(after({ unit: amdUnit({ had: 3n }), ...writeOnly }, ['write', 'atomic']), [
      `${OUT} 60`,
      'read-denied, stage 2, depth 1 60',
    ]);
  });

  it('is not made for a request that is refused', () => {
    const readOnly = { ...AMD, leaf: at(DATA) | bit(61) | 1n };
    assert.deepEqual(after({ unit: amdUnit({ had: 3n }), ...readOnly }, ['write']), [
      'write-denied, stage 2, depth 1 0',
    ]);
  });
});
