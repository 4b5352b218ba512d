/** SET_DIRTY_TRACKING and GET_DIRTY_BITMAP as include/uapi/linux/iommufd.h promises them. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { done, refused } from '../../../../../src/engine/driver/errno';
import { GET_DIRTY_BITMAP_NO_CLEAR } from '../../../../../src/engine/driver/iommufd/dirtyTracking';
import { HWPT_ALLOC_DIRTY_TRACKING } from '../../../../../src/engine/driver/iommufd/hwpt';
import { runSteps } from '../../../../../src/engine/steps';
import { fails, ok, Selftest } from '../../../../conformance/emulator/iommufd/harness';
import { markDirty, MOCK_APERTURE_START, MockIommu } from '../../../../conformance/emulator/iommufd/mock';

const PAGE = 4096n;
/** Areas of 8 pages, with a hole behind the first four of them. */
const AREA = 8n * PAGE;
const START = MOCK_APERTURE_START;
const HOLE = START + 4n * AREA;

function setUp(flags = HWPT_ALLOC_DIRTY_TRACKING) {
  const self = new Selftest();
  const { fd } = self;
  const ioasId = ok(fd.ioasAlloc());
  for (let area = 0n; area < 4n; area++) ok(self.mapFixed(ioasId, self.buffer, AREA, START + area * AREA));
  ok(self.mapFixed(ioasId, self.buffer, AREA, HOLE + AREA));
  const { deviceId } = ok(self.mockDomain(ok(fd.ioasAlloc())));
  const hwptId = ok(fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags }));
  ok(fd.replace(deviceId, hwptId));
  const { tables } = self.paging(hwptId).domain.kernel;
  const mark = (page: number) => markDirty(tables, START + BigInt(page) * PAGE);
  const bytes = new Uint8Array(64);
  const get = (range: { iova?: bigint; length?: bigint; pageSize?: bigint; flags?: number }, room = bytes) =>
    fd.hwptGetDirtyBitmap({
      hwptId,
      iova: START,
      length: 4n * AREA,
      pageSize: PAGE,
      data: { bytes: room, offset: 0 },
      ...range,
    });
  return { self, fd, ioasId, deviceId, hwptId, bytes, mark, get };
}

describe('iommufd: dirty tracking', () => {
  it('refuses unknown flags, other objects and page tables without tracking', () => {
    const { fd, hwptId, deviceId, get } = setUp();
    fails('EOPNOTSUPP', fd.hwptSetDirtyTracking(hwptId, 2));
    fails('ENOENT', fd.hwptSetDirtyTracking(deviceId, 1));
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    fails('EOPNOTSUPP', get({ flags: 2 }));
    const plain = setUp(0);
    fails('EOPNOTSUPP', plain.fd.hwptSetDirtyTracking(plain.hwptId, 1));
    fails('EOPNOTSUPP', plain.get({}));
  });

  it('refuses ranges that overflow, are misaligned, have holes, and bitmaps that are too small', () => {
    const { fd, hwptId, get } = setUp();
    fails('EINVAL', get({}));
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    fails('EOVERFLOW', get({ iova: 2n ** 64n - PAGE, length: 2n * PAGE }));
    fails('EOVERFLOW', get({ length: 0n }));
    fails('EINVAL', get({ iova: START + 512n }));
    fails('EINVAL', get({ length: PAGE + 512n }));
    fails('EINVAL', get({ pageSize: 0n }));
    fails('EINVAL', get({ pageSize: 3n * PAGE, length: 3n * PAGE }));
    fails('EINVAL', get({ pageSize: 4n * PAGE, iova: START + PAGE, length: 4n * PAGE }));
    fails('EINVAL', get({ length: 6n * AREA }));
    fails('EINVAL', get({ iova: HOLE, length: PAGE }));
    fails('EFAULT', get({}, new Uint8Array(3)));
    ok(get({ iova: HOLE + AREA, length: AREA }));
    ok(get({}, new Uint8Array(4)));
  });

  it('clears and flushes once before marks count, and only then', () => {
    const { self, fd, hwptId, bytes, mark, get } = setUp();
    mark(1);
    mark(17);
    const before = self.iommu.driver.flushes;
    const steps = fd.hwptSetDirtyTracking(hwptId, 1);
    const names: string[] = [];
    for (let step = steps.next(); step.done !== true; step = steps.next()) names.push(step.value.name);
    assert.equal(self.iommu.driver.flushes, before + 1);
    assert.ok(names.indexOf('flush') < names.indexOf('track'));
    ok(get({}));
    assert.ok(bytes.every((byte) => byte === 0));
    const clean = self.iommu.driver.flushes;
    ok(fd.hwptSetDirtyTracking(hwptId, 0));
    assert.equal(self.iommu.driver.flushes, clean);
  });

  it('that the second IOMMU refuses is as it was on the first', () => {
    const { self, fd, hwptId } = setUp();
    const { domain } = self.paging(hwptId);
    const { kernel } = domain;
    const second = new MockIommu().driver;
    ok(domain.join(second));
    const tracking = { first: false, second: false };
    let refuses = true;
    self.iommu.driver.setDirtyTracking = function* (each, enable) {
      yield { kind: 'software', name: 'track' };
      tracking.first = enable;
      each.dirtyTracking = enable;
      return done(null);
    };
    second.setDirtyTracking = function* (each, enable) {
      yield { kind: 'software', name: 'track' };
      tracking.second = enable;
      const refuse = refuses;
      refuses = false;
      each.dirtyTracking = refuse !== enable;
      return refuse ? refused('ETIMEDOUT', 'the queue does not answer') : done(null);
    };
    fails('ETIMEDOUT', fd.hwptSetDirtyTracking(hwptId, 1));
    assert.deepEqual([tracking, kernel.dirtyTracking], [{ first: false, second: false }, false]);
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    assert.deepEqual([tracking, kernel.dirtyTracking], [{ first: true, second: true }, true]);
    refuses = true;
    fails('ETIMEDOUT', fd.hwptSetDirtyTracking(hwptId, 0));
    assert.deepEqual([tracking, kernel.dirtyTracking], [{ first: true, second: true }, true]);
  });

  it('a read that is refused midway flushes for what it cleared', () => {
    const { self, fd, hwptId, mark, get } = setUp();
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    mark(1);
    const { tables } = self.paging(hwptId).domain.kernel;
    const readDirty = tables.readAndClearDirty.bind(tables);
    tables.readAndClearDirty = function* (request, gather) {
      yield* readDirty(request, gather);
      return refused('EIO', 'changed by someone else');
    };
    const before = self.iommu.driver.flushes;
    fails('EIO', get({}));
    assert.equal(self.iommu.driver.flushes, before + 1);
  });

  it('only sets bits, flushes once when something was cleared, and not at all with NO_CLEAR', () => {
    const { self, fd, hwptId, bytes, mark, get } = setUp();
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    mark(2);
    mark(30);
    bytes.fill(0x80);
    const { driver } = self.iommu;
    const before = driver.flushes;
    ok(get({ flags: GET_DIRTY_BITMAP_NO_CLEAR }));
    assert.equal(driver.flushes, before);
    assert.deepEqual([...bytes.subarray(0, 5)], [0x84, 0x80, 0x80, 0xc0, 0x80]);
    ok(get({}));
    assert.equal(driver.flushes, before + 1);
    ok(get({}));
    assert.equal(driver.flushes, before + 1);
  });

  it('tells exactly the units of a range that hold a dirty page, for any unit and any sub-range', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(31), { maxLength: 12 }),
        fc.constantFrom(512n, 1024n, PAGE, 2n * PAGE, 8n * PAGE),
        fc.nat(31),
        fc.nat(31),
        (dirty, pageSize, from, to) => {
          const { fd, hwptId, bytes, mark, get } = setUp();
          ok(fd.hwptSetDirtyTracking(hwptId, 1));
          for (const page of dirty) mark(page);
          const unit = Math.max(1, Number(pageSize / PAGE));
          const first = Math.floor(Math.min(from, to) / unit) * unit;
          const end = Math.ceil((Math.max(from, to) + 1) / unit) * unit;
          const range = { iova: START + BigInt(first) * PAGE, length: BigInt(end - first) * PAGE, pageSize };
          ok(get(range, bytes.fill(0)));
          const perBit = Number(pageSize) / 4096;
          for (let bit = 0; bit < bytes.length * 8; bit++) {
            const start = first + bit * perBit;
            const expected = dirty.some(
              (page) => page < end && page >= first && page < start + perBit && page + 1 > start,
            );
            assert.equal(((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1, expected ? 1 : 0);
          }
          // What was told is clean, what was not is still dirty.
          ok(get({}, bytes.fill(0)));
          const left = dirty.filter((page) => page < first || page >= end);
          for (let page = 0; page < 32; page++)
            assert.equal(((bytes[page >>> 3] ?? 0) >>> (page & 7)) & 1, left.includes(page) ? 1 : 0);
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  it('an unmap waits for a dirty read that is under way, and goes on when that is cancelled', () => {
    const { fd, ioasId, hwptId, get } = setUp();
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    const reader = get({});
    assert.ok(reader.next().done !== true);
    const unmap = fd.ioasUnmap(ioasId, START, AREA);
    for (let tries = 0; tries < 3; tries++) {
      const step = unmap.next();
      assert.ok(step.done !== true && step.value.kind === 'poll' && !step.value.done);
    }
    // Other reads run beside it.
    ok(get({}));
    assert.ok(reader.return({ ok: true, value: null }).done);
    assert.equal(ok(unmap), AREA);
  });

  it('a dirty read that never goes on is waited for so long only', () => {
    const { self, fd, ioasId, hwptId, deviceId, get } = setUp();
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    const map = self.mapFixed(ioasId, self.buffer, AREA, HOLE);
    let mapping = map.next();
    while (mapping.done !== true && mapping.value.name !== 'pin user pages') mapping = map.next();
    const reader = get({});
    assert.ok(reader.next().done !== true);
    fails('EBUSY', map);
    fails('EBUSY', fd.ioasUnmap(ioasId, START, AREA));
    fails('EBUSY', self.mapFixed(ioasId, self.buffer, AREA, HOLE));
    fails('EBUSY', fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags: 0 }));
    ok(fd.detach(deviceId));
    fails('EBUSY', fd.destroy(hwptId));
    assert.ok(reader.return({ ok: true, value: null }).done);
    ok(self.mapFixed(ioasId, self.buffer, AREA, HOLE));
    assert.equal(ok(fd.ioasUnmap(ioasId, START, AREA)), AREA);
    ok(fd.destroy(hwptId));
  });

  it('an area that is being mapped is not read, and cannot be unmapped', () => {
    const { self, fd, ioasId, hwptId, get } = setUp();
    ok(fd.hwptSetDirtyTracking(hwptId, 1));
    const map = self.mapFixed(ioasId, self.buffer, AREA, HOLE);
    let step = map.next();
    while (step.done !== true && step.value.name !== 'pin user pages') step = map.next();
    fails('EBUSY', fd.ioasUnmap(ioasId, HOLE, AREA));
    fails('EINVAL', get({ length: 6n * AREA }));
    assert.ok(runSteps(map).ok);
    ok(get({ length: 6n * AREA }));
  });
});
