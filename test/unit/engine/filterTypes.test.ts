import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { compileRowFilter } from '../../../src/engine/filter/filter';
import { complete } from '../../../src/engine/filter/completion';
import { parseNanoseconds } from '../../../src/engine/filter/seconds';
import { quote } from '../../../src/engine/filter/tokens';
import { type Vocabulary } from '../../../src/engine/filter/vocabulary';

const seed = process.env['FUZZ_SEED'];
const parameters = seed === undefined ? {} : { seed: Number(seed) };

interface Row {
  readonly at: number;
  readonly from: bigint;
  readonly bytes: bigint;
  readonly kind: number;
  readonly device: string;
}

const ORIGIN = 1_000_000_000n;
const vocabulary: Vocabulary<Row> = {
  fields: [
    { name: 'time', type: 'seconds', doc: '', origin: ORIGIN, read: (row) => row.at },
    {
      name: 'range',
      type: 'span',
      doc: '',
      overlaps: (from, to) => (row) => row.from < to && row.from + row.bytes > from,
    },
    { name: 'kind', type: 'choice', doc: '', members: { map: 1, 'dma-map': 2 }, read: (row) => row.kind },
    {
      name: 'device',
      type: 'text',
      doc: '',
      values: ['00:03.0', '0000:00:02.0', 'sid 0x18'].map((text) => ({ text: quote(text), doc: '' })),
      read: (row) => row.device,
    },
  ],
};

const row: Row = { at: 500_000_000, from: 0x1000n, bytes: 0x10n, kind: 2, device: '0000:00:02.0' };

function holds(text: string, of: Row = row): boolean {
  const compiled = compileRowFilter(text, vocabulary);
  assert.ok(compiled.ok, compiled.ok ? '' : `${text}: ${compiled.problems[0]?.message ?? ''}`);
  return compiled.filter.matches(of);
}

const offered = (text: string): string[] => complete(text, text.length, vocabulary).map((one) => one.text);

function code(text: string): string | undefined {
  const compiled = compileRowFilter(text, vocabulary);
  return compiled.ok ? undefined : compiled.problems[0]?.code;
}

describe('filter over seconds', () => {
  it('compares absolute seconds, with decimals and units, exactly', () => {
    for (const text of ['time = 1.5', 'time = 1500ms', 'time = 1_500_000us', 'time = 1.500_000_000s'])
      assert.ok(holds(text), text);
    assert.ok(holds('time in 1.5..1.500000001'));
    assert.ok(!holds('time in 1.4..1.5'));
    assert.ok(holds('time in 1.4..') && holds('time in ..2') && holds('time > 0'));
    assert.ok(holds('time != 1.500000001'));
  });

  it('answers no for a row without time, and != and not yes', () => {
    const none = { ...row, at: Number.NaN };
    for (const text of ['time = 1', 'time > 0', 'time <= 9', 'time in 0..9', 'time in ..9'])
      assert.ok(!holds(text, none), text);
    assert.ok(holds('time != 1', none) && holds('not time >= 0', none));
  });

  it('refuses what is no time', () => {
    assert.equal(code('time = 0x10'), 'filter/value');
    assert.equal(code('time = 5M'), 'filter/value');
    assert.equal(code('time in 2.5..1.5'), 'filter/range');
    assert.equal(code('range = 1.5'), 'filter/value');
  });

  it('reads every decimal as its nanoseconds', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 15n), fc.constantFrom(0, 3, 6, 9), (value, digits) => {
        const scale = 10n ** BigInt(digits);
        const text = `${value / scale}.${(value % scale).toString().padStart(digits, '0')}`;
        const written = digits === 0 ? `${value}` : text;
        assert.equal(parseNanoseconds(written), value * 10n ** BigInt(9 - digits));
      }),
      parameters,
    );
  });
});

describe('filter over spans of bytes', () => {
  it('is exact to the byte', () => {
    assert.ok(holds('range = 0x100f') && !holds('range = 0x1010'));
    assert.ok(holds('range in 0x100f..0x2000') && !holds('range in 0x1010..') && !holds('range < 0x1000'));
    assert.ok(holds('range <= 0x1000') && holds('range > 0x100e') && !holds('range > 0x100f'));
    assert.ok(holds('range != 0x1010') && holds('range in (5, 0x1004)'));
    const top = { ...row, from: 0xffff_ffff_ffff_fff0n };
    assert.ok(holds('range = 0xffffffffffffffff', top) && holds('range in 0xfffffffffffffff0..', top));
  });
});

describe('filter over choices', () => {
  it('knows their names', () => {
    assert.ok(holds('kind = dma-map') && holds('kind != map') && holds('kind in (map, DMA-MAP)'));
    assert.equal(code('kind = dmamap'), 'filter/value');
    assert.equal(code('kind has map'), 'filter/operator');
    assert.equal(code('kind in a..b'), 'filter/value');
  });
});

describe('filter texts', () => {
  it('may be PCI addresses without quotes', () => {
    assert.ok(holds('device = 0000:00:02.0') && holds('device in (00:03.0, 0000:00:02.0)'));
    assert.ok(holds('device has 00:02'));
    assert.ok(!holds('device = 02.0'));
  });

  it('are compared as written when they look like numbers', () => {
    assert.ok(holds('device has 02.0') && !holds('device has 0x18'));
    assert.ok(holds('device has 0x18', { ...row, device: 'sid 0x18' }));
  });

  it('come back from quote as they were, whatever they are', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('"', "'", 'a', ' ', ':', '.', '0') }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        assert.ok(holds(`device = ${quote(text)} and time > 0`, { ...row, device: text }));
      }),
      parameters,
    );
  });

  it('are completed in the middle of a PCI address and of a text in quotes', () => {
    assert.deepEqual(offered('device = 00:'), ['00:03.0']);
    assert.deepEqual(offered('device = 0000:00:0'), ['0000:00:02.0']);
    assert.deepEqual(offered('device = "si'), ['"sid 0x18"']);
    assert.deepEqual(offered('device = sid'), ['"sid 0x18"']);
    const [one] = complete('device = "si and time > 1', 12, vocabulary);
    assert.deepEqual([one?.start, one?.end], [9, 12]);
  });
});
