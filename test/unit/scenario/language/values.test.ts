import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  expectedNumber,
  parseRate,
  parseTime,
  share,
  size,
} from '../../../../src/scenario/language/schema/values';
import { expectProblems, scenarioText } from './support';

const given = (
  schema: { safeParse(value: unknown): { success: boolean; data?: unknown } },
  value: unknown,
) => {
  const { success, data } = schema.safeParse(value);
  return success ? data : undefined;
};

describe('values with units', () => {
  it('are rates of bits and of bytes, by either case of a prefix', () => {
    const rates = { '100kB/s': 1e5, '10kbps': 1250, '100gbps': 12.5e9, '1GiB/s': 2 ** 30, '8 b/s': 1 };
    for (const [text, rate] of Object.entries(rates)) assert.equal(parseRate(text), rate, text);
    assert.equal(parseRate(`${'9'.repeat(400)}GB/s`), undefined);
  });

  it('are sizes with their unit beside them or a space off', () => {
    assert.equal(given(size(''), '4 K'), 4096n);
    assert.equal(given(size(''), '2 MiB'), 2n ** 21n);
    assert.equal(given(size(''), '0x1 E'), undefined);
  });

  it('are shares and numbers that have digits', () => {
    assert.equal(given(share(''), '30 %'), 0.3);
    assert.equal(given(share(''), 1e-7), 1e-7);
    for (const text of ['%', '', ' ', '101%', '1.1.1', '-1']) assert.equal(given(share(''), text), undefined);
    assert.equal(given(expectedNumber(''), ''), undefined);
    assert.deepEqual(given(expectedNumber(''), 1.5), { atLeast: 1.5, atMost: 1.5 });
  });

  it('are finite or nothing, whatever stands behind the digits', () => {
    const names = ['constructor', 'valueOf', 'toString', '__proto__', 'hasOwnProperty', 'min', 'h', 'GB/s'];
    const texts = fc
      .tuple(fc.nat().map(String), fc.oneof(fc.constantFrom(...names), fc.string()))
      .map((each) => each.join(''));
    fc.assert(
      fc.property(fc.oneof(texts, fc.string()), (text) => {
        for (const value of [parseTime(text), parseRate(text)])
          assert.ok(value === undefined || (Number.isFinite(value) && value >= 0), text);
      }),
    );
  });

  it('are told where they are none', () => {
    expectProblems(scenarioText({ rest: 'migrate: { link: 1Gbps, downtimeLimit: «5constructor» }' }), {
      says: /it takes a time/,
    });
    expectProblems(
      scenarioText({
        steps: '{ wait: { cycles: «$who» } }',
        rest: 'parameters: { who: $len, len: 5 }\nmigrate: { link: 1Gbps, mostRounds: $len }',
      }),
      { says: /"who" is "\$len", and parameters do not stand for others/, hint: /Write \$len/ },
    );
  });
});
