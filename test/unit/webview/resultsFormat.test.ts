import assert from 'node:assert/strict';
import {
  bytesText,
  countText,
  percentText,
  secondsText,
  timesText,
} from '../../../src/webview/messages/resultsFormat';

describe('figures in the results', () => {
  it('are bytes by 1024, with three digits', () => {
    const texts = [0, 1, 1000, 1023, 1024, 1536, 1023.9 * 1024, 2 ** 40, 1.5 * 2 ** 50].map(bytesText);
    assert.deepEqual(texts, [
      ...['0 B', '1 B', '1000 B', '1023 B', '1 KiB', '1.5 KiB', '1 MiB', '1 TiB', '1.5 PiB'],
    ]);
  });

  it('are seconds in the unit that reads best, minutes from two on', () => {
    const texts = [0, 62e-9, 1.5e-6, 0.0005, 0.3, 0.99999, 1, 88.12, 119, 120, 125, 3600, 3725].map(
      secondsText,
    );
    assert.deepEqual(texts, [
      ...['0 s', '62 ns', '1.5 µs', '500 µs', '300 ms', '1 s', '1 s', '88.1 s', '119 s'],
      ...['2 min', '2 min 5 s', '1 h', '1 h 2 min'],
    ]);
  });

  it('are counts in groups of three, ratios and parts', () => {
    assert.deepEqual([0.5, 99.96, 1234567, -1234567].map(countText), [
      '0.5',
      '100',
      '1,234,567',
      '-1,234,567',
    ]);
    assert.deepEqual([1, 512, 3.571].map(timesText), ['1×', '512×', '3.57×']);
    assert.deepEqual([0, 0.0001, 0.5, 1].map(percentText), ['0 %', '< 0.1 %', '50 %', '100 %']);
  });
});
