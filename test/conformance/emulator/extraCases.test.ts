/** Cases about page tables at the edges of what operations promise. */
import assert from 'node:assert/strict';
import { type DomainTables } from '../../../src/engine/driver/pageTable/domainTables';
import { type DirtyReporting } from '../../../src/engine/driver/pageTable/dirty';
import { NOTHING_CACHED } from '../../../src/engine/driver/pageTable/domainTables';
import { READ_WRITE } from '../../../src/engine/pageTable/entryClass';
import { entryProblems } from '../../../src/engine/pageTable/entryProblems';
import { isAccessed, isDirty } from '../../../src/engine/pageTable/marks';
import { runSteps } from '../../../src/engine/steps';
import {
  KINDS,
  makeTables,
  valueOf,
  walked,
  type DomainKind,
} from '../../unit/engine/driver/pageTable/domains';
import { CLEAN, leavesOf, makeDirty, reported, sum } from '../../unit/engine/driver/pageTable/leaves';

const MIB2 = 512;
const GIB = 2 ** 18;
/** 64 GiB: what one window of 512 pinned bitmap pages says at a bit for 4 KiB. */
const WINDOW = 2 ** 24;

function kindOf(title: string): DomainKind {
  const kind = KINDS.find((each) => each.title === title);
  assert.ok(kind, title);
  return kind;
}

function mapped(kind: string, shift: number, page: number, pages: number, frame = page): DomainTables {
  const { tables } = makeTables(kindOf(kind), { marks: CLEAN, pageShifts: [12, shift] });
  valueOf(runSteps(tables.map(page, frame, pages, READ_WRITE)));
  return tables;
}

describe('A dirty read that begins or ends inside a large leaf', () => {
  const read = (tables: DomainTables, start: number, pages: number, reporting: DirtyReporting) =>
    reported(tables, start, pages, { reporting });

  for (const [title, shift, length] of [
    ['2M', 21, MIB2],
    ['1G', 30, GIB],
  ] as const) {
    const amd = (): DomainTables => mapped('AMD v1', shift, 4 * length, 3 * length);
    const arm = (): DomainTables => mapped('Arm stage 1 4K, 48 bits', shift, 4 * length, 3 * length);
    const start = 4 * length + 100;

    it(`${title}: is exact, and what sticks out stays dirty, so that nothing is lost`, () => {
      const tables = amd();
      makeDirty(tables, 4 * length);
      makeDirty(tables, 6 * length);
      const pages = 2 * length;
      assert.deepEqual(read(tables, start, pages, 'exact'), [
        [start, length - 100],
        [6 * length, 100],
      ]);
      assert.equal(sum(reported(tables, 4 * length, 3 * length)), 2 * length, 'both are reported again');
    });

    it(`${title}: part: the pages outside the range are lost`, () => {
      const tables = amd();
      makeDirty(tables, 4 * length);
      assert.deepEqual(read(tables, start, length - 100, 'part'), [[start, length - 100]]);
      assert.deepEqual(reported(tables, 4 * length, 3 * length), []);
    });

    it(`${title}: generic_pt reports as many pages as the leaf has from the start of the range on`, () => {
      const tables = amd();
      makeDirty(tables, 4 * length);
      makeDirty(tables, 6 * length);
      assert.deepEqual(read(tables, start, 2 * length, 'generic-pt'), [
        [start, length],
        [6 * length, length],
      ]);
      assert.deepEqual(reported(tables, 4 * length, 3 * length), []);
    });

    it(`${title}: Linux's Arm walker takes all later leaves to be shifted, and leaves out the last`, () => {
      const tables = arm();
      makeDirty(tables, 5 * length);
      makeDirty(tables, 6 * length);
      assert.deepEqual(read(tables, start, 2 * length, 'arm-lpae'), [[start + length, length]]);
      assert.deepEqual(reported(tables, 4 * length, 3 * length), [[6 * length, length]]);
    });

    it(`${title}: from the first page of a leaf on all say the same`, () => {
      for (const reporting of ['exact', 'part', 'generic-pt', 'arm-lpae'] as const) {
        const tables = arm();
        makeDirty(tables, 5 * length);
        assert.deepEqual(read(tables, 4 * length, 3 * length, reporting), [[5 * length, length]]);
        assert.deepEqual(reported(tables, 4 * length, 3 * length), []);
      }
    });
  }

  it('Linux’s Arm walker refuses a hole, the others pass over it', () => {
    const tables = mapped('Arm stage 1 4K, 48 bits', 21, 4 * MIB2, MIB2);
    const request = { startPage: 4 * MIB2, pages: 2 * MIB2, clear: true };
    const outcome = runSteps(tables.readAndClearDirty({ ...request, reporting: 'arm-lpae' }));
    assert.ok(!outcome.ok && outcome.errno === 'EINVAL');
    valueOf(runSteps(tables.readAndClearDirty(request)));
  });
});

describe('A bitmap window that ends inside a 1G leaf', () => {
  // The range begins 2M after a multiple of 1G, so that the window ends 2M after one, too.
  const start = GIB + MIB2;
  const tables = (): DomainTables => mapped('VT-d second stage, 4 levels', 30, 0, WINDOW + 4 * GIB);

  /** Reads in windows into a bitmap of which only the window's own bits are kept, unless `ahead`. */
  function windows(all: DomainTables, reporting: DirtyReporting, ahead: boolean): Set<number> {
    const pages = new Set<number>();
    const end = start + WINDOW + 2 * GIB;
    for (let from = start; from < end; from += WINDOW) {
      const to = Math.min(from + WINDOW, end);
      for (const [page, count] of reported(all, from, to - from, { reporting })) {
        const stop = ahead ? page + count : Math.min(page + count, to);
        for (let each = page; each < stop; each += MIB2) pages.add(Math.floor(each / MIB2));
      }
    }
    return pages;
  }

  const boundary = start + WINDOW;
  const leaf = boundary - MIB2;

  it('loses the part behind the boundary when bits beyond the window are dropped and the leaf is clean', () => {
    const all = tables();
    makeDirty(all, leaf);
    const pages = windows(all, 'part', false);
    assert.ok(pages.has(leaf / MIB2));
    assert.ok(!pages.has(boundary / MIB2), 'the tail is lost');
  });

  it('loses nothing with set-ahead, nor when a leaf that sticks out stays dirty', () => {
    for (const [reporting, ahead] of [
      ['generic-pt', true],
      ['exact', false],
    ] as const) {
      const all = tables();
      makeDirty(all, leaf);
      const pages = windows(all, reporting, ahead);
      for (let page = leaf; page < leaf + GIB; page += MIB2)
        assert.ok(pages.has(page / MIB2), `${reporting} ${page}`);
    }
  });

  it('is no matter when the whole range is read at once', () => {
    const all = tables();
    makeDirty(all, leaf);
    assert.deepEqual(reported(all, start, WINDOW + 2 * GIB), [[leaf, GIB]]);
    assert.deepEqual(reported(all, start, WINDOW + 2 * GIB), []);
  });
});

describe('A page of 256 AMD v1 entries with D in the last one', () => {
  for (const granularity of ['entry', 'table'] as const) {
    it(`is dirty as a whole, and clean in all after it was read, a step ${granularity === 'entry' ? 'an entry' : 'a table'}`, () => {
      const { tables } = makeTables(kindOf('AMD v1'), { marks: CLEAN, granularity });
      valueOf(runSteps(tables.map(256, 256, 256, READ_WRITE)));
      assert.equal(leavesOf(tables, 256, 256).length, 256);
      makeDirty(tables, 511);
      assert.deepEqual(reported(tables, 0, 512, { clear: false }), [[256, 256]]);
      assert.deepEqual(reported(tables, 0, 512), [[256, 256]]);
      assert.ok(leavesOf(tables, 256, 256).every(({ lo, hi }) => !isDirty(tables.format, lo, hi)));
      makeDirty(tables, 511);
      assert.deepEqual(reported(tables, 0, 512), [[256, 256]]);
    });
  }

  it('is lost when only the first entry is looked at', () => {
    const { tables } = makeTables(kindOf('AMD v1'), { marks: CLEAN, faults: ['one-replica'] });
    valueOf(runSteps(tables.map(256, 256, 256, READ_WRITE)));
    makeDirty(tables, 511);
    assert.deepEqual(reported(tables, 0, 512), []);
  });
});

describe('The root grows while it is walked', () => {
  const end = 2 ** 27;

  it('old pages are found after every step, and new ones once they are mapped', () => {
    const told: number[] = [];
    const { tables } = makeTables(kindOf('AMD v1'), {
      flusher: {
        ...NOTHING_CACHED,
        *changeTop() {
          told.push(tables.format.rootDepth);
          assert.equal(tables.top.format.rootDepth, 3, 'devices are told before software finds the root');
          return yield* NOTHING_CACHED.changeTop();
        },
      },
    });
    valueOf(runSteps(tables.map(1, 77, 1, READ_WRITE)));
    const growing = tables.map(2 ** 45, 5, 1, READ_WRITE);
    for (;;) {
      const step = growing.next();
      assert.equal(walked(tables, 1), 77);
      assert.equal(runSteps(tables.iovaToPhys(1)), 77);
      if (step.done === true) break;
      if (tables.format.rootDepth < 6) assert.equal(walked(tables, 2 ** 45), undefined);
    }
    assert.deepEqual(told, [6]);
    assert.equal(walked(tables, 2 ** 45), 5);
  });

  for (const [title, faults, went] of [
    ['an unmap that began before goes on with what it read', [], 1],
    ['an unmap that reads root and depth one after the other walks astray', ['root-in-two-reads'], 0],
  ] as const) {
    it(title, () => {
      const { tables } = makeTables(kindOf('AMD v1'), { faults });
      valueOf(runSteps(tables.map(GIB, 77, 1, READ_WRITE)));
      const unmapping = tables.unmap(GIB, 1);
      unmapping.next();
      valueOf(runSteps(tables.map(end, 5, 1, READ_WRITE)));
      assert.equal(valueOf(runSteps(unmapping)), went);
      assert.equal(walked(tables, GIB), went === 1 ? undefined : 77);
      assert.equal(walked(tables, end), 5);
    });
  }
});

describe('A VT-d entry of which only A and D are left', () => {
  it('is not present for hardware, told as a stale word, and mapped over', () => {
    const tables = mapped('VT-d second stage, 3 levels', 21, 0, 1, 9);
    makeDirty(tables, 0);
    const [leaf] = leavesOf(tables, 0, 1);
    assert.ok(leaf);
    const { format } = tables;
    const lo = leaf.lo & (format.accessedLo | format.dirtyMarkLo);
    assert.ok(isAccessed(format, lo, 0) && isDirty(format, lo, 0));
    tables.words.fill(leaf.table, leaf.index, lo, 0);
    assert.equal(walked(tables, 0), undefined);
    assert.deepEqual(
      entryProblems(format, 1, lo, 0).map(({ code }) => code),
      ['entry/stale-word'],
    );
    assert.deepEqual(reported(tables, 0, 1), [], 'marks of no page are not reported');
    valueOf(runSteps(tables.map(0, 11, 1, READ_WRITE)));
    assert.equal(walked(tables, 0), 11);
  });
});
