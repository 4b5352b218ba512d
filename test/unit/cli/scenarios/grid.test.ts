import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseShard, partName, rowCount, rowsOf } from '../../../../src/cli/scenarios/grid';
import { parseSetting, parseSettings, type Settings } from '../../../../src/cli/scenarios/settings';

const refusal = (parse: () => unknown): string => {
  try {
    parse();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'nothing';
};

describe('rows of a sweep', () => {
  const settings: Settings = new Map([
    ['migrate.link', ['25Gbps', '100Gbps']],
    ['parameters.page', ['0x1000', '0x2000', '0x3000']],
  ]);

  it('are every combination, the last setting changing with every row', () => {
    const rows = rowsOf(['broken', 'fixed'], settings, { index: 1, of: 1 });
    assert.equal(rows.length, 12);
    assert.deepEqual(
      rows.slice(0, 4).map(({ index, variant, set }) => [index, variant, ...Object.values(set)]),
      [
        [0, 'broken', '25Gbps', '0x1000'],
        [1, 'broken', '25Gbps', '0x2000'],
        [2, 'broken', '25Gbps', '0x3000'],
        [3, 'broken', '100Gbps', '0x1000'],
      ],
    );
    assert.deepEqual(
      rows.filter(({ variant }) => variant === 'fixed').map(({ index }) => index),
      [6, 7, 8, 9, 10, 11],
    );
  });

  it('of all shards are those of the whole, each once, whatever their number', () => {
    const values = fc.uniqueArray(fc.integer({ min: 0, max: 99 }).map(String), {
      minLength: 1,
      maxLength: 5,
    });
    const anySettings = fc.array(values, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anySettings, fc.integer({ min: 1, max: 9 }), (lists, of) => {
        const some = new Map(lists.map((list, index) => [`parameters.p${index}`, list]));
        const whole = rowsOf([null], some, { index: 1, of: 1 });
        const shards = Array.from({ length: of }, (_, index) =>
          rowsOf([null], some, { index: index + 1, of }),
        );
        assert.equal(whole.length, rowCount([null], some));
        for (const [index, shard] of shards.entries())
          assert.ok(shard.every((row) => row.index % of === index));
        assert.deepEqual(
          shards.flat().sort((a, b) => a.index - b.index),
          whole,
        );
        assert.equal(new Set(whole.map(({ set }) => JSON.stringify(set))).size, whole.length);
      }),
    );
  });
});

describe('a shard', () => {
  it('is I of N, and names its file so that files sort by it', () => {
    assert.deepEqual(parseShard('2/4'), { index: 2, of: 4 });
    assert.equal(partName({ index: 2, of: 4 }), 'part-00002-of-00004.parquet');
    for (const text of ['0/4', '5/4', '1', '1/0', '-1/4', '1/4/5', '1/1000000', 'a/b', ''])
      assert.match(
        refusal(() => parseShard(text)),
        /Write a shard as I\/N/,
        text,
      );
  });
});

describe('settings', () => {
  it('are a path and its values', () => {
    const settings = parseSettings(
      'migrate.pages.policy=as-is, split-eagerly',
      parseSettings('machine.memory=1G'),
    );
    assert.deepEqual(
      [...settings],
      [
        ['machine.memory', ['1G']],
        ['migrate.pages.policy', ['as-is', 'split-eagerly']],
      ],
    );
    assert.deepEqual(
      [...parseSetting('steps[2].split.protocol=a,b')],
      [['steps[2].split.protocol', ['a,b']]],
    );
  });

  it('keep commas in quotes', () => {
    assert.deepEqual(
      [...parseSettings(`parameters.text="a,b",'c,d',e`)],
      [['parameters.text', ['"a,b"', "'c,d'", 'e']]],
    );
  });

  it('are refused when a path or a value is missing or there twice', () => {
    assert.match(
      refusal(() => parseSettings('machine.memory')),
      /Write PATH=VALUE/,
    );
    assert.match(
      refusal(() => parseSettings('=1')),
      /Write PATH=VALUE/,
    );
    assert.match(
      refusal(() => parseSettings('title=x')),
      /Write PATH=VALUE/,
    );
    assert.match(
      refusal(() => parseSettings('a.b=1,,2')),
      /A value of a\.b is missing/,
    );
    assert.match(
      refusal(() => parseSettings('a.b=1,1')),
      /a\.b has the value 1 twice/,
    );
    assert.match(
      refusal(() => parseSettings('a.b=1', parseSettings('a.b=2'))),
      /a\.b is given twice/,
    );
  });
});
