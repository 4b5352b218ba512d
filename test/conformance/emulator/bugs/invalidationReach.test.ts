/** Commands that reached less than their specification says: mistakes of hardware, each broken and right. */
import assert from 'node:assert/strict';
import { GUEST_KINDS } from '../../../../src/engine/driver/guest/index';
import { type GuestKind } from '../../../../src/engine/driver/guest/guestKind';
import { type HardwareRules } from '../../../../src/engine/iommu/rules';
import { riscvCommands } from '../../../../src/engine/iommu/vendors/riscv/commands';
import { pasid } from '../../../../src/engine/values';
import { NestedBench } from '../nestedBench';
import { DEVICE, RiscvBench } from '../riscvBench';

const IOVA = 0x4_0000;
const GUEST = 0x8_0000;

/**
 * A guest's page of 2M over the kernel's pages of 4K is cached by 4K. The guest gives it another place and invalidates by one
 * address; then pages at both ends of it are used. What went wrong, by the guest's command.
 */
function moveLargePage(kind: GuestKind, rules: Partial<HardwareRules>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const flush of Object.keys(kind.flushes).keys()) {
    const nested = new NestedBench(kind, { rules, flush, largePages: true });
    const { bench, parent, guest, command } = nested;
    bench.run(parent.tables.map(GUEST, 0x10_0001, 1024, 3));
    bench.run(guest.map(IOVA, GUEST, 512, 3));
    const first = [0, 5, 511].map((page) => bench.access(IOVA + page, 'write'));
    assert.deepEqual(
      first.map(({ met, wrong }) => [met, wrong]),
      [0, 5, 511].map((page) => [`0x${((0x10_0001 + page) * 4096).toString(16)}`, undefined]),
    );
    assert.ok(
      [...bench.iommu.caches.iotlb.entries()].every(
        ({ shift, stage1Shift }) => shift === 12 && stage1Shift === 21,
      ),
    );
    bench.run(guest.unmap(IOVA, 512));
    bench.run(guest.map(IOVA, GUEST + 512, 512, 3));
    const wrong = [0, 5, 511].flatMap((page) => bench.access(IOVA + page, 'write').wrong ?? []);
    found.set(command, wrong);
  }
  return found;
}

describe('riscv-iommu issue 780: a first-stage page of 2M over second-stage pages of 4K', () => {
  for (const kind of GUEST_KINDS) {
    it(`goes as a whole by every command of ${kind.kind}`, () => {
      for (const [command, wrong] of moveLargePage(kind, {})) assert.deepEqual(wrong, [], command);
    });
  }

  it('keeps its other parts where hardware looks only at what is cached around the address', () => {
    const riscv = GUEST_KINDS.find(({ kind }) => kind === 'riscv');
    assert.ok(riscv);
    const found = moveLargePage(riscv, { mistakes: ['reaches-part-of-leaf'] });
    const byAddress = [...found].filter(([command]) => command.includes('AV'));
    assert.equal(byAddress.length, 2);
    for (const [command, wrong] of byAddress) assert.equal(wrong.length, 2, command);
    for (const [command, wrong] of found) if (!command.includes('AV')) assert.deepEqual(wrong, [], command);
  });
});

describe('riscv-iommu pull request 693: IODIR.INVAL_DDT and the entries of processes', () => {
  /** Sv39 tables of one page of 1G each: IOVA 0 leads to 1G times `to`. */
  function tables(bench: RiscvBench, frame: number, to: number): void {
    bench.frame(frame);
    // V, R, W, U, A, D.
    bench.put(frame * 4096, (BigInt(to * 2 ** 18) << 10n) | 0xd7n);
  }

  /** Where process 3 gets to: before its context leads to other tables, and after INVAL_DDT of its device. */
  function moveProcess(rules: Partial<HardwareRules>): (number | string)[] {
    const bench = new RiscvBench(rules);
    const PDT = 0x40;
    bench.frame(PDT);
    tables(bench, 0x41, 1);
    tables(bench, 0x42, 2);
    // tc: V, PDTV; fsc: PD8.
    bench.context(1n | (1n << 5n), 0n, 0n, (1n << 60n) | BigInt(PDT), 0n, 0n, 0n, 0n);
    const process = (root: number): void => {
      bench.put(PDT * 4096 + 3 * 16, 1n | (7n << 12n), (8n << 60n) | BigInt(root));
    };
    const ask = (): number | string => {
      const outcome = bench.iommu.run({ ...bench.request(0x1000n, 'read'), pasid: pasid(3) });
      return outcome.ok ? (outcome.outputHi * 2 ** 32 + outcome.outputLo) / 2 ** 30 : outcome.fault;
    };
    process(0x41);
    const before = ask();
    process(0x42);
    bench.command(riscvCommands.invalidateDevice({ DV: true, DID: DEVICE }));
    bench.command(riscvCommands.invalidateVma({}));
    return [before, ask()].map((place) => (typeof place === 'number' ? Math.floor(place) : place));
  }

  it('go with their device', () => {
    assert.deepEqual(moveProcess({}), [1, 2]);
  });

  it('stay where hardware leaves them out, and lead to the old tables', () => {
    assert.deepEqual(moveProcess({ mistakes: ['keeps-processes'] }), [1, 1]);
  });
});
