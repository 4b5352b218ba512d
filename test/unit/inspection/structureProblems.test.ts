import assert from 'node:assert/strict';
import { openDirectory } from '../../../src/engine/directory/index';
import { structureProblems } from '../../../src/inspection/answers/entry';
import { memoryOf } from '../../conformance/builtImages';

describe('problems of structure entries', () => {
  const RTADDR = 1n << 10n;
  const SMTS = 1n << 43n;
  const NEST = 1n << 26n;
  const DT = 1n << 2n;

  function problems(ecap: bigint | undefined, words: readonly bigint[]) {
    const registers = new Map([['RTADDR', RTADDR], ...(ecap === undefined ? [] : [['ECAP', ecap] as const])]);
    const opened = openDirectory('vt-d', memoryOf(new Map()), registers);
    assert.ok(opened.ok);
    return structureProblems(opened.value, 'context', words).map(({ code, word, high, low }) => ({
      code,
      word,
      high,
      low,
    }));
  }

  // VT-d 4.1 §9.4: DTE is bit 2 and needs ECAP.DT; bits 63:0 of word 2 are reserved.
  it('name what the capability registers do not offer', () => {
    assert.deepEqual(problems(SMTS | NEST, [0x5n, 0n, 0n, 0n]), [
      { code: 'entry/not-supported', word: 0, high: 2, low: 2 },
    ]);
    assert.deepEqual(problems(SMTS | NEST | DT, [0x5n, 0n, 0n, 0n]), []);
    assert.deepEqual(problems(undefined, [0x5n, 0n, 0n, 0n]), []);
  });

  it('name reserved bits of any word, of a present entry only', () => {
    const [problem] = problems(undefined, [1n, 0n, 1n << 7n, 0n]);
    assert.deepEqual([problem?.code, problem?.word], ['entry/reserved-bits', 2]);
    assert.deepEqual(problems(undefined, [0n, 0n, 1n << 7n, 0n]), []);
  });
});
