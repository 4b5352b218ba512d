/** The fixture vfio_compat_mock_domain of tools/testing/selftests/iommu/iommufd.c, and its VFIO calls without a device. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  VFIO_DMA_MAP_READ,
  VFIO_DMA_MAP_WRITE,
  VFIO_DMA_UNMAP_ALL,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1V2_IOMMU,
  VfioContainer,
} from '../../../../src/engine/driver/iommufd/vfioCompat';
import { SeededRandom } from '../../../../src/engine/random';
import { fails, ok, Selftest } from './harness';
import { BUFFER_SIZE, HUGEPAGE_SIZE, MOCK_APERTURE_START, PAGE_SIZE } from './mock';

const READ_WRITE = VFIO_DMA_MAP_READ | VFIO_DMA_MAP_WRITE;

function shuffled<T>(items: readonly T[]): T[] {
  const random = new SeededRandom(1);
  const left = [...items];
  return items.flatMap(() => left.splice(random.below(left.length), 1));
}

describe('iommufd: VFIO calls', () => {
  const { fd, buffer } = new Selftest();
  const container = new VfioContainer(fd, undefined);

  it('unmap_cmd', () => {
    fails('EINVAL', container.unmap(1 << 31, MOCK_APERTURE_START, PAGE_SIZE));
    fails('ENODEV', container.unmap(0, MOCK_APERTURE_START, PAGE_SIZE));
  });

  it('map_cmd', () => {
    const command = { userAddress: buffer, iova: MOCK_APERTURE_START, size: PAGE_SIZE };
    fails('EINVAL', container.map({ ...command, flags: 1 << 31 }));
    fails('ENODEV', container.map({ ...command, flags: READ_WRITE }));
  });

  it('set_iommu_cmd', () => {
    fails('ENODEV', container.setIommu(VFIO_TYPE1V2_IOMMU));
    fails('ENODEV', container.setIommu(VFIO_TYPE1_IOMMU));
  });
});

for (const [variant, version] of [
  ['Ver1v2', VFIO_TYPE1V2_IOMMU],
  ['Ver1v0', VFIO_TYPE1_IOMMU],
] as const) {
  describe(`vfio_compat_mock_domain.${variant}`, () => {
    function setUp() {
      const self = new Selftest(true);
      const ioasId = ok(self.fd.ioasAlloc());
      ok(self.mockDomain(ioasId));
      const container = new VfioContainer(self.fd, ioasId);
      ok(container.setIommu(version));
      const map = (userAddress: bigint, size: bigint, iova = MOCK_APERTURE_START) =>
        container.map({ flags: READ_WRITE, userAddress, iova, size });
      return { self, ioasId, container, map };
    }

    it('option_huge_pages', () => {
      const { self, ioasId } = setUp();
      assert.equal(ok(self.fd.ioasHugePages(ioasId)), version === VFIO_TYPE1_IOMMU ? 0 : 1);
    });

    it('map', () => {
      const { self, container, map } = setUp();
      ok(map(self.buffer, BUFFER_SIZE));
      assert.equal(ok(container.unmap(0, MOCK_APERTURE_START, BUFFER_SIZE)), BUFFER_SIZE);

      ok(map(self.buffer, BUFFER_SIZE));
      fails('EINVAL', container.unmap(VFIO_DMA_UNMAP_ALL, MOCK_APERTURE_START, BUFFER_SIZE));
      assert.equal(ok(container.unmap(VFIO_DMA_UNMAP_ALL, 0n, 0n)), BUFFER_SIZE);

      const offsets = Array.from(
        { length: Number(BUFFER_SIZE / PAGE_SIZE) },
        (_, i) => BigInt(i) * PAGE_SIZE,
      );
      for (const offset of offsets) ok(map(self.buffer + offset, PAGE_SIZE, MOCK_APERTURE_START + offset));
      for (const offset of shuffled(offsets)) ok(container.unmap(0, MOCK_APERTURE_START + offset, PAGE_SIZE));
      assert.equal(self.memory.references(self.buffer, BUFFER_SIZE), 0);
    });

    it('huge_map', () => {
      const { self, container, map } = setUp();
      const size = 2n * HUGEPAGE_SIZE;
      const buf = self.mmap(size);
      ok(map(buf, size));
      const piece = size / 16n;
      const pieces = Array.from({ length: 16 }, (_, i) => MOCK_APERTURE_START + BigInt(i) * piece);
      for (const iova of shuffled(pieces)) {
        // Type 1 cuts what was mapped as one, type 1 v2 does not.
        if (version === VFIO_TYPE1_IOMMU) assert.equal(ok(container.unmap(0, iova, piece)), piece);
        else fails('ENOENT', container.unmap(0, iova, piece));
      }
      assert.equal(self.memory.references(buf, size), version === VFIO_TYPE1_IOMMU ? 0 : 1);
    });
  });
}
