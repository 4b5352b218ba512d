/**
 * The fixture iommufd_viommu of tools/testing/selftests/iommu/iommufd.c and its fault tests: objects of a guest's IOMMU, ids
 * of its devices, events and queues.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { VEVENT_LOST_EVENTS } from '../../../../src/engine/driver/iommufd/eventQueue';
import {
  PAGE_RESPONSE_INVALID,
  PAGE_RESPONSE_SUCCESS,
  PGFAULT_LAST_PAGE,
  PGFAULT_WRITE,
} from '../../../../src/engine/driver/iommufd/faultQueue';
import { HWPT_ALLOC_NEST_PARENT, HWPT_FAULT_ID_VALID } from '../../../../src/engine/driver/iommufd/hwpt';
import { fails, handled, ok, Selftest } from './harness';
import {
  DEVICE_CACHE_DEFAULT,
  DEVICE_CACHES,
  HW_QUEUE_TYPE_SELFTEST,
  HW_QUEUES,
  HWPT_DATA_SELFTEST,
  INVALIDATE_DATA_SELFTEST,
  INVALIDATE_FLAG_ALL,
  IOTLB_DEFAULT,
  MockIommu,
  PAGE_SIZE,
  VEVENTQ_TYPE_SELFTEST,
  VIOMMU_TYPE_SELFTEST,
} from './mock';

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const DATA = { type: HWPT_DATA_SELFTEST, length: 4, data: words(IOTLB_DEFAULT) };
const VIRTUAL_ID = 0x99n;

function setUp() {
  const self = new Selftest();
  const { fd } = self;
  const ioasId = ok(fd.ioasAlloc());
  const { deviceId, device } = ok(self.mockDomain(ioasId));
  const hwptId = ok(fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags: HWPT_ALLOC_NEST_PARENT }));
  const alloc = (type = VIOMMU_TYPE_SELFTEST) => fd.viommuAlloc({ deviceId, hwptId, type });
  return { self, fd, ioasId, deviceId, device, hwptId, alloc };
}

describe('iommufd_viommu', () => {
  it('viommu_negative_tests', () => {
    const { fd, ioasId, deviceId, hwptId, alloc } = setUp();
    const plain = ok(fd.hwptAlloc({ deviceId, pageTableId: ioasId }));
    fails('EOPNOTSUPP', alloc(0));
    fails('EOPNOTSUPP', alloc(VIOMMU_TYPE_SELFTEST + 1));
    fails('EINVAL', fd.viommuAlloc({ deviceId, hwptId: plain, type: VIOMMU_TYPE_SELFTEST }));
    fails('ENOENT', fd.viommuAlloc({ deviceId: 0, hwptId, type: VIOMMU_TYPE_SELFTEST }));
    fails('ENOENT', fd.viommuAlloc({ deviceId, hwptId: deviceId, type: VIOMMU_TYPE_SELFTEST }));
    ok(alloc());
    // The parent of a vIOMMU stays.
    fails('EBUSY', fd.destroy(hwptId));
  });

  it('viommu_alloc_nested_iopf', () => {
    const { self, fd, deviceId, device, alloc } = setUp();
    const viommuId = ok(alloc());
    const faultId = ok(fd.faultQueueAlloc());
    const nested = (id: number) =>
      fd.hwptAlloc({ deviceId, pageTableId: viommuId, flags: HWPT_FAULT_ID_VALID, faultId: id, data: DATA });
    fails('ENOENT', nested(0));
    const flags = HWPT_ALLOC_NEST_PARENT;
    fails('EOPNOTSUPP', fd.hwptAlloc({ deviceId, pageTableId: viommuId, flags, data: DATA }));
    const hwptId = ok(nested(faultId));
    ok(fd.replace(deviceId, hwptId));
    fails('EBUSY', fd.destroy(hwptId));
    fails('EBUSY', fd.destroy(viommuId));
    fails('EBUSY', fd.destroy(faultId));

    const answers: number[] = [];
    const request = { pasid: null, group: 1, permissions: PGFAULT_WRITE, address: 0x1000n };
    const report = (count: number) =>
      fd.reportPageFaults(deviceId, new Array<typeof request>(count).fill(request), (code) =>
        answers.push(code),
      );
    assert.ok(report(1));
    assert.ok(report(2));
    const queue = fd.object(faultId);
    assert.ok(queue?.kind === 'fault');
    const [record, ...others] = queue.read(2);
    // A group that does not fit as a whole waits.
    assert.deepEqual(others, []);
    assert.deepEqual(record && { ...record, cookie: 0 }, {
      flags: PGFAULT_LAST_PAGE,
      deviceId,
      pasid: 0,
      group: 1,
      permissions: PGFAULT_WRITE,
      address: 0x1000n,
      length: 0,
      cookie: 0,
    });
    const cookie = record?.cookie ?? 0;
    fails('EINVAL', queue.respond([{ cookie: cookie + 100, code: PAGE_RESPONSE_SUCCESS }]));
    fails('EINVAL', queue.respond([{ cookie, code: 7 }]));
    assert.equal(ok(queue.respond([{ cookie, code: PAGE_RESPONSE_SUCCESS }])), 1);
    fails('EINVAL', queue.respond([{ cookie, code: PAGE_RESPONSE_SUCCESS }]));
    assert.deepEqual(answers, [PAGE_RESPONSE_SUCCESS]);

    const both = queue.read(8);
    assert.equal(both.length, 2);
    assert.deepEqual(
      both.map(({ flags: bits }) => bits),
      [0, PGFAULT_LAST_PAGE],
    );
    assert.ok(report(1));
    // A device that leaves gets an answer to all that it waits for.
    ok(fd.detach(deviceId));
    assert.deepEqual(answers, [PAGE_RESPONSE_SUCCESS, PAGE_RESPONSE_INVALID, PAGE_RESPONSE_INVALID]);
    assert.equal(queue.waiting, 0);
    ok(fd.destroy(hwptId));
    ok(fd.destroy(faultId));
    assert.equal(self.iommu.driver.attached(device.requester).kind, 'blocked');
  });

  it('vdevice_alloc', () => {
    const { self, fd, ioasId, deviceId, alloc } = setUp();
    const viommuId = ok(alloc());
    const second = ok(self.mockDomain(ioasId)).deviceId;
    const vdevice = (device: number, virtualId = VIRTUAL_ID) =>
      fd.vdeviceAlloc({ viommuId, deviceId: device, virtualId });
    fails('ENOENT', fd.vdeviceAlloc({ viommuId: 0, deviceId, virtualId: VIRTUAL_ID }));
    fails('ENOENT', vdevice(0));
    fails('EINVAL', vdevice(deviceId, 1n << 64n));
    const id = ok(vdevice(deviceId));
    // The guest's id is taken, and so is the device.
    fails('EEXIST', vdevice(second));
    fails('EEXIST', vdevice(deviceId, VIRTUAL_ID + 1n));
    fails('EBUSY', fd.destroy(viommuId));
    const other = fd.bind(new MockIommu().device());
    fails('EINVAL', vdevice(other, 1n));
    ok(fd.destroy(id));
    ok(vdevice(second));
    ok(fd.unbind(second));
    ok(fd.destroy(viommuId));
  });

  it('vdevice_cache', () => {
    const { self, fd, deviceId, device, alloc } = setUp();
    const viommuId = ok(alloc());
    ok(fd.vdeviceAlloc({ viommuId, deviceId, virtualId: VIRTUAL_ID }));
    const caches = () => self.iommu.caches.get(device.requester) ?? [];
    const vid = Number(VIRTUAL_ID);
    const array = (...entries: readonly (readonly [number, number, number])[]) => ({
      type: INVALIDATE_DATA_SELFTEST,
      entryLength: 12,
      entryNumber: entries.length,
      data: words(...entries.flat()),
    });
    const invalidate = (what: ReturnType<typeof array>) => handled(fd.hwptInvalidate(viommuId, what));
    const refused = (
      errno: Parameters<typeof fails>[0],
      num: number,
      what: Parameters<typeof fd.hwptInvalidate>[1],
    ) => {
      const result = handled(fd.hwptInvalidate(viommuId, what));
      fails(errno, result.outcome);
      assert.equal(result.handled, num);
    };
    const one = array([0, vid, 0]);
    const D = DEVICE_CACHE_DEFAULT;

    assert.deepEqual(caches(), [D, D, D, D]);
    assert.equal(invalidate(array()).handled, 0);
    refused('EINVAL', 0, { ...one, type: INVALIDATE_DATA_SELFTEST + 1 });
    refused('EINVAL', 0, { ...one, entryLength: 13, data: words(0, vid, 0, 0xff) });
    refused('EINVAL', 0, { ...one, entryLength: 1 });
    refused('EOPNOTSUPP', 0, array([0xffffffff, vid, 0]));
    refused('EINVAL', 0, { ...one, data: null });
    refused('EINVAL', 0, { ...one, entryLength: 0 });
    refused('EINVAL', 0, array([0, vid, DEVICE_CACHES]));
    refused('EINVAL', 0, array([0, 0x9, 0]));

    refused('EOPNOTSUPP', 1, array([0, vid, 0], [0xffffffff, vid, 1]));
    assert.deepEqual(caches(), [0, D, D, D]);
    refused('EINVAL', 1, array([0, vid, 0], [0, vid, DEVICE_CACHES]));
    assert.deepEqual(caches(), [0, D, D, D]);
    assert.equal(invalidate(array([0, vid, 1])).handled, 1);
    assert.deepEqual(caches(), [0, 0, D, D]);
    assert.equal(invalidate(array([0, vid, 2], [0, vid, 3])).handled, 2);
    assert.deepEqual(caches(), [0, 0, 0, 0]);
    caches().fill(D);
    assert.equal(invalidate(array([INVALIDATE_FLAG_ALL, vid, 0])).handled, 1);
    assert.deepEqual(caches(), [0, 0, 0, 0]);
  });

  it('hw_queue', () => {
    const { self, fd, ioasId, alloc } = setUp();
    const viommuId = ok(alloc());
    const { buffer } = self;
    const queue = (index: number, address: bigint, length = PAGE_SIZE, type = HW_QUEUE_TYPE_SELFTEST) =>
      fd.hardwareQueueAlloc({ viommuId, type, index, address, length });
    const unmapped = 1n << 25n;
    fails('EOPNOTSUPP', queue(0, unmapped, PAGE_SIZE, 0));
    fails('EINVAL', queue(0, unmapped, 0n));
    fails('EOVERFLOW', queue(0, (1n << 64n) - 1n));
    // Whole commands, a power of two of them, and no more than any queue has (Arm: 2^19 commands of 16 bytes).
    fails('EINVAL', queue(0, unmapped + 8n));
    fails('EINVAL', queue(0, unmapped, 8n));
    fails('EINVAL', queue(0, unmapped, 48n));
    fails('EINVAL', queue(0, unmapped, 1n << 24n));
    fails('ENOENT', queue(0, unmapped));
    const iova = ok(self.map(ioasId, buffer, PAGE_SIZE));
    const next = ok(self.map(ioasId, buffer + PAGE_SIZE, PAGE_SIZE));
    // The first queue is queue 0.
    fails('EIO', queue(1, iova));
    fails('EINVAL', queue(HW_QUEUES, iova));
    const first = ok(queue(0, iova));
    fails('EEXIST', queue(0, iova));
    // The queue's page stays, the next one may go.
    fails('EBUSY', fd.ioasUnmap(ioasId, iova, PAGE_SIZE));
    ok(fd.ioasUnmap(ioasId, next, PAGE_SIZE));
    const second = ok(queue(1, iova + PAGE_SIZE / 2n, PAGE_SIZE / 2n));
    fails('EBUSY', fd.destroy(first));
    ok(fd.destroy(second));
    ok(fd.destroy(first));
    ok(fd.ioasUnmap(ioasId, iova, PAGE_SIZE));
    assert.equal(self.memory.references(buffer, 2n * PAGE_SIZE), 0);
  });

  it('veventq: sequence numbers, and one header for what was lost', () => {
    const { fd, alloc } = setUp();
    const viommuId = ok(alloc());
    const make = (depth: number, type = VEVENTQ_TYPE_SELFTEST) => fd.veventqAlloc({ viommuId, type, depth });
    fails('EOPNOTSUPP', make(2, 0));
    fails('EINVAL', make(0));
    const id = ok(make(2));
    fails('EEXIST', make(2));
    fails('EBUSY', fd.destroy(viommuId));
    const queue = fd.object(id);
    assert.ok(queue?.kind === 'veventq');
    const event = (value: number) => {
      queue.report([BigInt(value)]);
    };
    [0, 1, 2, 3].forEach(event);
    assert.deepEqual(queue.read(10), [
      { flags: 0, sequence: 0, words: [0n] },
      { flags: 0, sequence: 1, words: [1n] },
      { flags: VEVENT_LOST_EVENTS, sequence: 3, words: [] },
    ]);
    // A reader that comes late sees the loss from the gap in the numbers.
    [4, 5, 6].forEach(event);
    assert.equal(queue.read(1)[0]?.sequence, 4);
    event(7);
    assert.deepEqual(
      queue.read(10).map(({ flags, sequence }) => [flags, sequence]),
      [
        [0, 5],
        [0, 7],
      ],
    );
    ok(fd.destroy(id));
    ok(fd.destroy(viommuId));
  });

  it('viommu_auto_destroy', () => {
    const { alloc } = setUp();
    ok(alloc());
  });
});
