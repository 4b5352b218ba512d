/** What iommufd makes of attachments that the driver of an IOMMU refuses. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { refused } from '../../../../../src/engine/driver/errno';
import { fails, ok, Selftest } from '../../../../conformance/emulator/iommufd/harness';
import { MOCK_APERTURE_START } from '../../../../conformance/emulator/iommufd/mock';

const PAGE = 4096n;

/** A device on an automatic page table, and another page table that the driver refuses once. */
function setUp(isCached: boolean) {
  const self = new Selftest();
  const { fd } = self;
  const { driver } = self.iommu;
  const ioasId = ok(fd.ioasAlloc());
  const { deviceId, hwptId: oldId } = ok(self.mockDomain(ok(fd.ioasAlloc())));
  ok(self.mapFixed(ioasId, self.buffer, PAGE, MOCK_APERTURE_START));
  const nextId = ok(fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags: 0 }));
  const attach = driver.attach.bind(driver);
  let refuses = true;
  driver.attach = function* (requester, pasid, attachment) {
    if (!refuses) return yield* attach(requester, pasid, attachment);
    yield { kind: 'software', name: 'attach' };
    return refused('ETIMEDOUT', 'the queue does not answer');
  };
  driver.mayReach = () => isCached && refuses;
  const answers = (): void => {
    refuses = false;
  };
  return { self, fd, ioasId, deviceId, oldId, nextId, answers };
}

describe('iommufd: attachments that are refused', () => {
  it('leave the device on its page table, and the other one free', () => {
    const { fd, self, deviceId, oldId, nextId } = setUp(false);
    fails('ETIMEDOUT', fd.replace(deviceId, nextId));
    assert.equal(self.paging(oldId).users, 1);
    ok(fd.destroy(nextId));
  });

  it('hold the page table that caches may still hold, until it is attached and detached', () => {
    const { fd, self, deviceId, oldId, nextId, answers } = setUp(true);
    for (let tries = 0; tries < 2; tries++) fails('ETIMEDOUT', fd.replace(deviceId, nextId));
    fails('EBUSY', fd.destroy(nextId));
    assert.equal(self.paging(oldId).users, 1);
    answers();
    fails('EBUSY', fd.destroy(nextId));
    ok(fd.replace(deviceId, nextId));
    assert.equal(self.paging(nextId).users, 1);
    ok(fd.detach(deviceId));
    ok(fd.destroy(nextId));
  });

  it('keep a page table that was made for them while caches may hold it', () => {
    const { fd, ioasId, deviceId, nextId, answers } = setUp(true);
    ok(fd.destroy(nextId));
    fails('ETIMEDOUT', fd.replace(deviceId, ioasId));
    fails('EBUSY', fd.destroy(ioasId));
    answers();
    const madeId = ok(fd.replace(deviceId, ioasId));
    ok(fd.detach(deviceId));
    fails('ENOENT', fd.destroy(madeId));
    ok(fd.destroy(ioasId));
  });
});
