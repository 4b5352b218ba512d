import assert from 'node:assert/strict';
import { type CpuSecondStage } from '../../../../src/engine/driver/cpu/secondStage';
import { type Ledger } from '../../../../src/engine/ledger/ledger';
import { runSteps } from '../../../../src/engine/steps';
import { guest, range, value, ZERO_FRAME } from './guest';

const ALL = range(0, 0x40200);
const harvest = (cpu: CpuSecondStage, flushes = true) => runSteps(cpu.harvest(ALL, { flushes }));

/** The end of a migration: what the last harvest reports is copied, and nothing runs any more. */
function end(cpu: CpuSecondStage, ledger: Ledger): void {
  for (const each of harvest(cpu)) ledger.copied(each);
  ledger.finish();
}

describe('A second stage of CPUs', () => {
  for (const kind of ['ept', 'npt'] as const) {
    it(`is populated by a fault and marked by a write (${kind})`, () => {
      const { cpu, ledger } = guest({ kind });
      value(runSteps(cpu.startLogging('dirty-bits')));
      value(cpu.access(0, 5, false));
      assert.deepEqual(cpu.populated, [range(5)]);
      assert.deepEqual(harvest(cpu), []);
      value(cpu.access(0, 5, true));
      value(cpu.access(0, 0x40003, true));
      assert.deepEqual(ledger.behind, [range(5), range(0x40003)]);
      assert.deepEqual(harvest(cpu), [range(5), range(0x40003)]);
      assert.deepEqual(harvest(cpu), []);
    });
  }

  it('takes the largest leaf of its policy that fits, and reports all of it', () => {
    const { cpu } = guest({ pageShifts: [12, 21] });
    value(runSteps(cpu.startLogging('dirty-bits')));
    value(cpu.access(0, 700, true));
    assert.deepEqual(harvest(cpu), [range(512, 1024)]);
    assert.deepEqual(cpu.populated, [range(512, 1024)]);
  });

  it('makes a small leaf where a large one would cover what is mapped already', () => {
    const { cpu } = guest({ pageShifts: [12, 21], zeroFrame: ZERO_FRAME });
    value(cpu.access(0, 3, false));
    assert.deepEqual(cpu.populated, []);
    value(cpu.access(0, 7, true));
    assert.deepEqual(cpu.populated, [range(7)]);
  });

  it('refuses what is no memory of the guest, and a vCPU that is not there', () => {
    const { cpu } = guest();
    assert.deepEqual(cpu.access(0, 0x3000, false), {
      ok: false,
      errno: 'EFAULT',
      message: '0x3000000 is no memory of the guest',
    });
    assert.equal(cpu.hostWrite('vhost', 0x3000).ok, false);
    assert.equal(cpu.access(1, 0, false).ok, false);
  });

  it('has no dirty bits without EPTP bit 6, and is tracked by write protection', () => {
    const { cpu } = guest({ marks: false });
    const refused = runSteps(cpu.startLogging('dirty-bits'));
    assert.equal(refused.ok ? '' : refused.errno, 'EOPNOTSUPP');
    value(runSteps(cpu.startLogging('write-protect')));
    value(cpu.access(0, 5, true));
    value(cpu.access(0, 6, false));
    assert.deepEqual(harvest(cpu), [range(5)]);
    value(cpu.access(0, 5, true));
    assert.deepEqual(harvest(cpu), [range(5)]);
  });

  it('splits large leaves when write protection starts: one write is one page', () => {
    const { cpu } = guest({ pageShifts: [12, 21] });
    value(cpu.access(0, 700, true));
    value(runSteps(cpu.startLogging('write-protect')));
    assert.deepEqual(cpu.populated, [range(512, 1024)]);
    value(cpu.access(0, 701, true));
    assert.deepEqual(harvest(cpu), [range(701)]);
  });

  it('starts from a clean slate', () => {
    const { cpu } = guest();
    value(cpu.access(0, 5, true));
    value(runSteps(cpu.startLogging('dirty-bits')));
    assert.deepEqual(harvest(cpu), []);
    value(cpu.access(0, 5, true));
    assert.deepEqual(harvest(cpu), [range(5)]);
  });

  for (const logging of ['dirty-bits', 'write-protect'] as const) {
    it(`loses a write when the TLBs are not flushed after clearing, and not when they are (${logging})`, () => {
      for (const flushes of [false, true]) {
        const { cpu, ledger } = guest();
        value(runSteps(cpu.startLogging(logging)));
        value(cpu.access(0, 5, true));
        for (const each of harvest(cpu, flushes)) ledger.copied(each);
        value(cpu.access(0, 5, true));
        end(cpu, ledger);
        const lost = ledger.findings.of('lost-dirty').map(({ startPage }) => startPage);
        assert.deepEqual(lost, flushes ? [] : [5]);
        if (!flushes) assert.match(ledger.findings.of('lost-dirty')[0]?.why ?? '', /written by vCPU 0/);
      }
    });
  }

  it('loses nothing of what a vCPU writes between clearing and flushing: the copy comes after', () => {
    const { cpu, ledger } = guest();
    value(runSteps(cpu.startLogging('dirty-bits')));
    value(cpu.access(0, 5, true));
    const steps = cpu.harvest(ALL);
    let step = steps.next();
    while (step.done !== true) {
      value(cpu.access(0, 5, true));
      step = steps.next();
    }
    for (const each of step.value) ledger.copied(each);
    end(cpu, ledger);
    assert.deepEqual(ledger.findings.all(), []);
  });

  it('does not mind that entries go away during a harvest', () => {
    const { cpu, ledger } = guest();
    value(runSteps(cpu.startLogging('dirty-bits')));
    for (const page of [5, 6, 7]) value(cpu.access(0, page, true));
    const steps = cpu.harvest(ALL);
    steps.next();
    cpu.zap(range(6), 'mmu-notifier');
    for (const each of runSteps(steps)) ledger.copied(each);
    end(cpu, ledger);
    assert.deepEqual(ledger.findings.all(), []);
  });

  it('gives reads of unwritten pages the page of zeros, and a page of its own to the first writer', () => {
    const { cpu, ledger } = guest({ zeroFrame: ZERO_FRAME });
    value(cpu.access(0, 5, false));
    value(cpu.access(0, 6, false));
    assert.deepEqual(cpu.populated, []);
    assert.ok(cpu.isUnwritten(5));
    value(cpu.access(0, 5, true));
    value(cpu.hostWrite('vhost', 6));
    assert.deepEqual(cpu.populated, [range(5)]);
    assert.deepEqual(ledger.behind, [range(5, 7)]);
    value(cpu.access(0, 6, false));
    assert.deepEqual(cpu.populated, [range(5, 7)]);
  });

  it('zaps whole leaves, also where the range covers a part', () => {
    const { cpu } = guest({ pageShifts: [12, 21] });
    value(cpu.access(0, 700, true));
    value(cpu.access(0, 3, true));
    cpu.zap(range(800, 4096), 'numa-balancing');
    assert.deepEqual(cpu.populated, [range(0, 512)]);
  });
});
