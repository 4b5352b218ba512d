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
import { halvesOf } from '../../../../../src/engine/driver/pageTable/leafEncoder';
import { joinHalves } from '../../../../../src/engine/memory/words';
import { READ, READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { isDirty } from '../../../../../src/engine/pageTable/marks';
import { walkTables } from '../../../../../src/engine/pageTable/walk';
import { frameHalves } from '../../../../../src/engine/values';
import { runSteps } from '../../../../../src/engine/steps';
import { errnoOf, KINDS, makeTables, valueOf, type DomainKind } from './domains';
import { CLEAN, leavesOf, makeDirty, reported, sum } from './leaves';

/** A split writes all small entries: tests keep to this many. */
const mostEntries = ({ title }: DomainKind): number =>
  2 ** (title.includes('64K') ? 13 : title.includes('16K') ? 11 : 10);

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
      .filter(({ shift, item }) => shift < large && 2 ** (large - item) <= mostEntries(kind) && large <= 40)
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
          { numRuns: kind.title.includes('64K') ? 2 : 4 },
        );
      });
    }

    it('do what they say by every protocol', () => {
      const pair = sizes.find(({ large, small }) => 2 ** (large - small) >= 8 && 2 ** (large - small) <= 512);
      if (!pair) return;
      const { large, small } = pair;
      const pages = 2 ** (large - 12);
      const collapses = Object.keys(COLLAPSES) as CollapseProtocol[];
      for (const [at, split] of (Object.keys(SPLITS) as SplitProtocol[]).entries()) {
        for (const collapse of collapses.slice(at % collapses.length, (at % collapses.length) + 1)) {
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

  it('move what stands elsewhere in leaves of another size: x86 PAT, attributes and bits of software', () => {
    const x86 = KINDS.find(({ title }) => title === 'VT-d first stage, 4 levels');
    assert.ok(x86);
    const { tables } = makeTables(x86, { marks: CLEAN });
    valueOf(runSteps(tables.map(512, 512, 512, READ_WRITE)));
    const [leaf] = leavesOf(tables, 512, 1);
    assert.ok(leaf);
    // PAT is bit 12 of a large leaf and bit 7 of a small one; PCD 4, G 8, software 9 and 57 stay.
    const lo = leaf.lo | (1 << 12) | (1 << 4) | (1 << 8) | (1 << 9);
    const hi = leaf.hi | (1 << 25);
    tables.words.fill(leaf.table, leaf.index, lo, hi);
    valueOf(runSteps(tables.split(512, 12)));
    const small = leavesOf(tables, 512, 512);
    assert.equal(small.length, 512);
    for (const { lo: word, hi: high, frame, page } of small) {
      assert.equal(word & 0xfff, 0x3b7, 'P, R/W, U/S, PCD, A, PAT, G and software, without PS and D');
      assert.equal(high >>> 0, (1 << 25) >>> 0);
      assert.equal(frame, page);
    }
    valueOf(runSteps(tables.collapse(512, 21)));
    const [again] = leavesOf(tables, 512, 1);
    assert.deepEqual([again?.lo, again?.hi], [lo >>> 0, hi >>> 0]);
  });

  for (const [title, bits, small] of [
    // Software 58:55, XN 54 and 53, nG 11, SH 9:8, AttrIndx 4:2; and the same with a run, whose bit 52 is not taken over.
    ['Arm stage 1 4K, 48 bits', 0x07e0_0000_0000_0b1cn, 12],
    ['Arm stage 1 4K, 48 bits', 0x07e0_0000_0000_0b1cn, 16],
    // PBMT 62:61, RSW 60:59 and 9:8, G 5, X 3; and the same with NAPOT.
    ['RISC-V Sv39', 0x3800_0000_0000_0328n, 12],
    ['RISC-V Sv39', 0x3800_0000_0000_0328n, 16],
    // FC 60, U 59, PMC 58:57, software 63, 8:7 and 4:1, also of replicated entries.
    ['AMD v1', 0x9e00_0000_0000_019en, 12],
    ['AMD v1', 0x9e00_0000_0000_019en, 15],
  ] as const) {
    it(`keep attributes and bits of software: ${title}, 2^${small} bytes`, () => {
      const found = KINDS.find((each) => each.title === title);
      assert.ok(found);
      const { tables } = makeTables(found, { marks: CLEAN, bbml: 2 });
      valueOf(runSteps(tables.map(512, 512, 512, READ_WRITE)));
      const [leaf] = leavesOf(tables, 512, 1);
      assert.ok(leaf);
      const all = joinHalves(leaf.lo, leaf.hi) | bits;
      const { lo, hi } = halvesOf(all);
      tables.words.fill(leaf.table, leaf.index, lo, hi);
      valueOf(runSteps(tables.split(512, small)));
      for (const each of leavesOf(tables, 512, 512)) {
        assert.equal(joinHalves(each.lo, each.hi) & bits, bits);
        assert.equal(each.shift, small);
        assert.equal(each.frame, each.page);
      }
      valueOf(runSteps(tables.collapse(512, 21)));
      const [again] = leavesOf(tables, 512, 1);
      assert.ok(again);
      assert.equal(joinHalves(again.lo, again.hi), all);
    });
  }

  it('keep apart what differs in permission', () => {
    const { tables } = makeTables(kind, { pageShifts: [12] });
    valueOf(runSteps(tables.map(512, 512, 511, READ_WRITE)));
    valueOf(runSteps(tables.map(1023, 1023, 1, READ)));
    assert.equal(errnoOf(runSteps(tables.collapse(512, 21))), 'EINVAL');
  });
});
