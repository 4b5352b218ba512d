import assert from 'node:assert/strict';
import fc from 'fast-check';
import { numberAt, packRows, unpack, usedColumns, zoneOf } from '../../../../src/trace/model/chunk';
import { COLUMNS, RowBuilder } from '../../../../src/trace/model/columns';
import { OPERATIONS, operationCode } from '../../../../src/trace/model/operation';

const absent = Number.NaN;
/** Numbers as columns have them: absent, small, in pages, in microseconds, large, fractions. */
const number = fc.oneof(
  fc.constant(absent),
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 70_000 }).map((pages) => 4096 * pages),
  fc.integer({ min: -1000, max: 2 ** 31 }).map((microseconds) => 1000 * microseconds),
  fc.maxSafeInteger().map(Math.abs),
  fc.double({ noNaN: true }),
);
const column = fc.array(number, { minLength: 1, maxLength: 40 });
/** Numbers of one kind, and a few others: what keeps a column small, and what does not. */
const plainColumn = fc.oneof(
  column,
  fc.array(fc.oneof(fc.constant(absent), fc.integer({ min: 0, max: 256 })), { minLength: 1, maxLength: 40 }),
  fc
    .tuple(
      fc.constantFrom(1, 1000, 4096),
      fc.integer({ min: 0, max: 2 ** 40 }),
      fc.constantFrom(254, 255, 65_534, 65_535, 2 ** 32 - 1),
    )
    .chain(([scale, base, span]) =>
      fc.array(
        fc.oneof(
          fc.constant(absent),
          fc.integer({ min: 0, max: span }).map((value) => base + scale * value),
        ),
        {
          minLength: 1,
          maxLength: 40,
        },
      ),
    ),
);

describe('packed rows', () => {
  it('give every number again, in whatever column', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COLUMNS), plainColumn, (name, numbers) => {
        const builder = new RowBuilder(64);
        for (const value of numbers) builder[name][builder.begin(0, 0, 0)] = value;
        const chunk = packRows(builder);
        const found = numbers.map((_, row) => numberAt(chunk.columns[name], row));
        assert.deepEqual(
          found,
          numbers.map((value) => (Object.is(value, -0) ? found.find((zero) => zero === 0) : value)),
        );
        const unpacked = new Float64Array(64);
        unpack(chunk.columns[name], chunk.rows, unpacked);
        assert.deepEqual([...unpacked.subarray(0, numbers.length)], found);
      }),
      { numRuns: 1000 },
    );
  });

  it('take few bytes for what traces are made of', () => {
    const builder = new RowBuilder(1000);
    for (let row = 0; row < 1000; row++) {
      builder.begin(150 * row, 140 + (row % 9), operationCode('map'));
      builder.time[row] = 90_520_583_000 + 1000 * row;
      builder.iovaPage[row] = 0xffe10 - row;
      builder.iovaOffset[row] = 0;
      builder.size[row] = 4096 * (1 + (row % 16));
    }
    const { columns, bytes } = packRows(builder);
    assert.deepEqual(columns.operation, { constant: operationCode('map') });
    assert.deepEqual(columns.device, { constant: absent });
    // Offset 4, length 1, time 2, page 2, size 1; 8 for each of 13 constants.
    assert.equal(bytes, 1000 * 10 + 13 * 8);
  });

  it('leave a builder as new when the columns that are used are cleared', () => {
    const builder = new RowBuilder(8);
    for (const name of COLUMNS) builder[name][builder.begin(1, 2, 3)] = 5;
    builder.rows = 8;
    builder.clear(usedColumns(packRows(builder)));
    for (const name of COLUMNS)
      assert.ok(
        builder[name].every((value) => Number.isNaN(value)),
        name,
      );
  });

  it('know their range of time, of pages, and the count of each operation', () => {
    const builder = new RowBuilder(8);
    const add = (
      operation: 'map' | 'unmap',
      time: number,
      page: number,
      offset: number,
      size: number,
    ): void => {
      const row = builder.begin(0, 0, operationCode(operation));
      builder.time[row] = time;
      builder.iovaPage[row] = page;
      builder.iovaOffset[row] = offset;
      builder.size[row] = size;
    };
    add('map', 30, 16, 0, 4096);
    add('unmap', 10, 7, 4095, 2);
    add('map', 20, 19, 0, absent);
    builder.begin(0, 0, operationCode('unknown'));
    const zone = zoneOf(builder);
    assert.deepEqual(zone.time, [10, 30]);
    assert.deepEqual(zone.iovaPages, [7, 20]);
    assert.deepEqual(zone.paddrPages, [Infinity, -Infinity]);
    const counts: Record<string, number> = {};
    for (const [code, rows] of zone.operations.entries()) if (rows > 0) counts[OPERATIONS[code] ?? ''] = rows;
    assert.deepEqual(counts, { unknown: 1, map: 2, unmap: 1 });
  });
});
