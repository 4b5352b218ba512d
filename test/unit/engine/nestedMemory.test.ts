/** Guest physical memory: what it keeps, and what of it is not known. */
import assert from 'node:assert/strict';
import { compileFormat } from '../../../src/engine/formats/compile';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { vtdFirstStage } from '../../../src/engine/formats/x8664';
import { type PhysicalMemory } from '../../../src/engine/memory/physicalMemory';
import { signExtended, zeroExtended, type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { MOST_KEPT_FRAMES, NestedMemory } from '../../../src/engine/pageTable/nestedMemory';
import { translateBatch } from '../../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../../src/engine/pageTable/walk';
import { domainId, frameNumber } from '../../../src/engine/values';
import { FrameMemory } from '../../builders/tables';

/** Frame 0x40 is stage 1's root: its words from 2 on are not in the source. */
class PartlyKnown extends FrameMemory {
  knows(frame: number, index: number): boolean {
    return frame !== 0x40 || index < 2;
  }
}

/** A stage 2 of three levels that maps 1 GiB to itself. */
function identity(memory: FrameMemory): AddressSpace {
  memory.frame(1);
  memory.set(1, 0, 0x83n);
  const format = compileFormat(vtdSecondStage, 3, {});
  return { ...spaceAt(2, 1), format, ...zeroExtended(39), memory, stage2: undefined };
}

const spaceAt = (stage: 1 | 2, root: number) => ({
  stage,
  domainId: domainId(stage),
  root: frameNumber(root),
  rootEntry: 0,
});

function nested(physical: FrameMemory): AddressSpace {
  const stage2 = identity(physical);
  const memory: PhysicalMemory = new NestedMemory(physical, stage2);
  const format = compileFormat(vtdFirstStage, 4, {});
  physical.frame(0x40);
  return { ...spaceAt(1, 0x40), format, ...signExtended(48), memory, stage2 };
}

function faults(space: AddressSpace, indexes: readonly number[]): string[] {
  const batch = makeBatch(indexes.length);
  indexes.forEach((index, row) => (batch.addressHi[row] = index * 0x80));
  translateBatch(space, batch);
  const walked = indexes.map((index) => walkTables(space, 0, index * 0x80, false).outcome);
  const answers = [...batch.status].map((status) => (status === 0 ? 'ok' : faultOf(status)));
  assert.deepEqual(
    answers,
    walked.map((outcome) => (outcome.ok ? 'ok' : outcome.fault)),
  );
  return answers;
}

describe('a stage 1 over guest memory', () => {
  it('tells words that the source does not say from those that are not present', () => {
    assert.deepEqual(faults(nested(new PartlyKnown()), [0, 1, 2]), [
      'not-present',
      'not-present',
      'entry-unknown',
    ]);
    assert.deepEqual(faults(nested(new FrameMemory()), [0, 1, 2]), [
      'not-present',
      'not-present',
      'not-present',
    ]);
  });
});

describe('guest memories of one image', () => {
  it('keep no more frames together than one may, and answer alike when they forget', () => {
    const physical = new FrameMemory();
    const stage2 = identity(physical);
    const memories = [0, 1, 2].map(() => new NestedMemory(physical, stage2));
    const each = MOST_KEPT_FRAMES / 2;
    for (const memory of memories) {
      for (let frame = 0; frame < each; frame++) memory.physicalFrame(frameNumber(frame));
    }
    const kept = memories.reduce((sum, memory) => sum + memory.kept, 0);
    assert.ok(kept > 0 && kept <= MOST_KEPT_FRAMES, `${kept}`);
    for (const memory of memories) {
      assert.equal(memory.physicalFrame(frameNumber(5)), 5);
      assert.equal(memory.physicalFrame(frameNumber(0x40000)), undefined);
    }
  });
});
