import assert from 'node:assert/strict';
import { openListed } from '../../../../src/engine/directory/listed';
import { vtd } from '../../../../src/engine/directory/vtd';
import { amd } from '../../../../src/engine/directory/amd';
import { FrameMemory } from '../../../builders/tables';

const opened = <T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false }): T => {
  assert.ok(result.ok);
  return result.value;
};

describe('directories of text dumps', () => {
  it('reserve in entries what the registers of the unit do', () => {
    // Scalable mode; ECAP with and without PASIDs and device TLBs.
    for (const ecap of [1n << 43n, (1n << 43n) | (1n << 40n) | (1n << 2n)]) {
      const registers = new Map([
        ['RTADDR', 1n << 10n],
        ['ECAP', ecap],
      ]);
      const dumped = opened(openListed(new FrameMemory(), { kind: 'vt-d', registers }));
      const whole = opened(vtd.open(new FrameMemory(), registers));
      for (const role of ['root', 'context', 'process-directory', 'process'] as const) {
        assert.deepEqual(dumped.reserved?.(role), whole.reserved?.(role), role);
      }
    }
  });

  it('let no device pass for want of an entry, which is only not listed', () => {
    const memory = new FrameMemory();
    const dumped = opened(openListed(memory, { kind: 'amd-vi', base: 0n, requesters: [] }));
    const whole = opened(amd.open(memory, new Map([['DevTabBase', 0n]])));
    assert.deepEqual([whole.passesWithoutEntry, dumped.passesWithoutEntry], [true, undefined]);
  });
});
