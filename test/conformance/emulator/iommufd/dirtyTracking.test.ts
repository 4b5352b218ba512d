/**
 * The fixture iommufd_dirty_tracking of tools/testing/selftests/iommu/iommufd.c, with all its variants. Sizes are twice those
 * of the selftest, as mock.ts says: its name for a variant is kept, and so is the number of bits of each bitmap.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { GET_DIRTY_BITMAP_NO_CLEAR } from '../../../../src/engine/driver/iommufd/dirtyTracking';
import { HWPT_ALLOC_DIRTY_TRACKING } from '../../../../src/engine/driver/iommufd/hwpt';
import { HW_CAP_DIRTY_TRACKING } from '../../../../src/engine/driver/iommufd/iommufd';
import { fails, ok, Selftest } from './harness';
import { markDirty, MOCK_APERTURE_START, MOCK_HUGE_PAGE_SIZE, MOCK_PAGE_SIZE } from './mock';

const K = 1024n;
const VARIANTS = [
  { name: 'domain_dirty8k', bytes: 8n * K, huge: false },
  { name: 'domain_dirty16k', bytes: 16n * K, huge: false },
  { name: 'domain_dirty128k', bytes: 128n * K, huge: false },
  { name: 'domain_dirty256k', bytes: 256n * K, huge: false },
  { name: 'domain_dirty640k', bytes: 640n * K, huge: false },
  { name: 'domain_dirty128M', bytes: 128n * K * K, huge: false },
  { name: 'domain_dirty128M_huge', bytes: 128n * K * K, huge: true },
  { name: 'domain_dirty256M', bytes: 256n * K * K, huge: false },
  { name: 'domain_dirty256M_huge', bytes: 256n * K * K, huge: true },
] as const;

/** Bytes by which the bitmap is away from the start of a page. */
const OFFSETS = [
  { name: 'at the start of a page', offset: 0 },
  { name: 'half a page on', offset: Number(MOCK_PAGE_SIZE) },
  { name: 'not aligned to 8 bytes', offset: 0xff1 },
] as const;

const bit = (bytes: Uint8Array, at: number): boolean => (((bytes[at >>> 3] ?? 0) >>> (at & 7)) & 1) === 1;

for (const { name, bytes, huge } of VARIANTS) {
  describe(`iommufd_dirty_tracking.${name}`, () => {
    const length = 2n * bytes;
    const bits = Number(length / MOCK_PAGE_SIZE);

    function setUp() {
      const self = new Selftest(huge);
      const ioasId = ok(self.fd.ioasAlloc());
      const { deviceId } = ok(self.mockDomain(ioasId));
      return { self, ioasId, deviceId };
    }

    it('enforce_dirty', () => {
      const { self, ioasId, deviceId } = setUp();
      const flags = HWPT_ALLOC_DIRTY_TRACKING;
      const hwptId = ok(self.fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags }));
      const attached = ok(self.mockDomain(hwptId));
      fails('EINVAL', self.mockDomain(hwptId, { noDirty: true }));
      ok(self.fd.unbind(attached.deviceId));
      ok(self.fd.destroy(hwptId));

      const other = ok(self.fd.ioasAlloc());
      const clean = ok(self.mockDomain(other, { noDirty: true }));
      fails('EOPNOTSUPP', self.fd.hwptAlloc({ deviceId: clean.deviceId, pageTableId: other, flags }));
      ok(self.fd.unbind(clean.deviceId));
    });

    it('set_dirty_tracking', () => {
      const { self, ioasId, deviceId } = setUp();
      const flags = HWPT_ALLOC_DIRTY_TRACKING;
      const hwptId = ok(self.fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags }));
      const attached = ok(self.mockDomain(hwptId));
      ok(self.fd.hwptSetDirtyTracking(hwptId, 1));
      ok(self.fd.hwptSetDirtyTracking(hwptId, 0));
      ok(self.fd.unbind(attached.deviceId));
      ok(self.fd.destroy(hwptId));
    });

    it('device_dirty_capability', () => {
      const { self, ioasId, deviceId } = setUp();
      const hwptId = ok(self.fd.hwptAlloc({ deviceId, pageTableId: ioasId }));
      const attached = ok(self.mockDomain(hwptId));
      assert.equal(ok(self.fd.hardwareInfo(deviceId)).capabilities & HW_CAP_DIRTY_TRACKING, 1);
      ok(self.fd.unbind(attached.deviceId));
      ok(self.fd.destroy(hwptId));
    });

    for (const noClear of [false, true]) {
      for (const { name: where, offset } of OFFSETS) {
        it(`get_dirty_bitmap${noClear ? '_no_clear' : ''}, bitmap ${where}`, () => {
          const { self, deviceId } = setUp();
          const ioasId = ok(self.fd.ioasAlloc());
          const buffer = self.mmap(length);
          ok(self.mapFixed(ioasId, buffer, length, MOCK_APERTURE_START));
          const flags = HWPT_ALLOC_DIRTY_TRACKING;
          const hwptId = ok(self.fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags }));
          const attached = ok(self.mockDomain(hwptId));
          ok(self.fd.hwptSetDirtyTracking(hwptId, 1));
          const { tables } = self.paging(hwptId).domain.kernel;

          const pteSize = huge ? MOCK_HUGE_PAGE_SIZE : MOCK_PAGE_SIZE;
          const npte = Number(pteSize / MOCK_PAGE_SIZE);
          const group = 2 * npte;
          let accepted = 0;
          for (let at = 0; at < bits; at += group)
            if (markDirty(tables, MOCK_APERTURE_START + BigInt(at) * MOCK_PAGE_SIZE)) accepted++;
          assert.equal(accepted, Math.floor(bits / group) || 1);

          const memory = new Uint8Array(Math.ceil(bits / 8) + offset + 64).fill(0xa5);
          const bitmap = memory.subarray(offset, offset + Math.ceil(bits / 8));
          const read = () => {
            bitmap.fill(0);
            ok(
              self.fd.hwptGetDirtyBitmap({
                hwptId,
                flags: noClear ? GET_DIRTY_BITMAP_NO_CLEAR : 0,
                iova: MOCK_APERTURE_START,
                length,
                pageSize: MOCK_PAGE_SIZE,
                data: { bytes: memory, offset },
              }),
            );
          };
          const check = (expected: (inGroup: number) => boolean) => {
            for (let at = 0; at < bits; at++)
              if (bit(bitmap, at) !== expected(at % group)) assert.fail(`bit ${at} is ${bit(bitmap, at)}`);
          };
          read();
          check((inGroup) => inGroup < npte);
          read();
          check((inGroup) => noClear && inGroup < npte);
          const around = [...memory.subarray(0, offset), ...memory.subarray(offset + bitmap.length)];
          assert.ok(
            around.every((byte) => byte === 0xa5),
            'nothing beside the bitmap is written',
          );

          ok(self.fd.unbind(attached.deviceId));
          ok(self.fd.destroy(hwptId));
          ok(self.fd.destroy(ioasId));
          assert.equal(self.memory.references(buffer, length), 0);
        });
      }
    }
  });
}
