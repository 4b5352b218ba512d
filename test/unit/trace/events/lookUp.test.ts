import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type EventRule } from '../../../../src/trace/events/eventRule';
import { EventTable } from '../../../../src/trace/events/lookUp';
import { traceNames } from '../../../../src/trace/model/dictionary';

const rule = (event: string): EventRule => ({ event, operation: 'other', read: () => true });
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

describe('events by the bytes of their names', () => {
  it('a rule is found where its name stands in a line, and nothing is that has none', () => {
    const names = traceNames();
    const rules = new Map(['map', 'unmap'].map((event) => [event, rule(event)]));
    const table = new EventTable(rules, names);
    const line = bytesOf('[001] 1.5: unmap: IOMMU');
    assert.equal(table.find(line, 11, 16)?.rule, rules.get('unmap'));
    assert.equal(table.find(line, 13, 16)?.rule, rules.get('map'));
    assert.equal(table.find(line, 11, 15), undefined);
    assert.equal(table.find(line, 18, 23), undefined);
    assert.deepEqual(names.events.texts(), ['unmap', 'map'], 'names have numbers from when they are found');
  });

  it('names have the same number each time, with or without a rule, however many there are', () => {
    const name = fc.string({
      minLength: 1,
      maxLength: 12,
      unit: fc.constantFrom('a', 'b', 'c', '_', '0', '1'),
    });
    fc.assert(
      fc.property(fc.array(name, { maxLength: 300 }), fc.array(name, { maxLength: 20 }), (asked, known) => {
        const names = traceNames();
        const table = new EventTable(new Map(known.map((event) => [event, rule(event)])), names);
        const numbers = new Map<string, number>();
        for (const text of [...asked, ...known, ...asked]) {
          const { id, rule: found } = table.entry(bytesOf(text), 0, text.length);
          assert.equal(names.events.text(id), text);
          assert.equal(numbers.get(text) ?? id, id);
          assert.equal(found?.event, known.includes(text) ? text : undefined);
          assert.equal(table.find(bytesOf(`x${text}`), 1, text.length + 1)?.id, found && id);
          numbers.set(text, id);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('a file of noise, with thousands of names, is read like any other', () => {
    const names = traceNames();
    const table = new EventTable(new Map([['map', rule('map')]]), names);
    for (let number = 0; number < 10_000; number++) {
      const text = `event${number}`;
      assert.equal(table.entry(bytesOf(text), 0, text.length).id, number);
    }
    assert.equal(table.entry(bytesOf('event9999'), 0, 9).id, 9999);
    assert.equal(table.entry(bytesOf('map'), 0, 3).rule?.event, 'map');
  });
});
