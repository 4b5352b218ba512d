/** ATS: translation requests and translated requests (PCIe 6.0 §10.2), by vendor. */
import assert from 'node:assert/strict';
import { type RequestOutcome } from '../../../../src/engine/iommu/request';
import { READ, READ_WRITE, WRITE } from '../../../../src/engine/pageTable/entryClass';
import { at } from '../../../builders/tables';
import { sayOutcome } from './oneSpace';
import {
  amdUnit,
  armUnit,
  BELOW,
  bit,
  chain,
  DATA,
  riscvUnit,
  ROOT,
  TC,
  vtdUnit,
  type RealUnit,
} from './realUnit';

const PERMISSION = bit(61) | bit(62) | 1n;
const AMD_TABLE = (frame: number, depth: number): bigint =>
  at(frame) | PERMISSION | (BigInt(depth - 1) << 9n);
const [A, D] = [0x20n, 0x40n];

function amd(
  ats: boolean,
  leaf = at(DATA) | PERMISSION,
): { readonly unit: RealUnit; readonly frame: number } {
  const unit = amdUnit({ had: 3n, ats });
  const frame = chain(unit.memory, ROOT, 4, AMD_TABLE);
  unit.memory.set(frame, 0, leaf);
  return { unit, frame };
}

const RISCV_TABLE = (frame: number): bigint => (BigInt(frame) << 10n) | 1n;
const RISCV_LEAF = (BigInt(DATA) << 10n) | 0x1fn;

function riscv(stages: 'first' | 'second', tc: bigint, leaf = RISCV_LEAF) {
  const unit = riscvUnit({ stages, tc });
  const frame = chain(unit.memory, ROOT, 3, RISCV_TABLE);
  unit.memory.set(frame, 0, leaf);
  return { unit, frame };
}

/** `0x80123 RW`, or the fault. */
function granted(outcome: RequestOutcome): string {
  if (!outcome.ok) return sayOutcome(outcome);
  return `${sayOutcome(outcome)} ${['-', 'R', 'W', 'RW'][outcome.permission] ?? ''}`;
}

const translate = (unit: RealUnit, noWrite = false, address = 0x123n): string =>
  granted(unit.run(address, 'read', { kind: 'translation', noWrite }).outcome);

describe('translation requests', () => {
  it('set D when they may write: before any write, and without one', () => {
    const { unit, frame } = amd(true);
    assert.equal(translate(unit), '0x80123 RW');
    assert.equal(unit.memory.get(frame, 0), at(DATA) | PERMISSION | A | D);
    assert.deepEqual(unit.observed, [], 'nothing was accessed');
    assert.equal(unit.iommu.inFlight.size, 0);
  });

  it('with No Write set A, and are granted writes only where D is set already', () => {
    const { unit, frame } = amd(true);
    assert.equal(translate(unit, true), '0x80123 R');
    assert.equal(unit.memory.get(frame, 0), at(DATA) | PERMISSION | A);
    assert.equal(translate(unit), '0x80123 RW');
    assert.equal(translate(unit, true), '0x80123 RW');
  });

  it('are answered with what is permitted: a page that may not be written sets no D', () => {
    const readOnly = at(DATA) | bit(61) | 1n;
    const { unit, frame } = amd(true, readOnly);
    assert.equal(translate(unit), '0x80123 R');
    assert.equal(unit.memory.get(frame, 0), readOnly | A);
    const writeOnly = amd(true, at(DATA) | bit(62) | 1n);
    assert.equal(translate(writeOnly.unit), '0x80123 W');
  });

  it('are answered with no permission where nothing is mapped, without a fault', () => {
    const { unit } = amd(true, 0n);
    assert.equal(translate(unit), '0x123 -');
    assert.equal(unit.iommu.counters.faults, 0);
  });

  it('of RISC-V grant no writes where D is clear and hardware may not set it', () => {
    const { unit } = riscv('first', TC.EN_ATS, RISCV_LEAF | 0x40n);
    assert.equal(translate(unit), '0x80123 R');
    const marked = riscv('first', TC.EN_ATS | TC.SADE);
    assert.equal(translate(marked.unit), '0x80123 RW');
    assert.equal(marked.unit.memory.get(marked.frame, 0), RISCV_LEAF | 0xc0n);
  });

  it('of RISC-V meet page faults as no permission, and other faults as errors (1.0 §2.6)', () => {
    const misconfigured = riscv('first', TC.EN_ATS, RISCV_LEAF | bit(54));
    assert.equal(translate(misconfigured.unit), '0x123 -');
    const beyond = riscv('first', TC.EN_ATS);
    beyond.unit.memory.set(ROOT, 0, RISCV_TABLE(0x9999));
    assert.equal(translate(beyond.unit), 'table-unreadable, stage 1, depth 2');
    assert.equal(beyond.unit.iommu.counters.faults, 1);
  });
});

describe('a device whose entry does not allow ATS', () => {
  const units: readonly (readonly [string, (ats: boolean) => RealUnit])[] = [
    ['VT-d, context entry DTE', (ats) => vtdUnit({ type: 'second', ats })],
    ['AMD, DTE.I', (ats) => amdUnit({ ats })],
    ['Arm, STE.EATS', (ats) => armUnit({ stages: '2', eats: ats ? 1n : 0n })],
    ['RISC-V, tc.EN_ATS', (ats) => riscvUnit({ stages: 'second', tc: ats ? TC.EN_ATS : 0n })],
  ];
  for (const [title, make] of units) {
    it(`${title}: translation and translated requests are refused, and only without it`, () => {
      for (const kind of ['translation', 'translated'] as const) {
        assert.equal(sayOutcome(make(false).run(0x123n, 'read', { kind }).outcome), 'type-disallowed');
        const allowed = make(true).run(0x123n, 'read', { kind }).outcome;
        assert.equal(sayOutcome(allowed), '0x123', 'nothing is mapped, which is no error of ATS');
      }
    });
  }

  it('RISC-V with ddtp Bare: they are refused, and others pass', () => {
    const { unit } = riscv('first', TC.EN_ATS);
    unit.iommu.writeRegister('ddtp', 1n);
    assert.equal(sayOutcome(unit.run(0x123n, 'read').outcome), '0x123');
    assert.equal(sayOutcome(unit.run(0x123n, 'read', { kind: 'translation' }).outcome), 'type-disallowed');
  });
});

describe('translated requests', () => {
  it('access memory without a look at the tables', () => {
    const { unit, frame } = amd(true, 0n);
    const { outcome, steps } = unit.run(0x9_9123n, 'write', { kind: 'translated' });
    assert.equal(granted(outcome), '0x99123 RW');
    assert.ok(steps.every(({ kind }) => kind === 'fetch' || kind === 'lookup' || kind === 'access'));
    assert.deepEqual(unit.observed, ['write 0x99123']);
    assert.equal(unit.memory.get(frame, 0), 0n);
  });

  it('of RISC-V with T2GPA are guest physical addresses, as are the answers', () => {
    const { unit, frame } = riscv('second', TC.EN_ATS | TC.T2GPA | TC.GADE);
    assert.equal(translate(unit), '0x123 RW');
    const { outcome } = unit.run(0x123n, 'write', { kind: 'translated' });
    assert.equal(sayOutcome(outcome), '0x80123');
    assert.deepEqual(unit.observed, ['write 0x80123']);
    unit.memory.set(frame, 0, 0n);
    unit.iommu.invalidate({ translations: { vm: 6 } });
    assert.equal(
      sayOutcome(unit.run(0x123n, 'write', { kind: 'translated' }).outcome),
      'not-present, stage 2, depth 1',
    );
  });

  it('of RISC-V with T2GPA over two stages: the answer is what stage 1 says', () => {
    const unit = riscvUnit({ stages: 'nested', tc: TC.EN_ATS | TC.T2GPA | TC.GADE | TC.SADE });
    const last = chain(unit.memory, BELOW, 3, RISCV_TABLE);
    for (let guest = 0; guest < 0x100; guest++)
      unit.memory.set(last, guest, (BigInt(0x100 + guest) << 10n) | 0x1fn);
    for (let level = 0; level < 3; level++) {
      unit.memory.frame(0x100 + ROOT + level);
      unit.memory.set(0x100 + ROOT + level, 0, level === 2 ? RISCV_LEAF : RISCV_TABLE(ROOT + level + 1));
    }
    assert.equal(translate(unit), '0x80123 RW');
    assert.equal(sayOutcome(unit.run(0x80123n, 'write', { kind: 'translated' }).outcome), '0x180123');
  });

  it('of Arm with EATS = 2 (split stage) go through stage 2', () => {
    const unit = armUnit({ stages: 'nested', eats: 2n });
    const { memory } = unit;
    const last = chain(memory, BELOW, 3, (frame) => at(frame) | 3n);
    for (let guest = 0; guest < 0x100; guest++) memory.set(last, guest, at(0x100 + guest) | 0x443n | bit(7));
    for (const frame of [2, ROOT, ROOT + 1, ROOT + 2]) memory.frame(0x100 + frame);
    for (const word of [0, 1]) memory.set(0x102, word, memory.get(2, word));
    memory.set(0x100 + ROOT, 0, at(ROOT + 1) | 3n);
    memory.set(0x100 + ROOT + 1, 0, at(ROOT + 2) | 3n);
    memory.set(0x100 + ROOT + 2, 0, at(DATA) | 0x443n);
    assert.equal(translate(unit), '0x80123 RW');
    assert.equal(sayOutcome(unit.run(0x80123n, 'write', { kind: 'translated' }).outcome), '0x180123');
  });
});

describe('permission of a device entry', () => {
  it('takes away from what is granted (AMD IR and IW)', () => {
    const { unit } = amd(true);
    unit.memory.set(1, 0, unit.memory.get(1, 0) & ~bit(62));
    const { outcome } = unit.run(0x123n, 'read', { kind: 'translation' });
    assert.ok(outcome.ok);
    assert.equal(outcome.permission & READ_WRITE, READ);
    assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), 'write-denied');
    assert.equal(outcome.permission & WRITE, 0);
  });
});
