/** Dirty tracking through iommufd's objects on each vendor's IOMMU: what is told is what was written. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { GET_DIRTY_BITMAP_NO_CLEAR } from '../../../../src/engine/driver/iommufd/dirtyTracking';
import { SeededRandom } from '../../../../src/engine/random';
import { GUEST_PAGES, RealMachine } from './real';

const VENDORS = [
  { kind: 'vt-d', tables: 'second-stage' },
  { kind: 'amd-vi', tables: 'v1' },
  { kind: 'smmuv3', tables: 'stage1-4k' },
  { kind: 'smmuv3', tables: 'stage2-4k' },
  { kind: 'riscv', tables: 'sv48x4' },
] as const;

for (const { kind, tables } of VENDORS) {
  describe(`iommufd on ${kind}, ${tables}`, () => {
    function setUp(pageShifts?: readonly number[]) {
      const machine = new RealMachine(kind, { tables, ...(pageShifts ? { pageShifts } : {}) });
      const hwptId = machine.hwpt();
      machine.run(machine.fd.attach(machine.deviceId, hwptId));
      return { machine, hwptId };
    }

    it('tells by 4K pages exactly what was written since tracking began', () => {
      const { machine, hwptId } = setUp([12]);
      const random = new SeededRandom(7);
      for (let each = 0; each < 50; each++) machine.write(random.below(GUEST_PAGES));
      machine.run(machine.fd.hwptSetDirtyTracking(hwptId, 1));
      assert.deepEqual(machine.dirty(hwptId), []);
      machine.written();
      for (let round = 0; round < 3; round++) {
        for (let each = 0; each < 200; each++) machine.write(random.below(GUEST_PAGES));
        const written = machine.written();
        assert.deepEqual(machine.dirty(hwptId, GET_DIRTY_BITMAP_NO_CLEAR), written);
        assert.deepEqual(machine.dirty(hwptId), written);
        assert.deepEqual(machine.dirty(hwptId), []);
        // What the IOTLB holds must not keep a write from being seen.
        for (const page of written.slice(0, 20)) machine.write(page);
        assert.deepEqual(machine.dirty(hwptId), machine.written());
      }
    });

    it('tells a dirty 2M page by all of its bits, and by one of a larger unit', () => {
      const { machine, hwptId } = setUp([12, 21]);
      machine.run(machine.fd.hwptSetDirtyTracking(hwptId, 1));
      machine.write(5 * 512 + 100);
      const whole = Array.from({ length: 512 }, (_, page) => 5 * 512 + page);
      const noClear = GET_DIRTY_BITMAP_NO_CLEAR;
      assert.deepEqual(machine.dirty(hwptId, noClear), whole);
      assert.deepEqual(machine.dirty(hwptId, noClear, 1n << 21n), [5]);
      assert.deepEqual(machine.dirty(hwptId, noClear, 1n << 23n), [1]);
      const halfPages = Array.from({ length: 1024 }, (_, half) => 5 * 1024 + half);
      assert.deepEqual(machine.dirty(hwptId, noClear, 1n << 11n), halfPages);
      machine.dirty(hwptId);
      assert.deepEqual(machine.dirty(hwptId), []);
      machine.write(5 * 512 + 101);
      assert.deepEqual(machine.dirty(hwptId), whole);
    });

    it('unmapped memory is no more reached, and its pages are given back', () => {
      const { machine } = setUp();
      machine.write(1);
      machine.run(machine.fd.ioasUnmap(machine.ioasId, 0n, 2n ** 64n - 1n));
      const outcome = machine.dma(0x4000_1000n);
      assert.ok(!outcome.ok);
      assert.equal(machine.memory.references(0x7f00_0000_0000n, 32n << 20n), 0);
    });
  });
}
