import assert from 'node:assert/strict';
import { openDirectory } from '../../../../src/engine/directory/index';
import { RingMemory } from '../../../builders/ringMemory';
import { at, FrameMemory } from '../../../builders/tables';

/** Valid entry with host tables of one level. */
const host = (root: bigint): bigint => 3n | (1n << 9n) | root | (3n << 61n);

describe('AMD-Vi problems', () => {
  it('are found in a memory that writes over the frames it gave', () => {
    const memory = new FrameMemory();
    memory.frame(1);
    memory.frame(2);
    // Each root but the last is in the image, high up, where the encryption bit may be.
    for (let device = 0; device < 128; device++) {
      const frame = 0x1000_0000 + device;
      memory.frame(frame);
      memory.set(1, 4 * device, host(device === 127 ? at(2) | (1n << 51n) : at(frame)));
      memory.set(1, 4 * device + 1, 1n);
    }
    const opened = openDirectory('amd-vi', new RingMemory(memory), new Map([['DevTabBase', at(1)]]));
    assert.ok(opened.ok, 'the directory opens');
    assert.deepEqual(
      opened.value.problems().map(({ message }) => message),
      [
        'The root of the host tables of DeviceID 0x7f is at 0x8000000002000, which is not in the image; without bit 51 it is.',
      ],
    );
  });
});
