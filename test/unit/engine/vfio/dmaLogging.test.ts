import assert from 'node:assert/strict';
import { type Outcome } from '../../../../src/engine/driver/errno';
import { DmaLogging, type DmaLoggingLimits } from '../../../../src/engine/driver/vfio/dmaLogging';
import { runSteps } from '../../../../src/engine/steps';

const GIB = 2 ** 30;
const LIMITS: DmaLoggingLimits = { mostRanges: 8, mostBytes: 2 ** 42, atomicBytes: true };
const errno = (outcome: Outcome<unknown>): string => (outcome.ok ? 'ok' : outcome.errno);
function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.message);
  return outcome.value;
}

describe('A device that logs its own writes', () => {
  it('reports pages within its ranges, in units of the size that is asked for, once', () => {
    const logging = new DmaLogging(LIMITS);
    value(logging.start([{ iova: 0, length: GIB }], 4096));
    for (const page of [5, 6, 520, 2 ** 18]) runSteps(logging.log(page));
    assert.deepEqual(value(logging.report({ iova: 0, length: 2 * GIB }, 4096)), [
      { startPage: 5, endPage: 7 },
      { startPage: 520, endPage: 521 },
    ]);
    assert.deepEqual(value(logging.report({ iova: 0, length: GIB }, 4096)), []);
    runSteps(logging.log(520));
    assert.deepEqual(value(logging.report({ iova: 0, length: GIB }, 2 ** 21)), [
      { startPage: 512, endPage: 1024 },
    ]);
  });

  it('refuses ranges as VFIO does', () => {
    const start = (ranges: readonly { iova: number; length: number }[], pageSize = 4096): string =>
      errno(new DmaLogging(LIMITS).start(ranges, pageSize));
    assert.equal(start([]), 'EINVAL');
    assert.equal(start([{ iova: 0, length: 100 }]), 'EINVAL');
    assert.equal(start([{ iova: 2 ** 64 - 4096, length: 8192 }]), 'EOVERFLOW');
    const overlapping = [
      { iova: 0, length: 8192 },
      { iova: 4096, length: 8192 },
    ];
    assert.equal(start(overlapping), 'EINVAL');
    assert.equal(
      start(Array.from({ length: 257 }, (_, index) => ({ iova: index * 8192, length: 4096 }))),
      'E2BIG',
    );
    assert.equal(start([{ iova: 0, length: 2 ** 43 }]), 'EOPNOTSUPP');
  });

  it('refuses reports when it does not log, and page sizes that are none', () => {
    const logging = new DmaLogging(LIMITS);
    const all = { iova: 0, length: GIB };
    assert.equal(errno(logging.report(all, 4096)), 'EINVAL');
    value(logging.start([all], 4096));
    assert.equal(errno(logging.start([all], 4096)), 'EBUSY');
    assert.equal(errno(logging.report(all, 2048)), 'EINVAL');
    assert.equal(errno(logging.report(all, 12288)), 'EINVAL');
    assert.equal(errno(logging.report({ iova: 4096, length: 2 ** 64 }, 4096)), 'EOVERFLOW');
    logging.stop();
    assert.equal(errno(logging.report(all, 4096)), 'EINVAL');
  });

  it('combines ranges that are too many where the gaps are smallest', () => {
    const logging = new DmaLogging({ ...LIMITS, mostRanges: 2 });
    const ranges = [0, 3, 4, 20].map((at) => ({ iova: at * GIB, length: GIB / 2 }));
    value(logging.start(ranges, 4096));
    assert.deepEqual(logging.ranges, [
      { iova: 0, length: 4.5 * GIB },
      { iova: 20 * GIB, length: GIB / 2 },
    ]);
  });

  it('cannot log one span over memory and a PCI hole far above, and can log memory apart', () => {
    const low = { iova: 0, length: 2 * GIB };
    const high = { iova: 4 * GIB, length: 60 * GIB };
    const hole = { iova: 2 ** 46, length: 16 * GIB };
    const span = { iova: high.iova, length: hole.iova + hole.length - high.iova };
    assert.equal(errno(new DmaLogging(LIMITS).start([low, span], 4096)), 'EOPNOTSUPP');
    assert.equal(errno(new DmaLogging(LIMITS).start([low, high, hole], 4096)), 'ok');
  });

  it('loses a bit when two writes change one byte of the bitmap at once, and none when a byte is changed atomically', () => {
    for (const atomicBytes of [false, true]) {
      const logging = new DmaLogging({ ...LIMITS, atomicBytes });
      value(logging.start([{ iova: 0, length: GIB }], 4096));
      const [one, other] = [logging.log(8), logging.log(9)];
      one.next();
      other.next();
      runSteps(other);
      runSteps(one);
      const pages = value(logging.report({ iova: 0, length: GIB }, 4096));
      assert.deepEqual(pages, [{ startPage: 8, endPage: atomicBytes ? 10 : 9 }]);
    }
  });
});
