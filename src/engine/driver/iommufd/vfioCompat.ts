import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { type Ioas } from './ioas';
import { type Iommufd, IOAS_MAP_FIXED_IOVA, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from './iommufd';
import { ADDRESS_END } from './ranges';

export const VFIO_TYPE1_IOMMU = 1;
export const VFIO_TYPE1V2_IOMMU = 3;
export const VFIO_DMA_MAP_READ = 1;
export const VFIO_DMA_MAP_WRITE = 2;
export const VFIO_DMA_UNMAP_ALL = 2;

/** The calls of a VFIO container on one address space. Linux iommufd/vfio_compat.c. */
export class VfioContainer {
  readonly #iommufd: Iommufd;
  readonly #ioasId: number | undefined;

  /** Without an address space every call is ENODEV. */
  constructor(iommufd: Iommufd, ioasId: number | undefined) {
    this.#iommufd = iommufd;
    this.#ioasId = ioasId;
  }

  /** VFIO_SET_IOMMU. Type 1 may unmap parts of what was mapped: it maps by the smallest pages only. */
  setIommu(type: number): Outcome<null> {
    const ioas = this.#ioas();
    if (!ioas.ok) return ioas;
    if (type === VFIO_TYPE1_IOMMU) return ioas.value.setHugePages(false);
    return type === VFIO_TYPE1V2_IOMMU ? done(null) : refused('EINVAL', `no IOMMU of type ${type}`);
  }

  *map(command: {
    readonly flags: number;
    readonly userAddress: bigint;
    readonly iova: bigint;
    readonly size: bigint;
  }): Steps<SoftwareStep, Outcome<null>> {
    const { flags, userAddress, iova, size } = command;
    if (flags & ~(VFIO_DMA_MAP_READ | VFIO_DMA_MAP_WRITE))
      return refused('EINVAL', `flags ${flags} are not known`);
    const ioas = this.#ioas();
    if (!ioas.ok) return ioas;
    const access =
      (flags & VFIO_DMA_MAP_READ ? IOAS_MAP_READABLE : 0) |
      (flags & VFIO_DMA_MAP_WRITE ? IOAS_MAP_WRITEABLE : 0);
    const mapped = yield* this.#iommufd.ioasMap({
      ioasId: ioas.value.id,
      flags: IOAS_MAP_FIXED_IOVA | access,
      userAddress,
      length: size,
      iova,
    });
    return mapped.ok ? done(null) : mapped;
  }

  /** The bytes that went. */
  *unmap(flags: number, iova: bigint, size: bigint): Steps<SoftwareStep, Outcome<bigint>> {
    if (flags & ~VFIO_DMA_UNMAP_ALL) return refused('EINVAL', `flags ${flags} are not known`);
    const found = this.#ioas();
    if (!found.ok) return found;
    const ioas = found.value;
    if (flags & VFIO_DMA_UNMAP_ALL) {
      if (iova !== 0n || size !== 0n) return refused('EINVAL', 'to unmap all, address and size are 0');
      const outcome = yield* ioas.unmap({ start: 0n, end: ADDRESS_END });
      return !outcome.ok && ioas.areas.size === 0 ? done(0n) : outcome;
    }
    if (ioas.smallOnly) {
      for (const at of [iova, iova + size]) {
        const cut = ioas.cut(at);
        if (!cut.ok) return cut;
      }
    }
    return yield* this.#iommufd.ioasUnmap(ioas.id, iova, size);
  }

  #ioas(): Outcome<Ioas> {
    const object = this.#ioasId === undefined ? undefined : this.#iommufd.object(this.#ioasId);
    return object?.kind === 'ioas' ? done(object) : refused('ENODEV', 'the container has no address space');
  }
}
