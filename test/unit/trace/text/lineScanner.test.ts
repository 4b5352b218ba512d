import assert from 'node:assert/strict';
import { LineScanner, literal } from '../../../../src/trace/text/lineScanner';

describe('numbers of a line', () => {
  const decimal = (text: string): [value: number, at: number] => {
    const scanner = new LineScanner();
    scanner.reset(literal(text), 0, text.length);
    return [scanner.decimal(), scanner.at];
  };

  it('have 64 bits at most: a longer one is none, and nothing was read', () => {
    assert.deepEqual(decimal('18446744073709551615 '), [2 ** 64, 20]);
    assert.deepEqual(decimal(`-${2 ** 53}`), [-(2 ** 53), 17]);
    assert.deepEqual(decimal('0'.repeat(400)), [0, 400]);
    for (const text of ['9'.repeat(21), '1'.repeat(310), `-${'1'.repeat(310)}`]) {
      assert.deepEqual(decimal(text), [Number.NaN, 0]);
    }
  });
});
