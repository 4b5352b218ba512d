import assert from 'node:assert/strict';
import { type PhysicalMemory } from '../../../src/engine/memory/physicalMemory';
import { compileFormat } from '../../../src/engine/formats/compile';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { zeroExtended, type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { BatchTables, translateBatch } from '../../../src/engine/pageTable/translate';
import { makeBatch } from '../../../src/engine/pageTable/translationBatch';
import { domainId, frameNumber } from '../../../src/engine/values';
import { at, FrameMemory } from '../../builders/tables';

/** Three levels: frame 1 points to frame 2 read-only at index 1, else to frame 3; both point to leaf tables. */
function tables(): FrameMemory {
  const memory = new FrameMemory();
  for (let frame = 1; frame <= 5; frame++) memory.frame(frame);
  memory.set(1, 0, at(3) | 3n);
  memory.set(1, 1, at(2) | 1n);
  memory.set(2, 0, at(4) | 3n);
  memory.set(3, 0, at(5) | 3n);
  memory.set(4, 7, at(0x777) | 3n);
  memory.set(5, 7, at(0x888) | 3n);
  return memory;
}

const format = compileFormat(vtdSecondStage, 3, {});

function spaceOf(memory: PhysicalMemory): AddressSpace {
  return {
    stage: 2,
    domainId: domainId(1),
    root: frameNumber(1),
    rootEntry: 0,
    format,
    ...zeroExtended(format.addressBits),
    memory,
    stage2: undefined,
  };
}

/** One answer as text, after `rows` requests for the same address. */
function ask(
  space: AddressSpace,
  addressHi: number,
  addressLo: number,
  write: boolean,
  kept: BatchTables,
): string {
  const batch = makeBatch(3);
  batch.addressHi.fill(addressHi);
  batch.addressLo.fill(addressLo);
  batch.write.fill(write ? 1 : 0);
  translateBatch(space, batch, 0, 3, kept);
  return `${batch.status[2]} ${batch.depth[2]} ${batch.paddrLo[2]?.toString(16)}`;
}

describe('kept leaf tables', () => {
  it('read only the leaf-most entry the second time', () => {
    const memory = tables();
    const read: number[] = [];
    const counted: PhysicalMemory = {
      generation: 0,
      readFrame: (frame) => {
        read.push(frame);
        return memory.readFrame(frame);
      },
      explainMissing: (frame) => memory.explainMissing(frame),
    };
    const space = spaceOf(counted);
    const kept = new BatchTables(space, 3);
    assert.equal(ask(space, 0, 0x7123, true, kept), '0 1 888123');
    read.length = 0;
    assert.equal(ask(space, 0, 0x7456, true, kept), '0 1 888456');
    assert.deepEqual(read, []);
  });

  it('keep the permission of the way: a denied write is denied where it is', () => {
    const space = spaceOf(tables());
    const kept = new BatchTables(space, 3);
    const address = 0x4000_7000;
    assert.equal(ask(space, 0, address, false, kept), '0 1 777000');
    const denied = ask(space, 0, address, true, kept);
    assert.equal(denied, ask(space, 0, address, true, new BatchTables(space, 3)));
    assert.match(denied, / 3 0$/);
  });

  it('are not found for an address beyond the width whose lower bits agree', () => {
    const space = spaceOf(tables());
    const kept = new BatchTables(space, 3);
    ask(space, 0, 0x7000, false, kept);
    assert.match(ask(space, 0x80, 0x7000, false, kept), /^\d+ 0 /);
  });

  it('are forgotten when the memory has a new generation', () => {
    const memory = tables();
    const changing = {
      generation: 0,
      readFrame: (frame: number) => memory.readFrame(frameNumber(frame))?.slice(),
      explainMissing: () => '',
    };
    const space = spaceOf(changing);
    const kept = new BatchTables(space, 3);
    assert.equal(ask(space, 0, 0x7000, false, kept), '0 1 888000');
    memory.set(5, 7, at(0x999) | 3n);
    assert.equal(ask(space, 0, 0x7000, false, kept), '0 1 888000');
    changing.generation++;
    assert.equal(ask(space, 0, 0x7000, false, kept), '0 1 999000');
  });

  it('are right over a memory that keeps overwriting its frames', () => {
    const memory = tables();
    const regions = 400;
    for (let region = 0; region < regions; region++) {
      memory.frame(1000 + region);
      memory.frame(2000 + region);
      memory.set(1, region, at(1000 + region) | 3n);
      memory.set(1000 + region, 0, at(2000 + region) | 3n);
      memory.set(2000 + region, 0, at(0x10000 + region) | 3n);
    }
    const ring = Array.from({ length: 65 }, () => ({ frame: -1, words: new Uint32Array(1024) }));
    let next = 0;
    const overwriting = {
      generation: 0,
      readFrame(frame: number) {
        const held = ring.find((place) => place.frame === frame);
        if (held) return held.words;
        const words = memory.readFrame(frameNumber(frame));
        const place = ring[next++ % ring.length];
        if (!words || !place) return undefined;
        if (place.frame >= 0) overwriting.generation++;
        place.frame = frame;
        place.words.set(words);
        return place.words;
      },
      explainMissing: () => '',
    };
    // One region until its table is kept and found, then 62 others whose tables overwrite it, then the one again.
    const batch = makeBatch(192 * 5);
    const asked = Array.from({ length: batch.count }, (_, row) =>
      row % 192 < 128 || row % 192 > 189 ? 0 : 1 + (row % 391),
    );
    asked.forEach((region, row) => {
      batch.addressLo[row] = region << 30;
      batch.addressHi[row] = region >> 2;
    });
    translateBatch(spaceOf(overwriting), batch);
    asked.forEach((region, row) => {
      assert.equal(batch.status[row], 0);
      assert.equal(batch.paddrLo[row], (0x10000 + region) * 4096, `row ${row}`);
    });
  });
});
