import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readLast } from '../../../src/host/remember';

describe('what was asked for last time', () => {
  it('comes back as it was kept', () => {
    const last = { iova: '0x1000', device: '00:02.0', access: 'write', domain: 'd', filters: ['dirty'] };
    assert.deepEqual(readLast(last), last);
  });

  it('is taken only where it is of the kind expected', () => {
    const kept = {
      iova: 5,
      device: ['00:02.0'],
      access: 'execute',
      copyForm: 'hex',
      filters: ['dirty', 7],
      x: 'y',
    };
    assert.deepEqual(readLast(kept), { copyForm: 'hex', filters: ['dirty'] });
    assert.deepEqual(readLast({ filters: 'dirty' }), {});
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        assert.equal(typeof readLast(anything), 'object');
      }),
    );
  });
});
