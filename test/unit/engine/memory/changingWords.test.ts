/** What is kept of a memory whose words change: never longer than the words are what they were. */
import assert from 'node:assert/strict';
import { compileFormat } from '../../../../src/engine/formats/compile';
import { vtdSecondStage } from '../../../../src/engine/formats/vtdSecondStage';
import { vtdFirstStage } from '../../../../src/engine/formats/x8664';
import { Arena } from '../../../../src/engine/memory/arena';
import { joinHalves, readWord } from '../../../../src/engine/memory/words';
import { signExtended, zeroExtended, type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { listRuns } from '../../../../src/engine/pageTable/list';
import { MOST_KEPT_FRAMES, NestedMemory } from '../../../../src/engine/pageTable/nestedMemory';
import { BatchTables, translateBatch } from '../../../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { domainId, frameNumber } from '../../../../src/engine/values';
import { at } from '../../../builders/tables';

const f = frameNumber;
const ARM_LIKE = { accessedLo: 0x20, accessedHi: 0, dirtyLo: 0x40, dirtyHi: 0 };

function write(arena: Arena, frame: number, index: number, word: bigint): void {
  arena.addFrame(f(frame));
  assert.ok(arena.writeEntry(f(frame), index, Number(word & 0xffffffffn), Number(word >> 32n)));
}

const second = compileFormat(vtdSecondStage, 3, {});

/** Tables from frame 1 on, three levels, VT-d second stage. */
function spaceOf(memory: Arena): AddressSpace {
  return {
    stage: 2,
    domainId: domainId(1),
    root: f(1),
    rootEntry: 0,
    format: second,
    ...zeroExtended(39),
    memory,
    stage2: undefined,
  };
}

/** What the first pages are translated to: as a batch does it with what it kept, which must be what a walk says. */
function outputs(space: AddressSpace, pages: readonly number[], kept: BatchTables): string[] {
  const batch = makeBatch(pages.length);
  pages.forEach((page, row) => {
    batch.addressLo[row] = page * 4096;
    batch.write[row] = 1;
  });
  translateBatch(space, batch, 0, pages.length, kept);
  return pages.map((page, row) => {
    const status = batch.status[row] ?? 0;
    const output = joinHalves(batch.paddrLo[row] ?? 0, batch.paddrHi[row] ?? 0).toString(16);
    const said = status === 0 ? output : faultOf(status);
    const { outcome } = walkTables(space, page * 4096, 0, true);
    const walked = outcome.ok ? joinHalves(outcome.paddrLo, outcome.paddrHi).toString(16) : outcome.fault;
    assert.equal(said, walked, `page ${page}`);
    return said;
  });
}

describe('tables whose words change', () => {
  it('are translated as they are now, although leaf tables were kept', () => {
    const arena = new Arena();
    write(arena, 1, 0, at(2) | 3n);
    write(arena, 2, 0, at(3) | 3n);
    write(arena, 3, 7, at(0x700) | 3n);
    write(arena, 4, 7, at(0x800) | 3n);
    const space = spaceOf(arena);
    const kept = new BatchTables(space, 64);
    assert.deepEqual(outputs(space, [7, 7], kept), ['700000', '700000']);
    write(arena, 3, 7, at(0x701) | 3n);
    assert.deepEqual(outputs(space, [7, 7], kept), ['701000', '701000']);
    write(arena, 2, 0, at(4) | 3n);
    assert.deepEqual(outputs(space, [7, 7], kept), ['800000', '800000']);
    write(arena, 1, 0, at(2) | 1n);
    assert.deepEqual(outputs(space, [7, 7], kept), ['write-denied', 'write-denied']);
    write(arena, 1, 0, at(2) | 3n);
    arena.removeFrame(f(2));
    assert.deepEqual(outputs(space, [7, 7], kept), ['table-unreadable', 'table-unreadable']);
  });

  it('are translated alike when they are of like entries, more of them than are copied', () => {
    const arena = new Arena();
    const tables = 300;
    write(arena, 1, 0, at(2) | 3n);
    for (let table = 0; table < tables; table++) {
      write(arena, 2, table, at(0x100 + table) | 3n);
      arena.addFrame(f(0x100 + table));
      const base = at(0x10000 + 512 * table) | 3n;
      const like = {
        baseLo: Number(base & 0xffffffffn),
        baseHi: Number(base >> 32n),
        stepLo: 4096,
        stepHi: 0,
      };
      arena.writeUniform(f(0x100 + table), { ...like, ...ARM_LIKE });
    }
    const space = spaceOf(arena);
    const kept = new BatchTables(space, 4096);
    const pages = Array.from({ length: 3 * tables }, (_, i) => ((i * 7) % tables) * 512 + (i % 512));
    const expected = pages.map((page) => (0x10000 + page).toString(16) + '000');
    assert.deepEqual(outputs(space, pages, kept), expected);
    assert.deepEqual(outputs(space, pages, kept), expected);
    assert.equal(arena.counts.uniform, tables);
  });

  it('are listed as each entry was when the list read it', () => {
    const arena = new Arena();
    write(arena, 1, 0, at(2) | 3n);
    for (let table = 0; table < 40; table++) {
      write(arena, 2, table, at(0x100 + table) | 3n);
      for (let index = 0; index < 512; index++)
        write(arena, 0x100 + table, index, at(0x5000 + 512 * table + index) | 3n);
    }
    const space = spaceOf(arena);
    const list = listRuns(space, { startPage: 0, endPage: 2 ** 27, limit: 100 });
    assert.equal(list.next().done, false);
    // Behind where the list stands: a page that is not there any more, and a table that became one of like entries.
    write(arena, 0x100 + 39, 511, 0n);
    const like = { baseLo: 0x9000003, baseHi: 0, stepLo: 4096, stepHi: 0 };
    arena.writeUniform(f(0x100 + 38), { ...like, ...ARM_LIKE });
    let last = list.next();
    while (last.done !== true) last = list.next();
    const { runs } = last.value;
    const found = Array.from({ length: runs.length }, (_, row) => [
      runs.page[row],
      runs.frame[row],
      runs.count[row],
    ]);
    assert.deepEqual(found, [
      [0, 0x5000, 38 * 512],
      [38 * 512, 0x9000, 512],
      [39 * 512, 0x5000 + 39 * 512, 511],
    ]);
  });
});

describe('guest memory whose stage 2 changes', () => {
  const build = () => {
    const arena = new Arena();
    write(arena, 1, 0, at(2) | 3n);
    write(arena, 2, 0, at(3) | 3n);
    for (let guest = 0; guest < 512; guest++) write(arena, 3, guest, at(0x1000 + guest) | 3n);
    write(arena, 0x1010, 0, 0x1111n);
    write(arena, 0x2010, 0, 0x2222n);
    const stage2 = spaceOf(arena);
    return { arena, stage2, memory: new NestedMemory(arena, stage2) };
  };

  it('is read where stage 2 puts it now', () => {
    const { arena, memory } = build();
    const word = (): bigint | undefined => {
      const frame = memory.readFrame(f(0x10));
      return frame && readWord(frame, 0);
    };
    assert.equal(word(), 0x1111n);
    write(arena, 3, 0x10, at(0x2010) | 3n);
    assert.equal(word(), 0x2222n);
    write(arena, 2, 0, 0n);
    assert.equal(word(), undefined);
    write(arena, 2, 0, at(3) | 3n);
    assert.equal(word(), 0x2222n);
    write(arena, 3, 0x10, at(0x999) | 3n);
    assert.equal(word(), undefined, 'there is no memory');
    arena.addFrame(f(0x999));
    assert.equal(word(), 0n);
  });

  it('keeps no more than its share when it forgets often', () => {
    const { arena, memory } = build();
    // More frames together than may be kept at a time: those forgotten do not count any more.
    for (let round = 0; round <= MOST_KEPT_FRAMES / 500; round++) {
      for (let guest = 0; guest < 500; guest++) memory.physicalFrame(f(guest));
      assert.equal(memory.kept, 500);
      write(arena, 0x1010, 1, BigInt(round));
    }
  });

  it('forgets which tables of stage 1 hardware may mark', () => {
    const { arena, stage2, memory } = build();
    const space: AddressSpace = {
      ...stage2,
      stage: 1,
      root: f(0x20),
      format: compileFormat(vtdFirstStage, 4, { setsAccessed: true, setsDirty: true }),
      ...signExtended(48),
      memory,
      stage2,
    };
    for (const [guest, next] of [
      [0x20, 0x21],
      [0x21, 0x22],
      [0x22, 0x23],
      [0x23, 0x30],
    ] as const)
      // Present, writable, user; A is set but in the leaf.
      write(arena, 0x1000 + guest, 0, at(next) | (guest === 0x23 ? 7n : 0x27n));
    write(arena, 0x1023, 1, at(0x31) | 7n);
    const kept = new BatchTables(space, 64);
    assert.deepEqual(outputs(space, [0, 1], kept), ['1030000', '1031000']);
    write(arena, 3, 0x23, at(0x1023) | 1n);
    assert.deepEqual(outputs(space, [1, 0], kept), ['write-denied', 'write-denied']);
  });
});
