import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Field, type Layout } from '../../../../../src/engine/iommu/vendors/layout';

/** What fits a field: any value of its width, its low bits 0. */
function valueOf({ parts, shift }: Field): fc.Arbitrary<bigint> {
  const width = parts.reduce((bits, { high, low }) => bits + high - low + 1, 0);
  return fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n }).map((value) => value << BigInt(shift));
}

/** A layout gives back what it was given, sets no reserved bit, and sees each bit that it does not name. */
export function checkLayout<F extends Readonly<Record<string, Field>>>(
  layout: Layout<F>,
  fields: F,
  fixed: readonly Field[],
  words: number,
): void {
  const values = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, valueOf(field)]));
  fc.assert(
    fc.property(fc.record(values), fc.nat({ max: 64 * words - 1 }), (inputs, bit) => {
      const encoded = layout.encode(inputs);
      assert.deepEqual({ ...layout.decode(encoded) }, { ...inputs });
      assert.equal(layout.setsReserved(encoded), false);
      const flipped = encoded.map((word, index) =>
        index === Math.floor(bit / 64) ? word | (1n << BigInt(bit % 64)) : word,
      );
      const named = [...Object.values(fields), ...fixed].some(({ parts }) =>
        parts.some(({ high, low }) => low <= bit && bit <= high),
      );
      assert.equal(layout.setsReserved(flipped), !named);
    }),
  );
}
