import assert from 'node:assert/strict';
import { bytesText, timeText } from '../../../src/cli/figures';

describe('figures for people', () => {
  it('are times of three digits', () => {
    const cases: [number, string][] = [
      [0, '0 s'],
      [0.3, '300 ms'],
      [12.345, '12.3 s'],
      [1234.5, '1235 s'],
      [62e-9, '62 ns'],
      [2.5e-6, '2.5 µs'],
    ];
    for (const [seconds, text] of cases) assert.equal(timeText(seconds), text);
  });

  it('are bytes by 1024', () => {
    const cases: [number, string][] = [
      [0, '0'],
      [4096, '4K'],
      [1023, '1023'],
      [1.5 * 2 ** 30, '1.5G'],
      [2 ** 40, '1T'],
      [123.4 * 2 ** 20, '123M'],
    ];
    for (const [bytes, text] of cases) assert.equal(bytesText(bytes), text);
  });
});
