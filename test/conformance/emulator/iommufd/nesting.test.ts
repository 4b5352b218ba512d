/** iommufd_ioas.alloc_hwpt_nested of tools/testing/selftests/iommu/iommufd.c, step by step. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Errno } from '../../../../src/engine/driver/errno';
import { HWPT_ALLOC_NEST_PARENT, HWPT_DATA_NONE } from '../../../../src/engine/driver/iommufd/hwpt';
import { type UserArray } from '../../../../src/engine/driver/iommufd/platform';
import { fails, handled, ok, Selftest } from './harness';
import {
  HWPT_DATA_SELFTEST,
  INVALIDATE_DATA_SELFTEST,
  INVALIDATE_FLAG_ALL,
  IOTLB_DEFAULT,
  IOTLB_ENTRIES,
} from './mock';

interface Request {
  readonly flags: number;
  readonly iotlbId: number;
}

const REQUEST_BYTES = 8;

const bytesOf = (words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);

function requests(...list: Request[]): UserArray {
  return {
    type: INVALIDATE_DATA_SELFTEST,
    entryLength: REQUEST_BYTES,
    entryNumber: list.length,
    data: bytesOf(list.flatMap(({ flags, iotlbId }) => [flags, iotlbId])),
  };
}

const DATA = { type: HWPT_DATA_SELFTEST, length: 4, data: bytesOf([IOTLB_DEFAULT]) };

for (const devices of [1, 2]) {
  describe(`iommufd_ioas.${devices === 1 ? 'mock_domain' : 'two_mock_domain'}: alloc_hwpt_nested`, () => {
    function setUp() {
      const self = new Selftest();
      const ioasId = ok(self.fd.ioasAlloc());
      let deviceId = 0;
      for (let each = 0; each < devices; each++) deviceId = ok(self.mockDomain(ioasId)).deviceId;
      const flags = HWPT_ALLOC_NEST_PARENT;
      const parentId = ok(self.fd.hwptAlloc({ deviceId, pageTableId: ioasId, flags }));
      const nested = (
        over = parentId,
        data: typeof DATA | { type: number; length: number; data: null } = DATA,
      ) => self.fd.hwptAlloc({ deviceId, pageTableId: over, data });
      return { self, ioasId, deviceId, parentId, nested };
    }

    function twoNested() {
      const fixture = setUp();
      const { self, nested } = fixture;
      const ids = [ok(nested()), ok(nested())] as const;
      const iotlb = (id: number): readonly number[] => {
        const hwpt = self.hwpt(id);
        assert.ok(hwpt.kind === 'nested');
        return self.iommu.iotlb(hwpt.domain);
      };
      const refused = (errno: Errno, num: number, id: number, array: UserArray): void => {
        const { handled: count, outcome } = handled(self.fd.hwptInvalidate(id, array));
        fails(errno, outcome);
        assert.equal(count, num);
      };
      const invalidates = (id: number, array: UserArray): void => {
        const { handled: count, outcome } = handled(self.fd.hwptInvalidate(id, array));
        ok(outcome);
        assert.equal(count, array.entryNumber);
      };
      return { ...fixture, ids, iotlb, refused, invalidates };
    }

    const allDefault = new Array<number>(IOTLB_ENTRIES).fill(IOTLB_DEFAULT);
    const allClear = new Array<number>(IOTLB_ENTRIES).fill(0);

    it('negative tests of ids: no device, a device in the place of a page table', () => {
      const { self, ioasId, deviceId } = setUp();
      fails('ENOENT', self.fd.hwptAlloc({ deviceId: ioasId, pageTableId: deviceId }));
      fails('EINVAL', self.fd.hwptAlloc({ deviceId, pageTableId: deviceId }));
    });

    it('negative nested tests: data, flags and parents', () => {
      const { self, ioasId, deviceId, parentId, nested } = setUp();
      const notWork = ok(self.fd.hwptAlloc({ deviceId, pageTableId: ioasId }));
      fails('EINVAL', nested(parentId, { ...DATA, type: HWPT_DATA_NONE }));
      fails('EOPNOTSUPP', nested(parentId, { ...DATA, type: HWPT_DATA_SELFTEST + 1 }));
      fails('EINVAL', nested(parentId, { ...DATA, length: 3 }));
      fails('EFAULT', nested(parentId, { ...DATA, data: null }));
      const flags = HWPT_ALLOC_NEST_PARENT;
      fails('EOPNOTSUPP', self.fd.hwptAlloc({ deviceId, pageTableId: parentId, flags, data: DATA }));
      fails('EINVAL', nested(notWork));
    });

    it('two nested page tables share a parent: all entries default, nothing on top of them, the parent busy', () => {
      const { self, parentId, nested, ids, iotlb } = twoNested();
      assert.deepEqual(iotlb(ids[0]), allDefault);
      assert.deepEqual(iotlb(ids[1]), allDefault);
      fails('EINVAL', nested(ids[0]));
      fails('EBUSY', self.fd.destroy(parentId));
    });

    it('invalidate: only of a nested page table; an empty array checks the type', () => {
      const { parentId, ids, refused, invalidates } = twoNested();
      refused('ENOENT', 0, parentId, requests({ flags: 0, iotlbId: 0 }));
      invalidates(ids[0], requests());
    });

    it('invalidate: type, length, flags, pointer and entry are checked, nothing is handled', () => {
      const { ids, iotlb, refused } = twoNested();
      const one = requests({ flags: 0, iotlbId: 0 });
      const [id] = ids;
      refused('EINVAL', 0, id, { ...one, type: INVALIDATE_DATA_SELFTEST + 1 });
      refused('EINVAL', 0, id, { ...one, entryLength: REQUEST_BYTES + 1, data: bytesOf([0, 0, 0xff]) });
      refused('EINVAL', 0, id, { ...one, entryLength: 1 });
      refused('EOPNOTSUPP', 0, id, requests({ flags: 0xffffffff, iotlbId: 0 }));
      refused('EINVAL', 0, id, { ...one, data: null });
      refused('EINVAL', 0, id, { ...one, entryLength: 0 });
      refused('EINVAL', 0, id, requests({ flags: 0, iotlbId: IOTLB_ENTRIES }));
      assert.deepEqual(iotlb(id), allDefault);
    });

    it('invalidate: a second request that fails leaves the first done', () => {
      const { ids, iotlb, refused } = twoNested();
      const [id] = ids;
      const rest = [0, ...allDefault.slice(1)];
      refused('EOPNOTSUPP', 1, id, requests({ flags: 0, iotlbId: 0 }, { flags: 0xffffffff, iotlbId: 1 }));
      assert.deepEqual(iotlb(id), rest);
      refused('EINVAL', 1, id, requests({ flags: 0, iotlbId: 0 }, { flags: 0, iotlbId: IOTLB_ENTRIES }));
      assert.deepEqual(iotlb(id), rest);
    });

    it('invalidate: one, two at a time, all of the other', () => {
      const { ids, iotlb, refused, invalidates } = twoNested();
      const [first, second] = ids;
      refused('EINVAL', 1, first, requests({ flags: 0, iotlbId: 0 }, { flags: 0, iotlbId: IOTLB_ENTRIES }));
      invalidates(first, requests({ flags: 0, iotlbId: 1 }));
      assert.deepEqual(iotlb(first), [0, 0, IOTLB_DEFAULT, IOTLB_DEFAULT]);
      invalidates(first, requests({ flags: 0, iotlbId: 2 }, { flags: 0, iotlbId: 3 }));
      assert.deepEqual(iotlb(first), allClear);
      assert.deepEqual(iotlb(second), allDefault);
      invalidates(second, requests({ flags: INVALIDATE_FLAG_ALL, iotlbId: 0 }));
      assert.deepEqual(iotlb(second), allClear);
    });

    it('replace: from one nested to the other, the parent and the address space, each busy while attached', () => {
      const { self, ioasId, deviceId, parentId, ids } = twoNested();
      const [first, second] = ids;
      ok(self.fd.replace(deviceId, first));
      fails('EBUSY', self.fd.destroy(first));
      ok(self.fd.replace(deviceId, second));
      fails('EBUSY', self.fd.destroy(second));
      ok(self.fd.destroy(first));
      ok(self.fd.replace(deviceId, parentId));
      ok(self.fd.destroy(second));
      ok(self.fd.replace(deviceId, ioasId));
      ok(self.fd.destroy(parentId));
    });
  });
}

describe('iommufd_ioas.no_domain: alloc_hwpt_nested', () => {
  it('without a device every call is ENOENT', () => {
    const self = new Selftest();
    const pageTableId = ok(self.fd.ioasAlloc());
    fails('ENOENT', self.fd.hwptAlloc({ deviceId: 0, pageTableId }));
    fails('ENOENT', self.fd.hwptAlloc({ deviceId: 0, pageTableId: 0, data: DATA }));
    fails('ENOENT', self.fd.replace(0, pageTableId));
    for (const num of [0, 1]) {
      const result = handled(
        self.fd.hwptInvalidate(0, { ...requests({ flags: 0, iotlbId: 0 }), entryNumber: num }),
      );
      fails('ENOENT', result.outcome);
      assert.equal(result.handled, 0);
    }
  });
});
