/**
 * The fixture iommufd_mock_domain of tools/testing/selftests/iommu/iommufd.c: user memory reaches the page tables, page by page,
 * and is given back. Sizes as mock.ts says. For huge pages the selftest's loops over alignments have no iterations: here each
 * start is mapped up to the end of the memory.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
} from '../../../../src/engine/driver/iommufd/hwpt';
import { IOAS_MAP_READABLE } from '../../../../src/engine/driver/iommufd/iommufd';
import { fails, ok, Selftest } from './harness';
import {
  BUFFER_SIZE,
  HUGEPAGE_SIZE,
  MOCK_APERTURE_START,
  MOCK_PAGE_SIZE,
  PAGE_SIZE,
  translate,
} from './mock';

for (const { variant, domains, huge } of [
  { variant: 'one_domain', domains: 1, huge: false },
  { variant: 'two_domains', domains: 2, huge: false },
  { variant: 'one_domain_hugepage', domains: 1, huge: true },
  { variant: 'two_domains_hugepage', domains: 2, huge: true },
] as const) {
  describe(`iommufd_mock_domain.${variant}`, () => {
    const bufSize = huge ? 2n * HUGEPAGE_SIZE : 8n * PAGE_SIZE;
    const step = huge ? bufSize / 16n : MOCK_PAGE_SIZE;

    function setUp() {
      const self = new Selftest(huge);
      const { fd } = self;
      const ioasId = ok(fd.ioasAlloc());
      const attached = Array.from({ length: domains }, () => ok(self.mockDomain(ioasId)));
      const hwptIds = attached.map(({ hwptId }) => hwptId);
      /** check_mock_iova: every page is mapped to what stands behind the user's. */
      const check = (at: bigint, iova: bigint, length: bigint, ids: readonly number[] = hwptIds) => {
        for (const id of ids) {
          const { tables } = self.paging(id).domain.kernel;
          for (let offset = 0n; offset < length; offset += MOCK_PAGE_SIZE)
            assert.equal(translate(tables, iova + offset), self.physical(at + offset));
        }
      };
      const refs = (at: bigint, length: bigint, expected: number) => {
        assert.equal(self.memory.references(at, length), expected);
      };
      return { self, fd, ioasId, attached, hwptIds, check, refs };
    }

    /** Every start and end in the memory. */
    function* alignments(): IterableIterator<{ start: bigint; end: bigint }> {
      for (let start = 0n; start < bufSize; start += step)
        for (
          let end = huge ? bufSize : start + MOCK_PAGE_SIZE;
          end < bufSize + (huge ? 1n : 0n);
          end += MOCK_PAGE_SIZE
        )
          yield { start, end };
    }
    const wholePages = (at: bigint): bigint => at - (at % PAGE_SIZE);

    it('basic', () => {
      const { self, ioasId, check, refs } = setUp();
      const iova = ok(self.map(ioasId, self.buffer, PAGE_SIZE));
      check(self.buffer, iova, PAGE_SIZE);
      const buf = self.mmap(bufSize);
      // Half of it is gone, then all.
      self.memory.unmapRegion(buf + bufSize / 2n, bufSize / 2n);
      fails('EFAULT', self.map(ioasId, buf, bufSize));
      refs(buf, bufSize, 0);
      self.memory.unmapRegion(buf, bufSize / 2n);
      fails('EFAULT', self.map(ioasId, buf, bufSize));
      refs(buf, bufSize, 0);
    });

    it('ro_unshare', () => {
      const { self, ioasId, check } = setUp();
      const buf = self.mmap(PAGE_SIZE, false);
      fails('EFAULT', self.map(ioasId, buf, PAGE_SIZE));
      const iova = ok(self.map(ioasId, buf, PAGE_SIZE, IOAS_MAP_READABLE));
      check(buf, iova, PAGE_SIZE);
    });

    it('all_aligns', () => {
      const { self, fd, ioasId, check, refs } = setUp();
      const buf = self.mmap(bufSize);
      refs(buf, bufSize, 0);
      for (const { start, end } of alignments()) {
        const length = end - start;
        const iova = ok(self.map(ioasId, buf + start, length));
        check(buf + start, iova, length);
        refs(buf + wholePages(start), wholePages(end) - wholePages(start), 1);
        assert.equal(ok(fd.ioasUnmap(ioasId, iova, length)), length);
      }
      refs(buf, bufSize, 0);
    });

    it('all_aligns_copy', () => {
      const { self, fd, ioasId, hwptIds, check, refs } = setUp();
      const buf = self.mmap(bufSize);
      for (const { start, end } of alignments()) {
        const length = end - start;
        const iova = ok(self.map(ioasId, buf + start, length));
        // A page table of its own comes and goes while the area is there.
        const { deviceId } = ok(self.mockDomain(ioasId));
        const hwptId = ok(fd.hwptAlloc({ deviceId, pageTableId: ioasId }));
        ok(fd.replace(deviceId, hwptId));
        check(buf + start, iova, length, [...hwptIds, hwptId]);
        refs(buf + wholePages(start), wholePages(end) - wholePages(start), 1);
        ok(fd.unbind(deviceId));
        ok(fd.destroy(hwptId));
        ok(fd.ioasUnmap(ioasId, iova, length));
      }
      refs(buf, bufSize, 0);
    });

    it('user_copy', () => {
      const { self, fd, ioasId, check } = setUp();
      const copyAndCheck = (sourceId: number, source: bigint) => {
        ok(self.copy(sourceId, source, ioasId, MOCK_APERTURE_START, BUFFER_SIZE));
        check(self.buffer, MOCK_APERTURE_START, BUFFER_SIZE);
      };
      const first = ok(fd.ioasAlloc());
      const iova = ok(self.map(first, self.buffer, BUFFER_SIZE));
      const accessId = ok(fd.accessAlloc(first, true));
      const object = fd.object(accessId);
      assert.ok(object?.kind === 'access');
      ok(object.access.pin({ start: iova, end: iova + BUFFER_SIZE }, true));
      copyAndCheck(first, iova);

      const second = ok(fd.ioasAlloc());
      const again = ok(self.map(second, self.buffer, BUFFER_SIZE));
      ok(fd.accessReplace(accessId, second));
      ok(fd.ioasUnmap(ioasId, MOCK_APERTURE_START, BUFFER_SIZE));
      ok(fd.destroy(first));

      ok(object.access.pin({ start: again, end: again + BUFFER_SIZE }, true));
      copyAndCheck(second, again);
      ok(object.access.unpin({ start: again, end: again + BUFFER_SIZE }));
      ok(fd.destroy(accessId));
      ok(fd.destroy(second));
    });

    it('replace', () => {
      const { self, fd, ioasId, attached, hwptIds } = setUp();
      const other = ok(fd.ioasAlloc());
      const deviceId = attached[0]?.deviceId ?? 0;
      const [first = 0] = hwptIds;
      const last = hwptIds.at(-1) ?? 0;
      ok(fd.replace(deviceId, other));
      // The page table that was made for the attach went with its last device.
      if (domains === 1) fails('ENOENT', fd.replace(deviceId, first));
      ok(fd.replace(deviceId, other));
      if (domains === 2) {
        ok(fd.replace(deviceId, last));
        ok(fd.replace(deviceId, last));
        ok(fd.replace(deviceId, first));
      }
      ok(fd.replace(deviceId, ioasId));
      ok(fd.destroy(other));
      assert.ok(self.fd.object(ioasId));
    });

    it('alloc_hwpt', () => {
      const { self, fd, ioasId, attached } = setUp();
      for (const { deviceId } of attached) {
        const unknown = ~(HWPT_ALLOC_NEST_PARENT | HWPT_ALLOC_DIRTY_TRACKING);
        fails('EOPNOTSUPP', fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags: unknown }));
        const plain = ok(fd.hwptAlloc({ deviceId, pageTableId: ioasId }));
        const parent = ok(fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags: HWPT_ALLOC_NEST_PARENT }));
        ok(fd.replace(deviceId, plain));
        fails('EBUSY', fd.destroy(plain));
        ok(fd.replace(deviceId, parent));
        fails('EBUSY', fd.destroy(parent));
        ok(fd.replace(deviceId, ioasId));
        ok(fd.destroy(parent));
        const one = ok(self.mockDomain(plain));
        ok(fd.unbind(one.deviceId));
        ok(fd.destroy(plain));
      }
    });
  });
}
