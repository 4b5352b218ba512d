import assert from 'node:assert/strict';
import { parquetReadObjects } from 'hyparquet';
import { flatten, sweepColumns } from '../../../../src/cli/scenarios/columns';
import { parquetOf } from '../../../../src/cli/scenarios/parquet';

const KEY = 'steps[0].dma.iova';

/** What a column of these settings reads back as. */
async function readBack(values: readonly string[]): Promise<readonly unknown[]> {
  const columns = sweepColumns(new Map([[KEY, values]]));
  const rows = values.map((value, index) =>
    flatten(columns, { row: { index, variant: null, set: { [KEY]: value } }, error: 'not run' }),
  );
  const file = new Uint8Array(parquetOf(columns, rows, {})).buffer;
  return (await parquetReadObjects({ file })).map((row): unknown => row[KEY]);
}

describe('columns of settings', () => {
  it('are numbers where numbers hold every value exactly', async () => {
    assert.deepEqual(await readBack(['1', '-9223372036854775808', '0x7fffffffffffffff']), [
      1n,
      -(2n ** 63n),
      2n ** 63n - 1n,
    ]);
    assert.deepEqual(await readBack(['0.1', '1', '1e9', '-2.5e-3']), [0.1, 1, 1e9, -0.0025]);
    assert.deepEqual(await readBack(['true', 'false']), [true, false]);
  });

  it('are text where a number would make values that differ look alike', async () => {
    for (const values of [
      ['18446744073709547519', '18446744073709547520'],
      ['9223372036854775807', '9223372036854775808'],
      ['0xffffffffffffe000', '0xffffffffffffefff'],
      ['0.1', '0.10000000000000001'],
      ['9007199254740992.0', '9007199254740993.0'],
      ['1e999', '2e999'],
      ['1e-400', '2e-400'],
      ['4K', '1'],
    ])
      assert.deepEqual(await readBack(values), values);
  });
});
