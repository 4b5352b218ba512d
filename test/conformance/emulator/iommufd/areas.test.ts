/**
 * The fixture iommufd_ioas of tools/testing/selftests/iommu/iommufd.c: areas of an address space with no, one and two
 * devices. Sizes as mock.ts says.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ADDRESS_END, U64_MAX } from '../../../../src/engine/driver/iommufd/ranges';
import { fails, ok, Selftest } from './harness';
import {
  BUFFER_SIZE,
  HW_INFO_REGISTER,
  HW_INFO_SELFTEST,
  HUGEPAGE_SIZE,
  MOCK_APERTURE_END,
  MOCK_APERTURE_START,
  MOCK_PAGE_SIZE,
  PAGE_SIZE,
  translate,
} from './mock';

const P = PAGE_SIZE;

for (const [variant, devices] of [
  ['no_domain', 0],
  ['mock_domain', 1],
  ['two_mock_domain', 2],
] as const) {
  describe(`iommufd_ioas.${variant}`, () => {
    function setUp() {
      const self = new Selftest();
      const ioasId = ok(self.fd.ioasAlloc());
      const bound = Array.from({ length: devices }, () => ok(self.mockDomain(ioasId)));
      const base = devices > 0 ? MOCK_APERTURE_START : 0n;
      const { fd, buffer } = self;
      const ioas = fd.object(ioasId);
      assert.ok(ioas?.kind === 'ioas');
      return {
        self,
        fd,
        ioas,
        ioasId,
        buffer,
        base,
        last: bound.at(-1),
        mapFixed: (length: bigint, iova: bigint, at = buffer) => self.mapFixed(ioasId, at, length, iova),
        map: (length: bigint, at = buffer) => self.map(ioasId, at, length),
        unmap: (iova: bigint, length: bigint) => fd.ioasUnmap(ioasId, iova, length),
      };
    }

    it('ioas_auto_destroy', () => {
      setUp();
    });

    it('ioas_destroy', () => {
      const { fd, ioasId } = setUp();
      if (devices > 0) fails('EBUSY', fd.destroy(ioasId));
      else ok(fd.destroy(ioasId));
    });

    it('hwpt_attach', () => {
      const { self, last } = setUp();
      if (last) ok(self.mockDomain(last.hwptId));
      else fails('ENOENT', self.mockDomain(0));
    });

    it('ioas_area_destroy', () => {
      const { fd, ioasId, base, mapFixed } = setUp();
      ok(mapFixed(P, base));
      if (devices > 0) fails('EBUSY', fd.destroy(ioasId));
      else ok(fd.destroy(ioasId));
    });

    it('ioas_area_auto_destroy', () => {
      const { self, buffer, base, mapFixed, last, fd, ioasId } = setUp();
      for (let i = 0n; i < 10n; i++) ok(mapFixed(P, base + i * P));
      if (last && devices === 1) {
        ok(fd.unbind(last.deviceId));
        assert.equal(self.memory.references(buffer, P), 0);
        ok(fd.destroy(ioasId));
      }
    });

    it('get_hw_info', () => {
      const { fd, last } = setUp();
      if (!last) {
        fails('ENOENT', fd.hardwareInfo(0, 8));
        return;
      }
      const register = [...new Uint8Array(Uint32Array.of(0, HW_INFO_REGISTER).buffer)];
      const expected = [...register, ...new Array<number>(8).fill(0)];
      const { deviceId } = last;
      const infoOf = (room: number) => ok(fd.hardwareInfo(deviceId, room));
      for (const room of [0, 4, 8, 16]) {
        const info = infoOf(room);
        assert.equal(info.type, HW_INFO_SELFTEST);
        assert.equal(info.length, 8);
        assert.equal(info.capabilities & 1, 1);
        assert.deepEqual([...info.data], expected.slice(0, room));
      }
    });

    it('area', () => {
      const { base, mapFixed, unmap } = setUp();
      for (let i = 0n; i < 10n; i++) fails('ENOENT', unmap(i * P, P));
      for (let i = 0n; i < 10n; i++) ok(mapFixed(P, base + i * P));
      for (let i = 0n; i < 10n; i++) assert.equal(ok(unmap(base + i * P, P)), P);
      ok(mapFixed(2n * P, base + 16n * P));
      fails('ENOENT', unmap(base + 16n * P, P));
      fails('ENOENT', unmap(base + 17n * P, P));
      fails('EEXIST', mapFixed(2n * P, base + 16n * P));
      fails('EEXIST', mapFixed(P, base + 16n * P));
      fails('EEXIST', mapFixed(P, base + 17n * P));
      fails('EEXIST', mapFixed(2n * P, base + 15n * P));
      fails('EEXIST', mapFixed(3n * P, base + 15n * P));
      ok(unmap(0n, U64_MAX));
      ok(unmap(0n, U64_MAX));
    });

    it('unmap_fully_contained_areas', () => {
      const { base: start, mapFixed, unmap } = setUp();
      const base = start + 4n * P;
      for (let i = 0n; i < 4n; i++) ok(mapFixed(8n * P, base + i * 16n * P));
      fails('ENOENT', unmap(base - 4n * P, 8n * P));
      fails('ENOENT', unmap(base + 3n * 16n * P + 8n * P - 4n * P, 8n * P));
      assert.equal(ok(unmap(base - 4n * P, 3n * 16n * P + 8n * P + 4n * P)), 32n * P);
    });

    it('area_auto_iova', () => {
      const { self, fd, ioas, ioasId, map, unmap, buffer } = setUp();
      const simple = Array.from({ length: 10 }, () => ok(map(P)));
      for (const iova of simple) ok(unmap(iova, P));

      const lowestBit = (length: bigint): bigint => length & -length;
      const round = (at: bigint, check: (iova: bigint, length: bigint) => void) => {
        const mapped = Array.from({ length: 10 }, (_, i) => {
          const length = P * BigInt(i + 1);
          const iova = ok(map(length, at));
          assert.equal(iova % lowestBit(length), 0n);
          check(iova, length);
          return { iova, length };
        });
        for (const { iova, length } of mapped) ok(unmap(iova, length));
      };
      // Without a device nothing is pinned: memory that is not there may be mapped.
      round(devices > 0 ? buffer : 1n << 31n, () => undefined);

      const reserved = { start: 4n * P, end: 104n * P };
      ok(ioas.reserve(reserved, self));
      round(buffer, (iova) => {
        assert.ok(!(iova > reserved.start && iova < reserved.end));
      });

      fails('EADDRINUSE', fd.ioasAllowIovas(ioasId, [{ start: P, end: 600n * P + 1n }]));
      const allowed =
        devices > 0
          ? { start: MOCK_APERTURE_START + P, end: MOCK_APERTURE_START + 600n * P }
          : { start: 200n * P, end: 600n * P };
      ok(fd.ioasAllowIovas(ioasId, [allowed]));
      round(buffer, (iova, length) => {
        assert.ok(iova >= allowed.start && iova + length <= allowed.end);
      });
    });

    it('area_allowed', () => {
      const { self, fd, ioas, ioasId, base } = setUp();
      const allowed = { start: base, end: base + 600n * P + 1n };
      const reserved = { start: base + P, end: base + 2n * P };
      ok(fd.ioasAllowIovas(ioasId, [allowed]));
      fails('EADDRINUSE', ioas.reserve(reserved, self));
      ok(fd.ioasAllowIovas(ioasId, []));
      ok(ioas.reserve(reserved, self));
      fails('EADDRINUSE', fd.ioasAllowIovas(ioasId, [allowed]));
    });

    it('copy_area', () => {
      const { self, fd, ioasId, base, mapFixed } = setUp();
      ok(mapFixed(P, base));
      ok(self.copy(ioasId, base, ioasId, base + P, P));
      const other = ok(fd.ioasAlloc());
      ok(self.copy(ioasId, base, other, 0n, P));
    });

    it('iova_ranges', () => {
      const { self, fd, ioas, ioasId } = setUp();
      const aperture = { start: MOCK_APERTURE_START, end: MOCK_APERTURE_END };
      const whole = devices > 0 ? [aperture] : [{ start: 0n, end: ADDRESS_END }];
      const first = ok(fd.ioasIovaRanges(ioasId, 4096));
      assert.deepEqual(first.ranges, whole);
      assert.equal(first.alignment, devices > 0 ? MOCK_PAGE_SIZE : 1n);
      const none = ok(fd.ioasIovaRanges(ioasId, 0));
      assert.deepEqual([none.fits, none.count, none.ranges], [false, 1, []]);

      ok(ioas.reserve({ start: P, end: 2n * P }, self));
      const two =
        devices > 0
          ? [aperture]
          : [
              { start: 0n, end: P },
              { start: 2n * P, end: ADDRESS_END },
            ];
      assert.deepEqual(ok(fd.ioasIovaRanges(ioasId, 4096)).ranges, two);
      const small = ok(fd.ioasIovaRanges(ioasId, 1));
      assert.deepEqual([small.fits, small.count, small.ranges], [devices > 0, two.length, two.slice(0, 1)]);
    });

    function accessOf(fixture: ReturnType<typeof setUp>) {
      const id = ok(fixture.fd.accessAlloc(fixture.ioasId, true));
      const object = fixture.fd.object(id);
      assert.ok(object?.kind === 'access');
      return object;
    }

    it('access_domain_destory', () => {
      const fixture = setUp();
      const { self, fd, base, mapFixed, last } = fixture;
      const buf = self.mmap(2n * HUGEPAGE_SIZE);
      ok(mapFixed(2n * HUGEPAGE_SIZE, base, buf));
      const { id, access } = accessOf(fixture);
      const range = { start: base + P, end: base + 2n * P };
      assert.deepEqual(ok(access.pin(range, true)).length, Number(P / 4096n));
      if (last) ok(fd.unbind(last.deviceId));
      assert.equal(self.memory.references(buf + P, P), 1);
      if (devices < 2) assert.equal(self.memory.references(buf + 2n * P, 2n * HUGEPAGE_SIZE - 2n * P), 0);
      ok(access.unpin(range));
      ok(fd.destroy(id));
      if (devices < 2) assert.equal(self.memory.references(buf, 2n * HUGEPAGE_SIZE), 0);
    });

    it('access_pin', () => {
      const fixture = setUp();
      const { self, fd, ioasId, mapFixed, unmap, buffer } = fixture;
      const { id, access } = accessOf(fixture);
      for (let pages = 1n; pages < BUFFER_SIZE / P; pages++) {
        const range = { start: MOCK_APERTURE_START, end: MOCK_APERTURE_START + pages * P };
        ok(mapFixed(BUFFER_SIZE, MOCK_APERTURE_START));
        ok(access.pin(range, true));
        ok(access.unpin(range));
        // Twice at once.
        ok(access.pin(range, true));
        ok(access.pin(range, true));
        ok(access.unpin(range));
        ok(access.unpin(range));
        fails('ENOENT', access.unpin(range));
        // A domain comes and goes meanwhile.
        ok(access.pin(range, true));
        const { deviceId, hwptId } = ok(self.mockDomain(ioasId));
        const { tables } = self.paging(hwptId).domain.kernel;
        for (let at = 0n; at < BUFFER_SIZE; at += MOCK_PAGE_SIZE)
          assert.equal(translate(tables, MOCK_APERTURE_START + at), self.physical(buffer + at));
        ok(fd.unbind(deviceId));
        ok(access.unpin(range));
        ok(unmap(MOCK_APERTURE_START, BUFFER_SIZE));
        assert.equal(self.memory.references(buffer, BUFFER_SIZE), 0);
      }
      ok(fd.destroy(id));
    });

    it('access_pin_unmap', () => {
      const fixture = setUp();
      const { mapFixed, unmap } = fixture;
      const { access } = accessOf(fixture);
      const range = { start: MOCK_APERTURE_START, end: MOCK_APERTURE_START + BUFFER_SIZE };
      ok(mapFixed(BUFFER_SIZE, MOCK_APERTURE_START));
      ok(access.pin(range, true));
      ok(unmap(MOCK_APERTURE_START, BUFFER_SIZE));
      fails('ENOENT', access.unpin(range));
    });

    it('ioas_option_huge_pages', () => {
      const { fd, ioasId } = setUp();
      assert.equal(ok(fd.ioasHugePages(ioasId)), 1);
      ok(fd.ioasSetHugePages(ioasId, 0n));
      assert.equal(ok(fd.ioasHugePages(ioasId)), 0);
      fails('EINVAL', fd.ioasSetHugePages(ioasId, 2n));
      ok(fd.ioasSetHugePages(ioasId, 1n));
    });

    it('ioas_iova_alloc', () => {
      const { map, unmap } = setUp();
      for (let length = 1n; length < P * 2n; length++) {
        if (devices > 0 && length % MOCK_PAGE_SIZE !== 0n) fails('EINVAL', map(length));
        else ok(unmap(ok(map(length)), length));
      }
    });

    it('ioas_align_change', () => {
      // With a domain and a mapping the alignment cannot grow.
      if (devices > 0) return;
      const { fd, ioasId, mapFixed, unmap, buffer } = setUp();
      ok(mapFixed(P, MOCK_APERTURE_START));
      ok(fd.ioasSetHugePages(ioasId, 0n));
      fails('EINVAL', mapFixed(P, MOCK_APERTURE_START + P, buffer + MOCK_PAGE_SIZE));
      ok(fd.ioasSetHugePages(ioasId, 0n));
      ok(fd.ioasSetHugePages(ioasId, 1n));
      ok(mapFixed(P, MOCK_APERTURE_START + P, buffer + MOCK_PAGE_SIZE));
      fails('EADDRINUSE', fd.ioasSetHugePages(ioasId, 0n));
      ok(unmap(MOCK_APERTURE_START + P, P));
      ok(unmap(MOCK_APERTURE_START, P));
    });

    it('copy_sweep', () => {
      const { self, fd, ioasId, mapFixed } = setUp();
      const other = ok(fd.ioasAlloc());
      const last = MOCK_APERTURE_START + BUFFER_SIZE - (devices > 0 ? 1n : 2n);
      ok(mapFixed(last - MOCK_APERTURE_START + 1n, MOCK_APERTURE_START));
      for (let iova = MOCK_APERTURE_START - P; iova <= last; iova += 511n) {
        const copied = self.copy(ioasId, iova, other, MOCK_APERTURE_START, MOCK_PAGE_SIZE);
        if (iova < MOCK_APERTURE_START || iova + MOCK_PAGE_SIZE - 1n > last) fails('ENOENT', copied);
        else {
          ok(copied);
          ok(fd.ioasUnmap(other, MOCK_APERTURE_START, MOCK_PAGE_SIZE));
        }
      }
      ok(fd.destroy(other));
    });
  });
}
