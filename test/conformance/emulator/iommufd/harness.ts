import assert from 'node:assert/strict';
import { type Errno, type Outcome } from '../../../../src/engine/driver/errno';
import { type Steps, runSteps } from '../../../../src/engine/steps';
import { type Handled } from '../../../../src/engine/driver/iommufd/platform';
import { type PagingHwpt } from '../../../../src/engine/driver/iommufd/hwpt';
import { type Hwpt } from '../../../../src/engine/driver/iommufd/viommu';
import {
  Iommufd,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
} from '../../../../src/engine/driver/iommufd/iommufd';
import { UserMemory } from '../../../../src/engine/driver/iommufd/userMemory';
import { type SoftwareStep } from '../../../../src/engine/driver/softwareStep';
import { BUFFER_SIZE, MockIommu, PAGE_SIZE } from './mock';

type Work<T> = Outcome<T> | Steps<SoftwareStep, Outcome<T>>;

const finish = <T>(work: Work<T>): Outcome<T> => ('next' in work ? runSteps(work) : work);

/** ASSERT_EQ(0, ...) */
export function ok<T>(work: Work<T>): T {
  const outcome = finish(work);
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
  return outcome.value;
}

/** EXPECT_ERRNO */
export function fails(errno: Errno, work: Work<unknown>): void {
  const outcome = finish(work);
  assert.equal(outcome.ok ? 'success' : outcome.errno, errno, outcome.ok ? '' : outcome.message);
}

export const handled = (steps: Steps<SoftwareStep, Handled>): Handled => runSteps(steps);

const READ_WRITE = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;

/** The selftests' process: /dev/iommu and a buffer of 16 pages. */
export class Selftest {
  readonly memory = new UserMemory(Number(PAGE_SIZE));
  readonly fd = new Iommufd({ memory: this.memory });
  readonly iommu: MockIommu;
  readonly buffer: bigint;
  #nextAddress = 1n << 32n;
  #nextFrame = 0x100_0000;

  constructor(huge = false) {
    this.iommu = new MockIommu(huge);
    this.buffer = this.mmap(BUFFER_SIZE);
  }

  /** User memory at an address that is a multiple of 2^30; frames likewise. */
  mmap(length: bigint, writable = true): bigint {
    const address = this.#nextAddress;
    const gigabytes = (length + (1n << 30n) - 1n) >> 30n;
    this.memory.mapRegion(address, length, this.#nextFrame, writable);
    this.#nextAddress += gigabytes << 30n;
    this.#nextFrame += Number(gigabytes) * 2 ** 18;
    return address;
  }

  /** test_cmd_mock_domain: a device attached to an address space or page table. */
  mockDomain(ptId: number, options: { readonly noDirty?: boolean } = {}) {
    const device = this.iommu.device(options);
    const deviceId = this.fd.bind(device);
    const outcome = finish(this.fd.attach(deviceId, ptId));
    if (!outcome.ok) {
      ok(this.fd.unbind(deviceId));
      return { ok: false as const, errno: outcome.errno, message: outcome.message };
    }
    return { ok: true as const, value: { deviceId, hwptId: outcome.value, device } };
  }

  mapFixed(ioasId: number, userAddress: bigint, length: bigint, iova: bigint) {
    return this.fd.ioasMap({ ioasId, flags: READ_WRITE | IOAS_MAP_FIXED_IOVA, userAddress, length, iova });
  }

  map(ioasId: number, userAddress: bigint, length: bigint, flags = READ_WRITE) {
    return this.fd.ioasMap({ ioasId, flags, userAddress, length });
  }

  copy(sourceId: number, source: bigint, destinationId: number, destination: bigint, length: bigint) {
    const flags = READ_WRITE | IOAS_MAP_FIXED_IOVA;
    return this.fd.ioasCopy({ flags, sourceId, source, destinationId, destination, length });
  }

  hwpt(id: number): Hwpt {
    const object = this.fd.object(id);
    assert.ok(object?.kind === 'hwpt' || object?.kind === 'nested');
    return object;
  }

  paging(id: number): PagingHwpt {
    const object = this.hwpt(id);
    assert.ok(object.kind === 'hwpt');
    return object;
  }

  /** What stands behind user memory. */
  physical(userAddress: bigint): bigint {
    const owner = {};
    const page = userAddress - (userAddress % 4096n);
    const pin = this.memory.pin(owner, page, 4096n, false);
    assert.ok(pin);
    this.memory.unpin(pin);
    return BigInt(pin.extents[0]?.frame ?? 0) * 4096n + (userAddress % 4096n);
  }
}
