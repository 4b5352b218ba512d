/** Commands that reached less than their specification says: every command of every vendor. */
import assert from 'node:assert/strict';
import { GUEST_KINDS } from '../../../../src/engine/driver/guest/index';
import { type GuestKind } from '../../../../src/engine/driver/guest/guestKind';
import { type HardwareRules } from '../../../../src/engine/iommu/rules';
import { NestedBench } from '../nestedBench';

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
