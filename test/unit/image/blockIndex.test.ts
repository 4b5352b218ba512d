import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { BlockIndex } from '../../../src/image/blockIndex';

describe('block index', () => {
  it('is a map, whatever is added and removed', () => {
    // Few keys that collide, and many that do not.
    const key = fc.oneof(
      fc.nat({ max: 40 }),
      fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 2 ** 16),
    );
    const property = fc.property(fc.array(key, { maxLength: 1500, size: 'max' }), (keys) => {
      const index = new BlockIndex();
      const model = new Map<number, number>();
      keys.forEach((each, at) => {
        if (model.delete(each)) {
          index.remove(each);
        } else {
          model.set(each, at);
          index.add(each, at);
        }
        if (at % 50 === 0) for (const probe of keys) assert.equal(index.get(probe), model.get(probe) ?? -1);
      });
      for (const probe of keys) assert.equal(index.get(probe), model.get(probe) ?? -1);
    });
    fc.assert(property, { numRuns: 60 });
  });
});
