import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readTrace, rowsOf, said } from '../../../builders/readTrace';

const facts = (lines: readonly string[]): unknown[] =>
  rowsOf(readTrace(`${lines.join('\n')}\n`, 'x.jsonl')).map((row) => said(row));

describe('JSON lines', () => {
  it('reads numbers and texts, arrays of flags, and leaves out what is null', () => {
    assert.deepEqual(
      facts([
        '{"time":12.5,"op":"map","iova":"0xffe10000","size":4096,"paddr":5678915584,"flags":["read","write"]}',
        ' {"event":"unmap","iova":4292935680,"size":"0x1000","done":0,"cpu":null,"device":"00:02.0"}',
        '{"operation":"fault","iova":"0x5000","count":6,"flags":"read","extra":{"iova":1}}',
      ]),
      [
        {
          operation: 'map',
          time: 12_500_000_000,
          iova: '0xffe10000',
          size: 4096,
          paddr: '0x1527d6000',
          flags: 'read|write',
        },
        { operation: 'unmap', iova: '0xffe10000', size: 4096, done: 0, device: '00:02.0' },
        { operation: 'fault', iova: '0x5000', count: 6, flags: 'read' },
      ],
    );
  });

  it('has the digits of numbers that a double would round', () => {
    const [row] = facts([
      '{"time_ns":1795332273068193001,"op":"map","iova":18446744073709547521,"line":"\\"iova\\":1"}',
    ]);
    assert.deepEqual(row, { operation: 'map', time: 68_193_001, iova: '0xfffffffffffff001' });
  });

  it('reads numbers with an exponent', () => {
    assert.deepEqual(facts(['{"time":1.5e-7,"op":"map","iova":1e3,"size":1}']), [
      { operation: 'map', time: 150, iova: '0x3e8', size: 1 },
    ]);
  });

  it('keeps what is no object, or has a field that is not of its kind, as unknown', () => {
    const good = '{"op":"map","iova":"0x1000"}';
    const bad = [
      '[1,2]',
      '{"op":"map","iova":"0x"}',
      '{"op":"map"',
      'null',
      '',
      '{"op":"map","size":1.5}',
      '{}',
    ];
    const index = readTrace([...Array<string>(9).fill(good), ...bad, ''].join('\n'), 'x.jsonl');
    assert.equal(index.unknown, bad.length);
    assert.deepEqual(
      rowsOf(index, 9).map(({ operation, line }) => [operation, line]),
      bad.map((line) => ['unknown', line]),
    );
  });

  it('takes no name from the prototype of objects', () => {
    const line = '{"__proto__":"x","constructor":"1","toString":2,"op":"constructor","iova":"0x1000"}';
    const index = readTrace(`${line}\n`, 'x.jsonl');
    assert.deepEqual(
      rowsOf(index).map(({ operation, event }) => [operation, event]),
      [['other', 'constructor']],
    );
  });

  it('keeps every line of whatever comes, and never fails', () => {
    const good = '{"op":"map","iova":"0x1000"}';
    const value = fc.oneof(fc.json({ maxDepth: 3 }), fc.string({ maxLength: 30 }));
    const member = fc
      .dictionary(
        fc.constantFrom('op', 'iova', 'time', 'size', 'flags', 'task', 'end', 'x'),
        fc.jsonValue({ maxDepth: 1 }),
      )
      .map((record) => JSON.stringify(record));
    fc.assert(
      fc.property(fc.array(fc.oneof(value, member), { maxLength: 10 }), (made) => {
        const lines = made.map((text) => text.replace(/[\r\n\ufeff]/g, ' '));
        const index = readTrace([...Array<string>(10).fill(good), ...lines, ''].join('\n'), 'x.jsonl');
        assert.equal(index.rows, 10 + lines.length);
      }),
      { numRuns: 80 },
    );
  });
});
