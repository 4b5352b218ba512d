/** An IOMMU with its queue, its log and devices with TLBs of their own; and one that does not snoop the CPUs' caches. */
import assert from 'node:assert/strict';
import { AtsDevice } from '../../../../src/engine/iommu/device/atsDevice';
import { CpuCache } from '../../../../src/engine/iommu/translate/staleView';
import { riscvCommands } from '../../../../src/engine/iommu/vendors/riscv/commands';
import { type WritableMemory } from '../../../../src/engine/memory/writableMemory';
import { SeededRandom } from '../../../../src/engine/random';
import { frameNumber } from '../../../../src/engine/values';
import { at } from '../../../builders/tables';
import { ask, drain, sayOutcome, stepTo } from './oneSpace';
import { chain, DATA, ONLY, riscvUnit, ROOT, TC, vtdUnit, type RealUnit } from './realUnit';

const RISCV_TABLE = (frame: number): bigint => (BigInt(frame) << 10n) | 1n;
const RISCV_LEAF = (BigInt(DATA) << 10n) | 0x1fn;
const QUEUE = 0x30;
const LOG = 0x31;
const DONE = 0x32;

/** Sv39x4 with GADE; a command queue of 4 and a fault queue of 4. */
function riscv(drains: boolean): {
  readonly unit: RealUnit;
  readonly leaf: number;
  readonly submit: (words: readonly bigint[]) => void;
} {
  const unit = riscvUnit({ stages: 'second', tc: TC.GADE | TC.EN_ATS, rules: { drains } });
  const leaf = chain(unit.memory, ROOT, 3, RISCV_TABLE);
  unit.memory.set(leaf, 0, RISCV_LEAF);
  const { iommu, memory } = unit;
  iommu.writeRegister('cqb', (BigInt(QUEUE) << 10n) | 1n);
  iommu.writeRegister('cqcsr', 1n);
  iommu.writeRegister('fqb', (BigInt(LOG) << 10n) | 1n);
  iommu.writeRegister('fqcsr', 1n);
  let tail = 0;
  const submit = (words: readonly bigint[]): void => {
    for (const [index, word] of words.entries()) memory.set(QUEUE, 2 * tail + index, word);
    tail = (tail + 1) % 4;
    iommu.writeRegister('cqt', BigInt(tail));
  };
  return { unit, leaf, submit };
}

const fence = riscvCommands.fence({ AV: 1n, PR: 1n, PW: 1n, DATA: 0x77n, ADDR: at(DONE) });
const invalidate = riscvCommands.invalidateGvma({ AV: 1n, GV: 1n, GSCID: 6n, ADDR: 0n });

describe('commands of the queue', () => {
  it('a fence with PW is not done while a write that was translated before is in flight', () => {
    const { unit, leaf, submit } = riscv(true);
    const { iommu, memory } = unit;
    const steps = iommu.request(ask(0x123n, 'write', { requester: ONLY }));
    stepTo(steps, ({ kind }) => kind === 'fill');
    memory.set(leaf, 0, 0n);
    submit(invalidate);
    submit(fence);
    assert.deepEqual(iommu.runCommand(), { kind: 'command', name: 'IOTINVAL.GVMA', index: 0, done: true });
    assert.equal(iommu.caches.iotlb.size, 0);
    assert.equal(iommu.runCommand(), undefined);
    const later = iommu.request(ask(0x123n, 'write', { requester: ONLY }));
    assert.equal(sayOutcome(drain(later).outcome), 'not-present, stage 2, depth 1');
    assert.equal(memory.get(DONE, 0), 0n);
    assert.equal(sayOutcome(drain(steps).outcome), '0x80123');
    assert.deepEqual(unit.observed, ['write 0x80123']);
    assert.equal(iommu.runCommand()?.kind, 'command');
    assert.equal(memory.get(DONE, 0), 0x77n);
    assert.equal(iommu.counters.commands, 2);
  });

  it('where nothing drains, the fence is done before the data has landed', () => {
    const { unit, submit } = riscv(false);
    const steps = unit.iommu.request(ask(0x123n, 'write', { requester: ONLY }));
    stepTo(steps, ({ kind }) => kind === 'fill');
    submit(invalidate);
    submit(fence);
    while (unit.iommu.runCommand());
    assert.equal(unit.memory.get(DONE, 0), 0x77n);
    assert.deepEqual(unit.observed, []);
    drain(steps);
    assert.deepEqual(unit.observed, ['write 0x80123']);
  });
});

describe('refused requests', () => {
  it('are recorded in the log of the vendor', () => {
    const { unit } = riscv(true);
    const { steps, outcome } = unit.run(0x5123n, 'write');
    assert.equal(outcome.ok, false);
    assert.deepEqual(steps.at(-1), { kind: 'fault', fault: 'not-present', recorded: true });
    const [fault] = [...unit.iommu.faults.entries()];
    assert.ok(fault);
    assert.deepEqual([fault.address, fault.write, fault.requester], [0x5123n, true, 0]);
    assert.match(fault.code, /23/);
    assert.equal(unit.iommu.counters.faults, 1);
  });
});

describe('a device with a TLB of its own', () => {
  it('is granted writes with D set, then writes silently, until its TLB is invalidated', () => {
    const { unit, leaf, submit } = riscv(true);
    const { iommu, memory } = unit;
    const device = new AtsDevice({
      requester: ONLY,
      port: iommu,
      entries: 4,
      random: new SeededRandom(1),
      ats: true,
    });
    iommu.devices.set(ONLY, device);
    const write = ask(0x123n, 'write', { requester: ONLY });
    const outcome = device.runDma(write);
    assert.ok(outcome?.ok);
    assert.equal(memory.get(leaf, 0), RISCV_LEAF | 0xc0n);
    memory.set(leaf, 0, RISCV_LEAF | 0x40n);
    submit(invalidate);
    submit(fence);
    while (iommu.runCommand());
    device.runDma(write);
    assert.equal(memory.get(leaf, 0), RISCV_LEAF | 0x40n, 'the device still has its translation');
    submit(riscvCommands.invalidateDeviceTlb({ RID: 0n, PAYLOAD: 0n }));
    submit(fence);
    while (iommu.runCommand());
    device.runDma(write);
    assert.equal(memory.get(leaf, 0), RISCV_LEAF | 0xc0n);
  });
});

describe('a walker that does not snoop the caches of the CPU', () => {
  function made() {
    let cache: CpuCache | undefined;
    const unit = vtdUnit({
      type: 'second',
      rules: { snoopsCaches: false },
      seen: (memory) => (cache = new CpuCache(memory)),
    });
    assert.ok(cache);
    const leaf = chain(unit.memory, ROOT, 4, (frame) => at(frame) | 3n);
    const store = (index: number, word: bigint): void => {
      cache?.writeEntry(frameNumber(leaf), index, Number(word & 0xffff_ffffn), Number(word >> 32n));
    };
    return { unit, cache, leaf, store };
  }
  const met = (unit: RealUnit, page: bigint): string => sayOutcome(unit.run(page << 12n, 'write').outcome);

  it('sees a store only after its line was cleaned', () => {
    const { unit, cache, leaf, store } = made();
    store(0, at(DATA) | 3n);
    store(9, at(DATA) | 3n);
    assert.equal(unit.memory.get(leaf, 0), at(DATA) | 3n, 'the CPU sees it');
    assert.equal(met(unit, 0n), 'not-present, stage 2, depth 1');
    unit.iommu.cleanLine(leaf * 4096, 1);
    assert.equal(met(unit, 0n), '0x80000');
    assert.equal(met(unit, 9n), 'not-present, stage 2, depth 1', 'another line');
    assert.equal(cache.dirtyLines, 1);
    assert.equal(cache.evictLine(new SeededRandom(1)), true);
    assert.equal(met(unit, 9n), '0x80000');
    assert.equal(cache.evictLine(new SeededRandom(1)), false);
  });

  it('sees the words of a line together', () => {
    const { unit, leaf, store } = made();
    store(0, at(DATA) | 3n);
    store(1, at(DATA + 1) | 3n);
    unit.iommu.cleanLine(leaf * 4096 + 8, 1);
    assert.equal(met(unit, 0n), '0x80000');
    assert.equal(met(unit, 1n), '0x81000');
  });

  it('loses what it writes to a line that a cache holds, when that is written back', () => {
    const cache = new CpuCache(made().unit.memory);
    const frame = frameNumber(ROOT);
    const lowOf = (memory: WritableMemory): number | undefined => {
      const read = { lo: 0, hi: 0 };
      return memory.readEntry(frame, 5, read) ? read.lo : undefined;
    };
    cache.writeEntry(frame, 5, 1, 0);
    assert.ok(cache.behind.casEntry(frame, 5, 0, 0, 0x20, 0));
    assert.deepEqual([lowOf(cache.behind), lowOf(cache)], [0x20, 1]);
    assert.equal(cache.behind.readFrame(frame)?.[10], 0x20);
    cache.clean(ROOT * 4096 + 40, 1);
    assert.deepEqual([lowOf(cache.behind), lowOf(cache)], [1, 1]);
    assert.ok(!cache.behind.casEntry(frame, 5, 0, 0, 0x20, 0));
  });

  it('that snoops sees every store at once', () => {
    const unit = vtdUnit({ type: 'second', seen: (memory) => new CpuCache(memory) });
    const leaf = chain(unit.memory, ROOT, 4, (frame) => at(frame) | 3n);
    unit.memory.set(leaf, 0, at(DATA) | 3n);
    assert.equal(met(unit, 0n), '0x80000');
  });
});
