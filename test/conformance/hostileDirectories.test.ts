/** Memory that was overwritten: whatever stands there, every directory answers, in bounded work, and the walk as the batch. */
import assert from 'node:assert/strict';
import { openDirectory } from '../../src/engine/directory/index';
import { listRuns } from '../../src/engine/pageTable/list';
import { countSpace } from '../../src/engine/pageTable/statistics';
import { translateBatch } from '../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../src/engine/pageTable/walk';
import { type AddressSpace, ALL_PAGES } from '../../src/engine/pageTable/addressSpace';
import { builtAmd } from '../builders/independent/amd';
import { riscvImages, smmuv3Images } from '../builders/independent/armRiscvImages';
import { builtVtd } from '../builders/independent/vtd';
import { type BuiltImage } from '../builders/built';
import { type FrameMemory } from '../builders/tables';
import { memoryOf } from './builtImages';

const ROUNDS = 2;
const WORDS_PER_ROUND = 40;
const MOST_DEVICES = 300;
const ENTRY_BUDGET = 50_000;

type Random = (bound: number) => number;

function generator(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Overwrites words that are in use: with bits flipped, with another word of the image, or with rubbish. */
function overwrite(image: BuiltImage, memory: FrameMemory, random: Random): void {
  const used = [...image.frames].flatMap(([frame, words]) =>
    [...words].flatMap((word, index) => (word === 0n ? [] : [{ frame, index, word }])),
  );
  for (let count = 0; count < WORDS_PER_ROUND; count++) {
    const at = used[random(used.length)];
    const other = used[random(used.length)];
    if (!at || !other) continue;
    const rubbish = (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32));
    const words = [at.word ^ (1n << BigInt(random(64))), other.word, rubbish];
    memory.set(at.frame, at.index, words[random(3)] ?? 0n);
  }
}

function drain<T>(work: Generator<unknown, T>, steps: number): T | undefined {
  for (let step = 0; step < steps; step++) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
  return undefined;
}

/** Lists, counts and translates a space; its answers must agree. */
function inspect(space: AddressSpace, random: Random): void {
  const list = drain(
    listRuns(space, { startPage: 0, endPage: ALL_PAGES, limit: 500, entryBudget: ENTRY_BUDGET }),
    10_000,
  );
  assert.ok(list, 'the list ends');
  assert.ok(drain(countSpace(space, ENTRY_BUDGET), 100_000), 'the count ends');
  const { runs } = list;
  const batch = makeBatch(64);
  for (let row = 0; row < batch.count; row++) {
    const page = (runs.page[random(Math.max(1, runs.length))] ?? 0) + random(3);
    batch.addressLo[row] = (page % 2 ** 20) * 4096 + random(4096);
    batch.addressHi[row] = Math.floor(page / 2 ** 20);
    batch.write[row] = random(2);
  }
  translateBatch(space, batch);
  for (let row = 0; row < batch.count; row++) {
    const { outcome } = walkTables(
      space,
      batch.addressLo[row] ?? 0,
      batch.addressHi[row] ?? 0,
      batch.write[row] === 1,
    );
    const status = batch.status[row] ?? 0;
    const said = status === 0 ? 'translated' : faultOf(status);
    assert.equal(said, outcome.ok ? 'translated' : outcome.fault);
    if (!outcome.ok) continue;
    assert.equal(batch.paddrLo[row], outcome.paddrLo);
    assert.equal(batch.paddrHi[row], outcome.paddrHi);
    assert.equal(batch.permission[row], outcome.permission);
    assert.equal(batch.pageShift[row], outcome.pageShift);
  }
}

describe('directories over memory that was overwritten', function () {
  this.timeout(120_000);
  const kinds = {
    'VT-d': builtVtd,
    'AMD-Vi': builtAmd,
    SMMUv3: smmuv3Images,
    'RISC-V': riscvImages,
  };
  for (const [vendor, images] of Object.entries(kinds)) {
    it(`${vendor}: every lookup ends with an answer, lists and counts end, the walk agrees with the batch`, () => {
      for (const [number, image] of images().entries()) {
        for (let round = 0; round < ROUNDS; round++) {
          const random = generator(1000 * number + round);
          const memory = memoryOf(image.frames);
          overwrite(image, memory, random);
          const opened = openDirectory(image.kind, memory, new Map(Object.entries(image.registers)));
          if (!opened.ok) continue;
          const directory = opened.value;
          directory.problems();
          let devices = 0;
          const seen = new Set<AddressSpace>();
          for (const device of directory.devices()) {
            if (++devices > MOST_DEVICES) break;
            if (!device) continue;
            const { answer } = device.lookup;
            if (answer.kind !== 'table' || seen.has(answer.space) || seen.size >= 8) continue;
            seen.add(answer.space);
            inspect(answer.space, random);
          }
        }
      }
    });
  }

  it('rubbish in every register opens or is refused with a reason', () => {
    const random = generator(42);
    for (const image of [builtVtd()[0], builtAmd()[0], smmuv3Images()[0], riscvImages()[0]]) {
      assert.ok(image);
      for (let round = 0; round < 200; round++) {
        const registers = Object.keys(image.registers).map((name): [string, bigint] => [
          name,
          (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32)),
        ]);
        const opened = openDirectory(image.kind, memoryOf(image.frames), new Map(registers));
        if (!opened.ok) {
          assert.notEqual(opened.failure.message, '');
          continue;
        }
        let steps = 0;
        for (const device of opened.value.devices()) {
          if (device) assert.ok(device.lookup.entries.length > 0);
          if (++steps > 2000) break;
        }
      }
    }
  });
});
