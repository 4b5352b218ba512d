import assert from 'node:assert/strict';
import { type Outcome } from '../../../../../src/engine/driver/errno';
import {
  Iommufd,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
} from '../../../../../src/engine/driver/iommufd/iommufd';
import { UserMemory } from '../../../../../src/engine/driver/iommufd/userMemory';
import { runSteps } from '../../../../../src/engine/steps';

const GIB = 1n << 30n;

function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.message);
  return outcome.value;
}

describe('iommufd: access without an IOMMU', () => {
  it('pins 4 GiB in one call, and refuses more with ENOMEM', () => {
    const memory = new UserMemory();
    const fd = new Iommufd({ memory });
    const ioasId = value(fd.ioasAlloc());
    memory.mapRegion(0x7f00_0000_0000n, 5n * GIB, 0x100_0000);
    const flags = IOAS_MAP_FIXED_IOVA | IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
    const where = { userAddress: 0x7f00_0000_0000n, length: 5n * GIB, iova: 0n };
    value(runSteps(fd.ioasMap({ ioasId, flags, ...where })));
    const object = fd.object(value(fd.accessAlloc(ioasId, true)));
    assert.ok(object?.kind === 'access');
    const { access } = object;
    const range = { start: 0n, end: 4n * GIB };
    assert.equal(value(access.pin(range, true)).length, 2 ** 20);
    value(access.unpin(range));
    const refused = access.pin({ start: 0n, end: 4n * GIB + 4096n }, true);
    assert.equal(refused.ok ? '' : refused.errno, 'ENOMEM');
  });
});
