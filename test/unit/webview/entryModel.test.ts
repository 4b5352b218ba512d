import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type FieldModel } from '../../../src/webview/messages/entryMessages';
import { readFromEntryView, readShowMessage } from '../../../src/webview/messages/entryMessages';
import { copyText, entryModel, formatValue } from '../../../src/webview/messages/entryModel';
import { bitRows, columnsFor } from '../../../src/webview/entry/bitRows';
import { bitRange, valueText } from '../../../src/webview/entry/wording';
import { contextEntry, largePage } from '../../web/entry/entries';
import { strings } from '../../web/entry/strings';

const field = (high: number, low: number, value = '0x0'): FieldModel => ({
  name: 'F',
  high,
  low,
  value,
  meaning: '',
  section: '',
  kind: 'control',
});

describe('Entry messages', () => {
  it('carry an entry with bigints as hexadecimal strings, through JSON', () => {
    const entry = entryModel(largePage(true));
    assert.equal(entry.address, '0x14b377ff0');
    assert.equal(entry.words[0]?.value, '0x158a04083');
    assert.deepEqual(entry.range, { start: '0xffc00000', end: '0xffe00000' });
    const message = { v: 1, type: 'show', generation: 3, entry, strings };
    assert.deepEqual(readShowMessage(JSON.parse(JSON.stringify(message))), message);
  });

  it('take the end of the address space, 2^64', () => {
    const details = { ...largePage(), range: { start: 0n, end: 1n << 64n } };
    const message = { v: 1, type: 'show', generation: 0, entry: entryModel(details), strings };
    assert.equal(readShowMessage(message)?.entry?.range?.end, '0x10000000000000000');
  });

  it('of another version or shape are refused, whatever they are', () => {
    assert.equal(readFromEntryView({ v: 2, type: 'ready' }), undefined);
    assert.equal(
      readFromEntryView({ v: 1, type: 'copy', generation: 1, word: -1, field: null, format: 'hex' }),
      undefined,
    );
    fc.assert(
      fc.property(fc.anything(), (value) => {
        assert.equal(readShowMessage(value), undefined);
        assert.equal(readFromEntryView(value), undefined);
      }),
    );
  });
});

describe('copying from the Entry view', () => {
  const request = { v: 1, type: 'copy', generation: 1 } as const;

  it('writes words and fields in the three forms', () => {
    const entry = contextEntry();
    const text = (word: number, at: number | null, format: 'hex' | 'decimal' | 'binary') =>
      copyText(entry, { ...request, word, field: at, format });
    assert.equal(text(0, null, 'hex'), '0x14ab2b001');
    assert.equal(text(0, null, 'decimal'), '5548191745');
    assert.equal(text(1, 1, 'decimal'), '4');
    assert.equal(text(1, 4, 'binary'), '0b001');
    assert.equal(text(2, null, 'hex'), undefined);
    assert.equal(text(0, 99, 'hex'), undefined);
  });

  it('gives text that reads back as the same number', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.constantFrom('hex' as const, 'decimal' as const, 'binary' as const),
        (value, format) => assert.equal(BigInt(formatValue(value, 64, format)), value),
      ),
    );
  });
});

describe('rows of the bit diagram', () => {
  it('show each bit once, highest first, in any number of columns', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 63 }), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, fc.constantFrom(8, 16, 32, 64), (lows, columns) => {
        const edges = [...lows, 0].sort((a, b) => b - a);
        const fields = edges.map((low, index) => field((edges[index - 1] ?? 64) - 1, low));
        const rows = bitRows(fields, columns);
        const shown = rows.flatMap(({ segments }) =>
          segments.flatMap(({ high, low }) =>
            Array.from({ length: high - low + 1 }, (_, index) => high - index),
          ),
        );
        assert.deepEqual(
          shown,
          Array.from({ length: 64 }, (_, index) => 63 - index),
        );
        const firsts = rows.flatMap(({ segments }) => segments.filter(({ first }) => first));
        assert.deepEqual(
          firsts.map((segment) => segment.field),
          fields.map((_, index) => index),
        );
      }),
    );
  });

  it('are as long as the width allows', () => {
    assert.deepEqual([0, 276, 439, 440, 959, 960].map(columnsFor), [8, 8, 8, 16, 16, 32]);
  });
});

describe('words of the Entry view', () => {
  it('number bits over all words, and show values in the form that reads best', () => {
    assert.equal(bitRange(1, 23, 8), '87:72');
    assert.equal(bitRange(0, 7, 7), '7');
    assert.equal(valueText(field(7, 7, '0x1')), '1');
    assert.equal(valueText(field(5, 3, '0x6')), '0x6 (0b110)');
    assert.equal(valueText(field(51, 12, '0x158a00')), '0x158a00');
  });
});
