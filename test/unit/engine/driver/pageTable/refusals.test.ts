/** What operations on tables leave behind when memory ends or caches cannot be flushed: what was mapped stays, no mark is lost. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { refused } from '../../../../../src/engine/driver/errno';
import { type Flusher, type FlushRange } from '../../../../../src/engine/driver/flusher';
import { NOTHING_CACHED } from '../../../../../src/engine/driver/pageTable/domainTables';
import { type CollapseProtocol } from '../../../../../src/engine/driver/pageTable/protocols/collapse';
import { type SplitProtocol } from '../../../../../src/engine/driver/pageTable/protocols/split';
import { descend } from '../../../../../src/engine/driver/pageTable/tableTree';
import { Arena } from '../../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../../src/engine/memory/frameAllocator';
import { READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { isDirty } from '../../../../../src/engine/pageTable/marks';
import { runSteps } from '../../../../../src/engine/steps';
import { frameNumber } from '../../../../../src/engine/values';
import {
  armKind,
  errnoOf,
  KINDS,
  makeTables,
  TABLES_START,
  valueOf,
  walked,
  type DomainKind,
} from './domains';
import { leavesOf, makeDirty, reported, sum } from './leaves';

const ARM = armKind(1, '4K', 48);
const PAGES = 512;

/** Caches that cannot be flushed the `nth` time (from 1) that somebody wants to. */
function refusing(nth: number): Flusher {
  let flushes = 0;
  return {
    ...NOTHING_CACHED,
    *flush(range) {
      if (++flushes === nth) {
        yield { kind: 'poll', name: 'wait in vain', done: false };
        return refused('ETIMEDOUT', 'the queue does not answer');
      }
      return yield* NOTHING_CACHED.flush(range);
    },
  };
}

/** Two megabytes of memory by one page, or by small ones. */
function mapped(kind: DomainKind, shift: 12 | 16 | 21, bbml: 0 | 1 | 2) {
  const made = makeTables(kind, { bbml, pageShifts: [12, 16, 21, 30] });
  const { tables } = made;
  const step = 2 ** (shift - 12);
  for (let page = 0; page < PAGES; page += step) valueOf(runSteps(tables.map(page, page, step, READ_WRITE)));
  // Writable leaves of Arm are born dirty.
  reported(tables, 0, PAGES);
  return made;
}

const isAllMapped = ({ tables }: ReturnType<typeof mapped>): void => {
  for (let page = 0; page < PAGES; page++) assert.equal(walked(tables, page), page);
};

const shiftsOf = ({ tables }: ReturnType<typeof mapped>): number[] => [
  ...new Set(leavesOf(tables, 0, PAGES).map(({ shift }) => shift)),
];

describe('Splits and collapses that are refused', () => {
  for (const [protocol, bbml] of [
    ['split.break-before-make', 0],
    ['split.nt-acquire', 1],
    ['split.xchg-sprinkle-slot', 2],
  ] as const)
    it(`${protocol} without memory changes nothing`, () => {
      const arena = new Arena();
      const frames = new RangeAllocator(arena, TABLES_START, TABLES_START + 4);
      const { tables } = makeTables(ARM, { bbml, memory: arena, frames });
      valueOf(runSteps(tables.map(0, 0, 2 ** 18, READ_WRITE)));
      makeDirty(tables, 0);
      const before = leavesOf(tables, 0, 2 ** 18);
      const allocated = frames.allocated;
      assert.equal(errnoOf(runSteps(tables.split(0, 12, protocol))), 'ENOMEM');
      assert.deepEqual(leavesOf(tables, 0, 2 ** 18), before);
      assert.equal(frames.allocated, allocated);
    });

  for (const shift of [16, 21] as const)
    it(`a break-before-make split of ${shift === 16 ? '64K' : '2M'} puts the leaf back when its first flush is refused`, () => {
      const made = mapped(ARM, shift, 0);
      makeDirty(made.tables, 0);
      const before = leavesOf(made.tables, 0, PAGES);
      const allocated = made.frames.allocated;
      made.tables.flusher = refusing(1);
      assert.equal(errnoOf(runSteps(made.tables.split(0, 12, 'split.break-before-make'))), 'ETIMEDOUT');
      assert.deepEqual(leavesOf(made.tables, 0, PAGES), before);
      assert.equal(made.frames.allocated, allocated);
    });

  it('a split with nT takes nT back when its flush is refused', () => {
    const made = mapped(ARM, 21, 1);
    makeDirty(made.tables, 0);
    const before = leavesOf(made.tables, 0, PAGES);
    made.tables.flusher = refusing(1);
    assert.equal(errnoOf(runSteps(made.tables.split(0, 12, 'split.nt-acquire'))), 'ETIMEDOUT');
    assert.deepEqual(leavesOf(made.tables, 0, PAGES), before);
  });

  for (const [protocol, bbml, nth] of [
    ['split.xchg-sprinkle', 2, 1],
    ['split.xchg-sprinkle-slot', 2, 1],
    ['split.nt-acquire', 1, 2],
    ['split.break-before-make', 0, 2],
  ] as const satisfies readonly (readonly [SplitProtocol, 0 | 1 | 2, number])[])
    for (const shift of [16, 21] as const)
      if (protocol !== 'split.nt-acquire' || shift === 21)
        it(`${protocol} of ${shift === 16 ? '64K' : '2M'} loses no mark when its last flush is refused`, () => {
          const made = mapped(ARM, shift, bbml);
          makeDirty(made.tables, 0);
          made.tables.flusher = refusing(nth);
          assert.equal(errnoOf(runSteps(made.tables.split(0, 12, protocol))), 'ETIMEDOUT');
          made.tables.flusher = NOTHING_CACHED;
          isAllMapped(made);
          assert.equal(sum(reported(made.tables, 0, PAGES)), 2 ** (shift - 12));
        });

  it('break-before-make gives what it takes over to the small pages, of one entry and of a run', () => {
    for (const shift of [16, 21] as const)
      for (const dirty of [false, true]) {
        const made = mapped(ARM, shift, 0);
        if (dirty) makeDirty(made.tables, 0);
        valueOf(runSteps(made.tables.split(0, 12, 'split.break-before-make')));
        const { format } = made.tables;
        for (const leaf of leavesOf(made.tables, 0, 2 ** (shift - 12))) {
          assert.equal(leaf.shift, 12);
          assert.equal(isDirty(format, leaf.lo, leaf.hi), dirty);
        }
        isAllMapped(made);
      }
  });

  it('a break-before-make collapse puts the tables back when its first flush is refused', () => {
    const made = mapped(ARM, 12, 0);
    makeDirty(made.tables, 7);
    const before = leavesOf(made.tables, 0, PAGES);
    made.tables.flusher = refusing(1);
    assert.equal(errnoOf(runSteps(made.tables.collapse(0, 21, 'collapse.break-before-make'))), 'ETIMEDOUT');
    assert.deepEqual(leavesOf(made.tables, 0, PAGES), before);
  });

  for (const [protocol, nth] of [
    ['collapse.or-cas-acquire', 1],
    ['collapse.break-before-make', 2],
  ] as const satisfies readonly (readonly [CollapseProtocol, number])[])
    it(`${protocol} loses no mark when its last flush is refused`, () => {
      const made = mapped(ARM, 12, protocol === 'collapse.or-cas-acquire' ? 2 : 0);
      makeDirty(made.tables, 7);
      made.tables.flusher = refusing(nth);
      assert.equal(errnoOf(runSteps(made.tables.collapse(0, 21, protocol))), 'ETIMEDOUT');
      made.tables.flusher = NOTHING_CACHED;
      isAllMapped(made);
      assert.deepEqual(shiftsOf(made), [21]);
      assert.equal(sum(reported(made.tables, 0, PAGES)), PAGES);
    });

  it('a collapse whose flush is refused takes the page for dirty: small pages may be written by caches', () => {
    const made = mapped(ARM, 12, 2);
    made.tables.flusher = refusing(1);
    assert.equal(errnoOf(runSteps(made.tables.collapse(0, 21, 'collapse.or-cas-acquire'))), 'ETIMEDOUT');
    made.tables.flusher = NOTHING_CACHED;
    assert.equal(sum(reported(made.tables, 0, PAGES)), PAGES);
  });
});

describe('Reporting unmaps that are refused', () => {
  const unmap = (protocol: 'unmap.xchg-report' | 'unmap.protect-first', nth: number) => {
    const made = mapped(ARM, 12, 2);
    makeDirty(made.tables, 7);
    const before = leavesOf(made.tables, 0, PAGES);
    made.tables.flusher = refusing(nth);
    const dirty: [number, number][] = [];
    const sink = (page: number, pages: number): void => {
      dirty.push([page, pages]);
    };
    const steps = made.tables.unmapReporting({ startPage: 0, pages: PAGES, sink }, protocol);
    assert.equal(errnoOf(runSteps(steps)), 'ETIMEDOUT');
    return { made, before, dirty };
  };

  it('report what they took, also when the flush is refused', () => {
    assert.deepEqual(unmap('unmap.xchg-report', 1).dirty, [[7, 1]]);
    assert.deepEqual(unmap('unmap.protect-first', 2).dirty, [[7, 1]]);
  });

  it('that protected pages first make them as they were', () => {
    const { made, before, dirty } = unmap('unmap.protect-first', 1);
    assert.deepEqual(leavesOf(made.tables, 0, PAGES), before);
    assert.deepEqual(dirty, []);
  });
});

describe('Tables that someone else wrote to', () => {
  const NOWHERE = 0x7_0000;

  /** Two tables of small pages, the pointer to the second of which leads elsewhere; some pages of the first are dirty. */
  function changed(kind: DomainKind, to: (made: ReturnType<typeof makeTables>) => number) {
    const made = makeTables(kind, { pageShifts: [12] });
    const { tables } = made;
    valueOf(runSteps(tables.map(0, 0, 2 * PAGES, READ_WRITE)));
    reported(tables, 0, 2 * PAGES);
    makeDirty(tables, 3);
    const { encoder, format, marks } = tables;
    const above = runSteps(descend(tables, PAGES, 2));
    const { lo, hi } = encoder.pointer(format, 2, frameNumber(to(made)), marks);
    tables.words.fill(above.table, above.index, lo, hi);
    const flushes: FlushRange[] = [];
    tables.flusher = {
      ...NOTHING_CACHED,
      *flush(range) {
        flushes.push(range);
        return yield* NOTHING_CACHED.flush(range);
      },
    };
    return { ...made, flushes };
  }

  const places = {
    'memory that is not there': () => NOWHERE,
    'the root': ({ tables }: ReturnType<typeof makeTables>) => Number(tables.root),
  };
  for (const kind of [ARM, ...KINDS.filter(({ title }) => /AMD v1$|4 levels|Sv48$/.test(title))])
    for (const [where, to] of Object.entries(places))
      for (const granularity of ['entry', 'table'] as const)
        it(`${kind.title}: a pointer to ${where} is EIO to everybody, by ${granularity}`, () => {
          const dirty = changed(kind, to);
          dirty.tables.granularity = granularity;
          const found: number[] = [];
          const sink = (page: number): void => {
            found.push(page);
          };
          const request = { startPage: 0, pages: 2 * PAGES, clear: true, sink };
          assert.equal(errnoOf(runSteps(dirty.tables.readAndClearDirty(request))), 'EIO');
          assert.deepEqual(found, [3]);
          assert.equal(dirty.flushes.length, 1, 'what was cleared is flushed for');

          const unmapped = changed(kind, to);
          unmapped.tables.granularity = granularity;
          assert.equal(errnoOf(runSteps(unmapped.tables.unmap(0, 2 * PAGES))), 'EIO');
          assert.equal(unmapped.flushes.length, 1, 'what went is flushed for');
          assert.equal(walked(unmapped.tables, 3), undefined);

          const { tables } = changed(kind, to);
          tables.granularity = granularity;
          assert.equal(runSteps(tables.iovaToPhys(PAGES + 1)), null);
          assert.equal(errnoOf(runSteps(tables.map(PAGES + 1, 0, 1, READ_WRITE))), 'EIO');
          assert.equal(errnoOf(runSteps(tables.collapse(PAGES, 21))), 'EIO');
          assert.equal(
            errnoOf(runSteps(tables.unmapReporting({ startPage: 0, pages: 2 * PAGES, sink }))),
            'EIO',
          );
          runSteps(tables.dispose());
        });

  it('a pointer to the table that it stands in frees that table once', () => {
    const { encoder, marks, format } = makeTables(ARM).tables;
    const made = makeTables(ARM, { pageShifts: [12] });
    const { tables, frames } = made;
    valueOf(runSteps(tables.map(0, 0, 2 * PAGES, READ_WRITE)));
    const above = runSteps(descend(tables, PAGES, 2));
    const { lo, hi } = encoder.pointer(format, 2, above.table, marks);
    tables.words.fill(above.table, above.index, lo, hi);
    runSteps(tables.unmap(0, 2 * PAGES));
    runSteps(tables.dispose());
    assert.ok(frames.allocated <= 1, 'but for the table that nothing leads to');
  });

  it('an unmap frees no frame that is not allocated', () => {
    const made = changed(ARM, ({ arena }) => {
      assert.ok(arena.addFrame(frameNumber(NOWHERE)));
      for (let index = 0; index < PAGES; index++)
        arena.writeEntry(frameNumber(NOWHERE), index, 0x743 | (index << 12), 0);
      return NOWHERE;
    });
    assert.equal(errnoOf(runSteps(made.tables.unmap(PAGES, PAGES))), 'EIO');
    assert.ok(made.arena.holds(frameNumber(NOWHERE)));
  });
});
