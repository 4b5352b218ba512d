import assert from 'node:assert/strict';
import { explainFault } from '../../../src/inspection/answers/faultWords';

describe('the words for a refused request', () => {
  const request = { requester: 0x10, pasid: null, iova: 0x1000n } as const;

  it('say of a read that is refused as a write that hardware marks an entry', () => {
    const read = explainFault('write-denied', { ...request, access: 'read' }, 1, undefined, 2);
    assert.match(
      read.why,
      /^Read of 0x1000 is refused \(write-denied\) at level 1 of stage 2\. Hardware marks/,
    );
    assert.match(read.hint, /stage 2/);
    const write = explainFault('write-denied', { ...request, access: 'write' }, 1, undefined, 2);
    assert.match(write.why, /An entry of the walk does not allow writes\.$/);
  });
});
