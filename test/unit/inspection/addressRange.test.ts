import assert from 'node:assert/strict';
import { parseRange } from '../../../src/inspection/addressRange';

describe('a range of addresses', () => {
  it('is one byte, START..END without the end, or START+LENGTH', () => {
    assert.deepEqual(parseRange('0x1000'), { start: 0x1000n, end: 0x1001n });
    assert.deepEqual(parseRange(' 0x1000..0x2000 '), { start: 0x1000n, end: 0x2000n });
    assert.deepEqual(parseRange('4K+2M'), { start: 4096n, end: 4096n + (2n << 20n) });
    assert.deepEqual(parseRange('0..0x10000000000000000'), { start: 0n, end: 1n << 64n });
    assert.deepEqual(parseRange('0xffffffffffffffff'), { start: (1n << 64n) - 1n, end: 1n << 64n });
  });

  it('is not empty, not backwards, not beyond 2^64', () => {
    for (const text of [
      '',
      'x',
      '1..1',
      '2..1',
      '1+0',
      '1..2..3',
      '1+2..3',
      '1+',
      '..',
      '0xffffffffffffffff+2',
    ]) {
      assert.equal(parseRange(text), undefined, text);
    }
  });
});
