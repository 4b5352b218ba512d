/** What operations on tables do when others work at the same time, when memory ends, and when they are careless. */
import assert from 'node:assert/strict';
import { type FlushRange } from '../../../../../src/engine/driver/flusher';
import { NOTHING_CACHED } from '../../../../../src/engine/driver/pageTable/domainTables';
import { Gather, type TableFault } from '../../../../../src/engine/driver/pageTable/gather';
import { Arena } from '../../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../../src/engine/memory/frameAllocator';
import { READ, READ_WRITE, WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { isDirty } from '../../../../../src/engine/pageTable/marks';
import { runSteps } from '../../../../../src/engine/steps';
import { errnoOf, KINDS, makeTables, TABLES_END, TABLES_START, valueOf, walked } from './domains';
import { CLEAN, leavesOf } from './leaves';

const [AMD] = KINDS;
const VTD = KINDS.find(({ title }) => title === 'VT-d second stage, 4 levels');
const ARM = KINDS.find(({ title }) => title === 'Arm stage 1 4K, 48 bits');
const RISCV = KINDS.find(({ title }) => title === 'RISC-V Sv39');
assert.ok(AMD && VTD && ARM && RISCV);

/** Notes flushes, and how many frames were allocated when they were asked for. */
function watched(faults: TableFault[] = []) {
  assert.ok(VTD);
  const flushed: FlushRange[] = [];
  const allocated: number[] = [];
  const made = makeTables(VTD, {
    faults,
    flusher: {
      ...NOTHING_CACHED,
      *flush(range) {
        flushed.push(range);
        allocated.push(made.frames.allocated);
        return yield* NOTHING_CACHED.flush(range);
      },
    },
  });
  return { ...made, flushed, allocated };
}

describe('Tables that several work on', () => {
  it('two that map side by side install each table once, whoever comes first', () => {
    const { tables, frames } = makeTables(VTD);
    const first = tables.map(0, 100, 1, READ_WRITE);
    const second = tables.map(1, 200, 1, READ_WRITE);
    const both = [first, second];
    for (let running = [...both]; running.length > 0;)
      running = running.filter((each) => each.next().done !== true);
    assert.equal(walked(tables, 0), 100);
    assert.equal(walked(tables, 1), 200);
    assert.equal(frames.allocated, 4, 'who lost a race gave its table back');
  });

  it('two that need a larger root grow it once', () => {
    const { tables, frames } = makeTables(AMD);
    const before = frames.allocated;
    const both = [tables.map(2 ** 27, 1, 1, READ), tables.map(2 ** 27 + 1, 2, 1, READ)];
    for (let running = both; running.length > 0;)
      running = running.filter((each) => each.next().done !== true);
    assert.equal(tables.format.rootDepth, 4);
    assert.equal(walked(tables, 2 ** 27 + 1), 2);
    assert.equal(frames.allocated, before + 4);
  });

  it('no memory leaves nothing mapped', () => {
    const arena = new Arena();
    const frames = new RangeAllocator(arena, TABLES_START, TABLES_START + 5);
    const { tables } = makeTables(VTD, { memory: arena, frames, pageShifts: [12] });
    assert.equal(errnoOf(runSteps(tables.map(511, 0, 514, READ))), 'ENOMEM');
    for (const page of [511, 512, 1023, 1024]) assert.equal(walked(tables, page), undefined);
    assert.equal(errnoOf(runSteps(tables.map(2 ** 35, 0, 1, READ))), 'ENOMEM');
  });

  it('a split without memory leaves the leaf', () => {
    const arena = new Arena();
    const frames = new RangeAllocator(arena, TABLES_START, TABLES_START + 6);
    const { tables } = makeTables(VTD, { memory: arena, frames });
    valueOf(runSteps(tables.map(0, 0, 2 ** 18, READ)));
    const before = frames.allocated;
    assert.equal(errnoOf(runSteps(tables.split(0, 12))), 'ENOMEM');
    assert.equal(frames.allocated, before);
    assert.deepEqual(
      leavesOf(tables, 0, 2 ** 18).map(({ shift }) => shift),
      [30],
    );
  });

  it('refuse ranges and permissions that the format does not have', () => {
    const { tables } = makeTables(RISCV);
    assert.equal(errnoOf(runSteps(tables.map(0, 0, 1, WRITE))), 'EINVAL');
    assert.equal(errnoOf(runSteps(tables.map(0, 0, 1, 0))), 'EINVAL');
    assert.equal(errnoOf(runSteps(tables.map(0, 0, 0, READ))), 'EINVAL');
    assert.equal(errnoOf(runSteps(tables.map(2 ** 26, 0, 1, READ))), 'ERANGE');
    assert.equal(errnoOf(runSteps(tables.map(0, 2 ** 44, 1, READ))), 'ERANGE');
    assert.equal(
      errnoOf(runSteps(makeTables(ARM, { pageShifts: [16] }).tables.map(1, 16, 16, READ))),
      'EINVAL',
    );
  });
});

describe('A gather', () => {
  it('holds all of a leaf that an unmap takes, and one range for all', () => {
    const { tables, flushed } = watched();
    valueOf(runSteps(tables.map(512, 512, 1024, READ)));
    const gather = new Gather();
    assert.equal(valueOf(runSteps(tables.unmap(512, 1, gather))), 512);
    assert.equal(valueOf(runSteps(tables.unmap(1024, 512, gather))), 512);
    assert.equal(flushed.length, 0);
    valueOf(runSteps(tables.sync(gather)));
    assert.deepEqual(flushed, [
      { startPage: 512, endPage: 1536, smallestShift: 21, largestShift: 21, tables: false },
    ]);
    valueOf(runSteps(tables.sync(gather)));
    assert.equal(flushed.length, 1, 'is empty then');
  });

  it('with the asked range only leaves the tail of the leaf out', () => {
    const { tables, flushed } = watched(['gather-asked-only']);
    valueOf(runSteps(tables.map(512, 512, 512, READ)));
    valueOf(runSteps(tables.unmap(512, 1)));
    assert.deepEqual(
      flushed.map(({ startPage, endPage }) => [startPage, endPage]),
      [[512, 513]],
    );
  });

  it('that drops what is apart never flushes for it', () => {
    const { tables, flushed } = watched(['gather-drops-disjoint']);
    valueOf(runSteps(tables.map(0, 0, 1, READ)));
    valueOf(runSteps(tables.map(9, 9, 1, READ)));
    const gather = new Gather();
    valueOf(runSteps(tables.unmap(0, 1, gather)));
    valueOf(runSteps(tables.unmap(9, 1, gather)));
    valueOf(runSteps(tables.sync(gather)));
    assert.ok(!flushed.some(({ startPage, endPage }) => startPage <= 9 && endPage > 9));
  });

  it('frees tables after the flush, and before it by mistake only', () => {
    for (const faults of [[], ['free-before-flush']] as const) {
      const { tables, frames, flushed, allocated } = watched([...faults]);
      const pages = 512;
      for (let page = 0; page < pages; page += 2) valueOf(runSteps(tables.map(page, page + 1, 2, READ)));
      const before = frames.allocated;
      valueOf(runSteps(tables.unmap(0, pages)));
      assert.equal(frames.allocated, before - 1);
      assert.deepEqual(allocated, [faults.length === 0 ? before : before - 1]);
      assert.ok(flushed[0]?.tables);
    }
  });

  it('a larger page over an empty table frees it after a flush', () => {
    const { tables, frames, flushed, allocated } = watched();
    valueOf(runSteps(tables.map(3, 3, 1, READ)));
    valueOf(runSteps(tables.unmap(3, 1)));
    const before = frames.allocated;
    flushed.length = 0;
    allocated.length = 0;
    valueOf(runSteps(tables.map(0, 512, 512, READ)));
    assert.deepEqual(flushed, [
      { startPage: 0, endPage: 512, smallestShift: 12, largestShift: 12, tables: true },
    ]);
    assert.deepEqual(allocated, [before]);
    assert.equal(frames.allocated, before - 1);
    assert.equal(walked(tables, 511), 1023);
  });
});

describe('Marks of new leaves', () => {
  it('Arm: a writable leaf is tracked where hardware keeps dirty state, and begins clean or dirty as asked', () => {
    for (const [dirty, tracksDirty, isMarked] of [
      [true, true, true],
      [false, true, false],
      [true, false, false],
    ] as const) {
      const { tables } = makeTables(ARM, { marks: { accessed: true, dirty }, tracksDirty });
      valueOf(runSteps(tables.map(0, 0, 1, READ_WRITE)));
      const [leaf] = leavesOf(tables, 0, 1);
      assert.ok(leaf);
      assert.equal(isDirty(tables.format, leaf.lo, leaf.hi), isMarked);
      assert.equal(((leaf.hi >>> 19) & 1) === 1, tracksDirty, 'DBM');
      assert.equal(walked(tables, 0, true), 0, 'may be written all the same');
    }
  });

  it('Arm: what is mapped after tracking began is tracked, and not by mistake only', () => {
    for (const faults of [[], ['new-leaves-untracked']] as const) {
      const { tables } = makeTables(ARM, { marks: CLEAN, tracksDirty: false, faults });
      tables.tracksDirty = true;
      valueOf(runSteps(tables.map(0, 0, 1, READ_WRITE)));
      const [leaf] = leavesOf(tables, 0, 1);
      assert.equal((((leaf?.hi ?? 0) >>> 19) & 1) === 1, faults.length === 0);
    }
  });
});

describe('Large domains', () => {
  it('64 GiB of 4K pages are built, found and taken down by tables', () => {
    const { tables, frames } = makeTables(VTD, { pageShifts: [12], marks: CLEAN, granularity: 'table' });
    const pages = 2 ** 24;
    valueOf(runSteps(tables.map(0, 0, pages, READ_WRITE)));
    for (const page of [0, 511, 512, pages - 1]) assert.equal(walked(tables, page), page);
    assert.equal(frames.allocated, 1 + 1 + 64 + pages / 512);
    assert.ok(frames.allocated < TABLES_END - TABLES_START);
    assert.equal(valueOf(runSteps(tables.unmap(0, pages))), pages);
    assert.equal(walked(tables, 511), undefined);
    runSteps(tables.dispose());
    assert.equal(frames.allocated, 0);
  });
});
