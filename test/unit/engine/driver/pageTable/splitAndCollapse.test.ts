/** Split and collapse of leaves of every format and size: nothing but the sizes changes, and D is kept. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type DomainTables } from '../../../../../src/engine/driver/pageTable/domainTables';
import { usableShifts } from '../../../../../src/engine/driver/pageTable/pageSizePolicy';
import {
  COLLAPSES,
  type CollapseProtocol,
} from '../../../../../src/engine/driver/pageTable/protocols/collapse';
import { SPLITS, type SplitProtocol } from '../../../../../src/engine/driver/pageTable/protocols/split';
import { levelOf } from '../../../../../src/engine/formats/compile';
import { READ, READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { isDirty } from '../../../../../src/engine/pageTable/marks';
import { walkTables } from '../../../../../src/engine/pageTable/walk';
import { frameHalves } from '../../../../../src/engine/values';
import { runSteps } from '../../../../../src/engine/steps';
import { errnoOf, KINDS, makeTables, valueOf, type DomainKind } from './domains';
import { CLEAN, leavesOf, makeDirty, reported, sum } from './leaves';

/** A split writes all small entries: tests keep to this many. */
const MOST_ENTRIES = 2 ** 12;

interface Sizes {
  readonly large: number;
  readonly small: number;
}

/** Pairs of sizes of a format that a test can go through. */
function pairs(kind: DomainKind): Sizes[] {
  const { tables } = makeTables(kind);
  const { format } = tables;
  const all = Array.from({ length: format.rootDepth }, (_, index) => {
    const { shift: item } = levelOf(format, index + 1);
    return usableShifts(format, index + 1).map((shift) => ({ shift, item }));
  }).flat();
  return all.flatMap(({ shift: large }) =>
    all
      .filter(({ shift, item }) => shift < large && 2 ** (large - item) <= MOST_ENTRIES && large <= 40)
      .map(({ shift: small }) => ({ large, small })),
  );
}

/** What requests see of a page: where they land, and what they may do. */
function seen(tables: DomainTables, page: number): string {
  const { lo, hi } = frameHalves(page);
  const { outcome } = walkTables(tables.space, lo, hi, false);
  return outcome.ok ? `${outcome.paddrHi}:${outcome.paddrLo} ${outcome.permission}` : outcome.fault;
}

const dirtyPages = (tables: DomainTables, page: number, pages: number): number =>
  sum(reported(tables, page, pages, { clear: false }));

const probes = (page: number, pages: number): number[] => [
  page,
  page + 1,
  page + Math.floor(pages / 3),
  page + pages - 1,
];

for (const kind of KINDS) {
  describe(`Split and collapse, ${kind.title}`, () => {
    const sizes = pairs(kind);

    for (const bbml of kind.title.startsWith('Arm') ? ([0, 1, 2] as const) : ([2] as const)) {
      it(`one after the other change neither output nor permission nor D, BBML ${bbml}`, () => {
        fc.assert(
          fc.property(
            fc.constantFrom(...sizes),
            fc.boolean(),
            fc.boolean(),
            fc.integer({ min: 0, max: 2 ** 13 }),
            fc.boolean(),
            ({ large, small }, before, between, place, writable) => {
              const { tables, frames } = makeTables(kind, { bbml, marks: CLEAN });
              const pages = 2 ** (large - 12);
              const page = pages;
              if (!tables.takes(page, pages)) return;
              const permission = writable ? READ_WRITE : READ;
              valueOf(runSteps(tables.map(page, 3 * pages, pages, permission)));
              if (before && writable) makeDirty(tables, page + (place % pages));
              const tablesBefore = frames.allocated;
              const first = probes(page, pages).map((each) => seen(tables, each));
              const [parent] = leavesOf(tables, page, pages);
              assert.ok(parent);
              if (parent.shift !== large) return;

              const split = valueOf(runSteps(tables.split(page + (place % pages), small)));
              assert.equal(split.largeShift, large);
              const leaves = leavesOf(tables, page, pages);
              assert.ok(leaves.every(({ shift }) => shift === small));
              assert.deepEqual(
                probes(page, pages).map((each) => seen(tables, each)),
                first,
              );
              const wasDirty = isDirty(tables.format, parent.lo, parent.hi) || (before && writable);
              assert.equal(dirtyPages(tables, page, pages), wasDirty ? pages : 0, 'all small pages, or none');
              if (between && writable) makeDirty(tables, page + (place % pages));

              const collapsed = valueOf(runSteps(tables.collapse(page, large)));
              assert.equal(collapsed.smallShift, small);
              assert.deepEqual(
                probes(page, pages).map((each) => seen(tables, each)),
                first,
              );
              assert.ok(leavesOf(tables, page, pages).every(({ shift }) => shift === large));
              const isDirtyNow = wasDirty || (between && writable);
              assert.equal(dirtyPages(tables, page, pages), isDirtyNow ? pages : 0);
              assert.equal(frames.allocated, tablesBefore, 'tables that are not used any more are freed');
            },
          ),
          { numRuns: 6 },
        );
      });
    }

    it('do what they say by every protocol', () => {
      const pair = sizes.find(({ large, small }) => 2 ** (large - small) >= 8 && 2 ** (large - small) <= 512);
      if (!pair) return;
      const { large, small } = pair;
      const pages = 2 ** (large - 12);
      for (const split of Object.keys(SPLITS) as SplitProtocol[]) {
        for (const collapse of Object.keys(COLLAPSES) as CollapseProtocol[]) {
          const { tables } = makeTables(kind, { marks: CLEAN, bbml: 2 });
          valueOf(runSteps(tables.map(pages, 2 * pages, pages, READ_WRITE)));
          const outcome = runSteps(tables.split(pages, small, split));
          if (!outcome.ok && split.startsWith('split.nt')) {
            assert.equal(outcome.errno, 'EOPNOTSUPP');
            continue;
          }
          valueOf(outcome);
          assert.equal(dirtyPages(tables, pages, pages), split === 'split.pessimistic' ? pages : 0);
          makeDirty(tables, 2 * pages - 1);
          valueOf(runSteps(tables.collapse(pages, large, collapse)));
          assert.equal(dirtyPages(tables, pages, pages), pages);
        }
      }
    });
  });
}

describe('Split and collapse', () => {
  const [kind] = KINDS;
  assert.ok(kind);

  it('refuse what has no meaning, and change nothing', () => {
    const { tables } = makeTables(kind);
    valueOf(runSteps(tables.map(512, 512, 512, READ_WRITE)));
    valueOf(runSteps(tables.map(1024, 4096, 511, READ_WRITE)));
    valueOf(runSteps(tables.map(2048, 8193, 512, READ_WRITE)));
    assert.equal(errnoOf(runSteps(tables.split(0, 12))), 'ENOENT');
    assert.equal(errnoOf(runSteps(tables.split(512, 21))), 'EINVAL');
    assert.equal(errnoOf(runSteps(tables.split(512, 11))), 'EINVAL');
    assert.equal(errnoOf(runSteps(tables.collapse(1024, 21))), 'ENOENT');
    assert.equal(errnoOf(runSteps(tables.collapse(2048, 21))), 'EINVAL');
    assert.equal(errnoOf(runSteps(tables.collapse(512, 21))), 'EEXIST');
    assert.equal(errnoOf(runSteps(tables.collapse(513, 21))), 'EINVAL');
    assert.equal(runSteps(tables.iovaToPhys(2048 + 511)), 8193 + 511);
  });

  it('keep apart what differs in permission', () => {
    const { tables } = makeTables(kind, { pageShifts: [12] });
    valueOf(runSteps(tables.map(512, 512, 511, READ_WRITE)));
    valueOf(runSteps(tables.map(1023, 1023, 1, READ)));
    assert.equal(errnoOf(runSteps(tables.collapse(512, 21))), 'EINVAL');
  });
});
