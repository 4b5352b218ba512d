/** Address spaces that take fewer addresses than their tables have entries for. */
import assert from 'node:assert/strict';
import { compileFormat } from '../../../src/engine/formats/compile';
import { sv39x4 } from '../../../src/engine/formats/riscv';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { signExtended, zeroExtended, type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { listRuns } from '../../../src/engine/pageTable/list';
import { countSpace } from '../../../src/engine/pageTable/statistics';
import { rootPlace, tableItems } from '../../../src/engine/pageTable/tableItems';
import { domainId, frameNumber } from '../../../src/engine/values';
import { FrameMemory } from '../../builders/tables';

const GIB_PAGES = 2 ** 18;

function finish<T>(work: Generator<number, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

function listedPages(space: AddressSpace): number {
  const { runs } = finish(listRuns(space, { startPage: 0, endPage: 2 ** 52, limit: 100 }));
  let pages = 0;
  for (let row = 0; row < runs.length; row++)
    pages += (runs.count[row] ?? 0) * 2 ** (runs.pageShiftOf(row) - 12);
  return pages;
}

const common = {
  stage: 2,
  domainId: domainId(1),
  root: frameNumber(1),
  rootEntry: 0,
  stage2: undefined,
} as const;

/** Four levels of VT-d second stage: entries 0, 1 and 511 of the root lead to a table with one leaf of 1 GiB. */
function fourLevels(): FrameMemory {
  const memory = new FrameMemory();
  for (const frame of [1, 2]) memory.frame(frame);
  for (const index of [0, 1, 511]) memory.set(1, index, 0x2003n);
  memory.set(2, 0, (1n << 30n) | 0x83n);
  return memory;
}

describe('an address space that is narrower than its tables', () => {
  it('counts what its addresses reach: VT-d with a guest address width of 39 bits', () => {
    const format = compileFormat(vtdSecondStage, 4, {});
    const space = { ...common, format, ...zeroExtended(39), memory: fourLevels() };
    assert.equal(listedPages(space), GIB_PAGES);
    const counted = finish(countSpace(space));
    assert.equal(counted.mappedPages, GIB_PAGES);
    assert.deepEqual(
      [...counted.tables],
      [
        [4, 1],
        [3, 1],
      ],
    );
    assert.deepEqual(
      tableItems(space, rootPlace(space))?.map((item) => item.kind === 'table' && item.index),
      [0],
    );
  });

  it('counts a table once more for each whole way there, and a part of it for a part', () => {
    const memory = fourLevels();
    memory.set(2, 300, (2n << 30n) | 0x83n);
    const format = compileFormat(vtdSecondStage, 4, {});
    // 512 GiB and 256 GiB more: of the table behind entry 1, entry 300 is beyond.
    const space = { ...common, format, lowEnd: 768 * GIB_PAGES, highStart: 2 ** 52, memory };
    assert.equal(listedPages(space), 3 * GIB_PAGES);
    const counted = finish(countSpace(space));
    assert.equal(counted.mappedPages, 3 * GIB_PAGES);
    assert.deepEqual(
      [...counted.tables],
      [
        [4, 1],
        [3, 1],
      ],
    );
  });

  it('counts what its addresses reach: RISC-V Sv39x4 of a guest with 34 address bits', () => {
    const memory = new FrameMemory();
    const leaf = (gib: number): bigint => (BigInt(gib * GIB_PAGES) << 10n) | 0xdfn;
    for (let frame = 1; frame <= 4; frame++) memory.frame(frame);
    for (const index of [0, 15, 16, 511]) memory.set(1, index, leaf(index));
    const format = compileFormat(sv39x4, 3, {});
    const space = { ...common, format, ...zeroExtended(34), memory };
    assert.equal(listedPages(space), 2 * GIB_PAGES);
    assert.equal(finish(countSpace(space)).mappedPages, 2 * GIB_PAGES);
    assert.deepEqual(tableItems(space, rootPlace(space)), [
      { kind: 'leaves', first: 0, end: 1 },
      { kind: 'leaves', first: 15, end: 16 },
    ]);
  });

  it('counts both ends of a sign-extended one that takes less than its tables', () => {
    const format = compileFormat(vtdSecondStage, 4, {});
    const { lowEnd } = signExtended(48);
    const space = {
      ...common,
      format,
      lowEnd: lowEnd / 256,
      highStart: 2 ** 52 - lowEnd / 256,
      memory: fourLevels(),
    };
    assert.equal(listedPages(space), 2 * GIB_PAGES);
    assert.equal(finish(countSpace(space)).mappedPages, 2 * GIB_PAGES);
    assert.deepEqual(
      tableItems(space, rootPlace(space))?.map((item) => item.kind === 'table' && item.index),
      [0, 511],
    );
  });
});
