import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readPlace } from '../../../src/webview/messages/tracePlace';

const CONTEXT = { origin: '81492000000000', firstTime: 500 };
/** As clocks since 1970 count: more digits of nanoseconds than a number has. */
const EPOCH = { origin: '1700000000000000000', firstTime: 0 };

describe('places of a trace as people write them', () => {
  it('reads rows from 1, addresses, and times', () => {
    const places = {
      '1': { row: 0 },
      ' 99,999,999 ': { row: 99_999_998 },
      '0xFFFE0000': { iova: '0xfffe0000' },
      '0x0000000000001000': { iova: '0x1000' },
      '0x0': { iova: '0x0' },
      '81492.000001': { time: 1000 },
      '81492.5s': { time: 500_000_000 },
      '81491.5': { time: -500_000_000 },
      '+30ms': { time: 30_000_500 },
      '+0.25': { time: 250_000_500 },
      '+7 us': { time: 7500 },
    };
    for (const [text, place] of Object.entries(places))
      assert.deepEqual(readPlace(text, CONTEXT), place, text);
  });

  it('refuses what is no place', () => {
    for (const text of ['', '0', '-1', 'row', '0x', '0x12345678901234567', '1e5', '5 minutes', '1.2.3'])
      assert.equal(readPlace(text, CONTEXT), undefined, text);
  });

  it('keeps each nanosecond of a time since 1970', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 15 }), (time) => {
        const at = BigInt(EPOCH.origin) + BigInt(time);
        const text = `${String(at / 1_000_000_000n)}.${String(at % 1_000_000_000n).padStart(9, '0')}`;
        assert.deepEqual(readPlace(text, EPOCH), { time });
      }),
    );
  });
});
