/** Images that were built from the VT-d specification and the SDM alone. */
import assert from 'node:assert/strict';
import { compileFormat } from '../../src/engine/formats/compile';
import { ept } from '../../src/engine/formats/ept';
import { zeroExtended, type AddressSpace } from '../../src/engine/pageTable/addressSpace';
import { READ_WRITE } from '../../src/engine/pageTable/entryClass';
import { domainId, frameNumber } from '../../src/engine/values';
import { builtEpt } from '../builders/independent/ept';
import { builtVtd } from '../builders/independent/vtd';
import { memoryOf, requireAnswers, requireDevices, translated } from './builtImages';

describe('VT-d images from an independent builder', function () {
  this.timeout(60_000);
  for (const image of builtVtd()) {
    it(`${image.name}: all ${image.expectations.length} requests`, () => {
      requireAnswers(image);
    });

    it(`${image.name}: lists its devices and tells every entry`, () => {
      requireDevices(image);
    });
  }
});

describe('EPT tables from an independent builder', () => {
  for (const levels of [4, 5] as const) {
    const built = builtEpt(levels);
    it(`${built.name}: all ${built.expectations.length} accesses`, () => {
      const format = compileFormat(ept, levels, {});
      const space: AddressSpace = {
        stage: 2,
        domainId: domainId(0),
        root: frameNumber(built.root),
        rootEntry: 0,
        format,
        ...zeroExtended(format.addressBits),
        memory: memoryOf(built.frames),
        stage2: undefined,
      };
      for (const { gpa, access, why, answer } of built.expectations) {
        const found = translated(space, gpa, access, READ_WRITE);
        const what = `${access} of 0x${gpa.toString(16)}: ${why}`;
        if (answer.ok) {
          const { paddr, size, perm, level } = answer;
          assert.deepEqual(found, { ok: true, paddr, size, perm, level }, what);
        } else assert.deepEqual(found, { ...found, ...answer }, what);
      }
    });
  }
});
