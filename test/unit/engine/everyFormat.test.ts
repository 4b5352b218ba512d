/** Walk, batch, list, statistics and tree of random tables of every format: one truth. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { amdV1 } from '../../../src/engine/formats/amdV1';
import { armFormat } from '../../../src/engine/formats/arm';
import { compileFormat, levelOf } from '../../../src/engine/formats/compile';
import { type PageTableFormat } from '../../../src/engine/formats/pageTableFormat';
import { sv39 } from '../../../src/engine/formats/riscv';
import { zeroExtended, type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { neighbourProblems } from '../../../src/engine/pageTable/entryProblems';
import { listRuns, type RunList } from '../../../src/engine/pageTable/list';
import { countSpace, type SpaceStatistics } from '../../../src/engine/pageTable/statistics';
import {
  pageOfEntry,
  rootPlace,
  tableItems,
  type TablePlace,
} from '../../../src/engine/pageTable/tableItems';
import { BatchTables, translateBatch } from '../../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../../src/engine/pageTable/walk';
import { domainId, frameNumber } from '../../../src/engine/values';
import { FrameMemory } from '../../builders/tables';
import { AMD, ARM, NESTED, RISCV, VTD_SECOND, X86, type SpaceKind } from './everySpace';
import { makeNested, makeSpace } from './randomSpaces';
import { addressOf, requests, tableFrame, writes, type Request } from './randomTables';

/** Of each format; fewer where the tables are large. */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 20);
const runsFor = ({ title }: { readonly title: string }): number =>
  /16K|64K/.test(title) ? Math.ceil(RUNS / 5) : RUNS;
const MOST_RUNS = 300;
const ENTRY_BUDGET = 2 ** 20;

const lowHalf = (address: bigint): number => Number(address & 0xffff_ffffn);
const highHalf = (address: bigint): number => Number(address >> 32n);
const join = (hi = 0, lo = 0): bigint => (BigInt(hi) << 32n) | BigInt(lo);

/** All that a batch says of a request, by a walk. */
function walked(space: AddressSpace, address: bigint, write: boolean): object {
  const { outcome, steps } = walkTables(space, lowHalf(address), highHalf(address), write);
  if (!outcome.ok) return { fault: outcome.fault, stage: outcome.stage, depth: outcome.depth };
  const leaf = steps.at(-1);
  assert.ok(leaf);
  return {
    paddr: join(outcome.paddrHi, outcome.paddrLo),
    permission: outcome.permission,
    pageShift: outcome.pageShift,
    depth: leaf.depth,
    entry: join(leaf.hi, leaf.lo),
  };
}

function checkBatch(space: AddressSpace, asked: readonly { address: bigint; write: boolean }[]): void {
  const batch = makeBatch(asked.length);
  asked.forEach(({ address, write }, row) => {
    batch.addressLo[row] = lowHalf(address);
    batch.addressHi[row] = highHalf(address);
    batch.write[row] = write ? 1 : 0;
  });
  const tables = new BatchTables(space, batch.count);
  // The second time the leaf-most tables are known.
  for (let times = 0; times < 2; times++) {
    translateBatch(space, batch, 0, batch.count, tables);
    asked.forEach(({ address, write }, row) => {
      const status = batch.status[row] ?? 0;
      const found =
        status > 0
          ? { fault: faultOf(status), stage: batch.stage[row], depth: batch.depth[row] }
          : {
              paddr: join(batch.paddrHi[row], batch.paddrLo[row]),
              permission: batch.permission[row],
              pageShift: batch.pageShift[row],
              depth: batch.depth[row],
              entry: join(batch.entryHi[row], batch.entryLo[row]),
            };
      assert.deepEqual(found, walked(space, address, write), `0x${address.toString(16)} ${write} ${times}`);
    });
  }
}

function finish<T>(work: Generator<number, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

const listAll = (space: AddressSpace, limit = MOST_RUNS): RunList =>
  finish(listRuns(space, { startPage: 0, endPage: 2 ** 52, limit, entryBudget: ENTRY_BUDGET }));

interface ListedRun {
  readonly page: number;
  readonly pages: number;
  readonly count: number;
  readonly frame: number;
  readonly shift: number;
  readonly depth: number;
  readonly permission: number;
  readonly marks: number;
  readonly entryAddress: number;
}

function runsOf({ runs }: RunList): ListedRun[] {
  return Array.from({ length: runs.length }, (_, row) => {
    const shift = runs.pageShiftOf(row);
    return {
      page: runs.page[row] ?? 0,
      pages: 2 ** (shift - 12),
      count: runs.count[row] ?? 0,
      frame: runs.frame[row] ?? 0,
      shift,
      depth: runs.depthOf(row),
      permission: runs.permissionOf(row),
      marks: runs.marksOf(row),
      entryAddress: runs.entryAddress[row] ?? 0,
    };
  });
}

/** What marks and where a translation ends may refuse; a list says what is mapped all the same. */
const OF_A_LISTED_PAGE = [
  'access-flag',
  'dirty-flag',
  'address-size',
  'interrupt-output',
  'interrupt-window',
  'marks-refused',
];

/** Each listed page is what walks of addresses in it answer, of this stage alone. */
function checkList(nestedSpace: AddressSpace, list: RunList): void {
  const space = { ...nestedSpace, stage2: undefined };
  let last = -1;
  for (const run of runsOf(list)) {
    assert.ok(run.page > last, 'runs come in order and do not overlap');
    last = run.page + run.pages * run.count - 1;
    for (const place of new Set([0, run.count - 1, Math.floor(run.count / 2)])) {
      for (const within of new Set([0, run.pages - 1, Math.floor(run.pages / 2)])) {
        const page = run.page + place * run.pages + within;
        const address = (BigInt(page) << 12n) | 0x123n;
        for (const write of [false, true]) {
          const { outcome, steps } = walkTables(space, lowHalf(address), highHalf(address), write);
          const what = `page 0x${page.toString(16)}, ${write ? 'write' : 'read'}`;
          if (!outcome.ok) {
            const denied = write ? 'write-denied' : 'read-denied';
            if ((run.permission & (write ? 2 : 1)) === 0 && outcome.fault === denied) continue;
            assert.ok(OF_A_LISTED_PAGE.includes(outcome.fault), `${what}: ${outcome.fault}`);
            continue;
          }
          const leaf = steps.at(-1);
          assert.ok(leaf);
          const frame = run.frame + place * run.pages + within;
          assert.equal(join(outcome.paddrHi, outcome.paddrLo), (BigInt(frame) << 12n) | 0x123n, what);
          assert.equal(outcome.permission, run.permission, what);
          assert.equal(leaf.depth, run.depth, what);
          if (outcome.pageShift !== run.shift) {
            const entry = leaf.address;
            assert.notEqual(
              neighbourProblems(space, run.depth, BigInt(entry)).length,
              0,
              `${what}: its size`,
            );
          }
        }
      }
    }
  }
}

interface Sums {
  leaves: number;
  mappedPages: number;
  accessed: number;
  dirty: number;
  readonly bySize: Record<string, number>;
}

function checkStatistics(list: RunList, counted: SpaceStatistics): void {
  const sums: Sums = { leaves: 0, mappedPages: 0, accessed: 0, dirty: 0, bySize: {} };
  for (const { depth, shift, permission, pages, count, marks } of runsOf(list)) {
    sums.leaves += count;
    sums.mappedPages += count * pages;
    sums.accessed += (marks & 1) === 0 ? 0 : count;
    sums.dirty += (marks & 2) === 0 ? 0 : count;
    const key = `${depth} ${shift} ${permission}`;
    sums.bySize[key] = (sums.bySize[key] ?? 0) + count;
  }
  assert.deepEqual(
    {
      leaves: counted.leaves.reduce((sum, { leaves }) => sum + leaves, 0),
      mappedPages: counted.mappedPages,
      accessed: counted.accessed,
      dirty: counted.dirty,
      bySize: Object.fromEntries(
        counted.leaves.map(({ depth, pageShift, permission, leaves }) => [
          `${depth} ${pageShift} ${permission}`,
          leaves,
        ]),
      ),
    },
    sums,
  );
  assert.equal(counted.unreadableTables > 0, list.unreadableTables > 0, 'unreadable tables');
}

/** Entries of leaves as the tree has them: [page of the first, entries], in order. */
function* leafSpans(space: AddressSpace, place: TablePlace): Generator<readonly [number, number]> {
  const items = tableItems(space, place);
  for (const item of items ?? []) {
    if (item.kind === 'leaves') {
      const { pagesPerEntry } = levelOf(space.format, place.depth);
      yield [pageOfEntry(space, place, item.first), (item.end - item.first) * pagesPerEntry];
    } else if (item.kind === 'table' && !item.cycle) yield* leafSpans(space, item.place);
  }
}

/** Neighbouring stretches of pages as one, in order of their pages. */
function stretches(spans: Iterable<readonly [number, number]>): string[] {
  const joined: [number, number][] = [];
  for (const [page, pages] of [...spans].sort(([one], [other]) => one - other)) {
    const last = joined.at(-1);
    if (last && last[0] + last[1] === page) last[1] += pages;
    else joined.push([page, pages]);
  }
  return joined.map(([page, pages]) => `0x${page.toString(16)} + ${pages}`);
}

function checkAll(space: AddressSpace, asked: readonly Request[]): void {
  const list = listAll(space);
  const listed = runsOf(list).slice(0, 40);
  checkBatch(space, [
    ...asked.map((request) => ({ address: addressOf(space, request), write: request.write })),
    ...listed.map(({ page, pages, count }, at) => ({
      address: BigInt(page + pages * count - 1) * 4096n + BigInt(at),
      write: at % 2 === 0,
    })),
  ]);
  checkList(space, list);
  if (list.gaveUp || list.nextPage !== undefined) return;
  // Which entry of a cycle leads back depends on the way there, and a table met again is not counted again.
  if (list.cycles === 0) checkStatistics(list, finish(countSpace(space)));
  assert.deepEqual(
    stretches(runsOf(list).map(({ page, pages, count }) => [page, pages * count])),
    stretches(leafSpans(space, rootPlace(space))),
    'the tree and the list',
  );
}

const FORMATS: readonly (readonly [string, readonly SpaceKind[]])[] = [
  ['VT-d second stage and EPT', VTD_SECOND],
  ['x86-64', X86],
  ['AMD v1', AMD],
  ['Arm', ARM],
  ['RISC-V', RISCV],
];

describe('random tables of every format', function () {
  this.timeout(60_000);
  for (const [title, kinds] of FORMATS) {
    it(`${title}: walk, batch, list, statistics and tree are one truth`, () => {
      for (const kind of kinds) {
        const property = fc.property(writes, requests, fc.boolean(), (all, asked, partly) => {
          checkAll(makeSpace(kind, all, partly), asked);
        });
        try {
          fc.assert(property, { numRuns: runsFor(kind) });
        } catch (error) {
          throw new Error(kind.title, { cause: error });
        }
      }
    });
  }

  it('of two stages: walk, batch, list, statistics and tree are one truth', () => {
    for (const kind of NESTED) {
      const property = fc.property(
        writes,
        writes,
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 2 }),
        requests,
        (all, below, holes, asked) => {
          checkAll(makeNested(kind, all, below, holes), asked);
        },
      );
      try {
        fc.assert(property, { numRuns: runsFor(kind) });
      } catch (error) {
        throw new Error(kind.title, { cause: error });
      }
    }
  });
});

/** A root of one table whose entries from 0 on are these, and what a list says of it. */
function listed({ over }: SpaceKind, words: readonly bigint[]): object[] {
  const memory = new FrameMemory();
  const space = over(memory);
  const frames = Math.ceil((levelOf(space.format, space.format.rootDepth).indexMask + 1) / 512);
  for (let frame = 0; frame < frames; frame++) memory.frame(tableFrame(0) + frame);
  words.forEach((word, index) => {
    memory.set(tableFrame(0), index, word);
  });
  return runsOf(listAll(space)).map(({ page, shift, count, frame, marks }) => ({
    page,
    shift,
    count,
    frame,
    marks,
  }));
}

const repeat = (count: number, word: (index: number) => bigint): bigint[] =>
  Array.from({ length: count }, (_, index) => word(index));

const oneLevel = (format: PageTableFormat, rootIndexBits?: number): SpaceKind => ({
  title: format.title,
  over: (memory) => ({
    stage: 1,
    domainId: domainId(1),
    root: frameNumber(tableFrame(0)),
    rootEntry: 0,
    format: compileFormat(format, 1, {}, rootIndexBits),
    ...zeroExtended(12 + (rootIndexBits ?? 9)),
    memory,
    stage2: undefined,
  }),
});

describe('pages that take several entries', () => {
  // AMD 48882 §2.2.3: next level 7, the lowest clear address bit says the size: 32K has bits 13:12 set and bit 14 clear.
  const amdBits = (1n << 61n) | (1n << 62n) | (7n << 9n) | 1n;
  const amd32K = (frame: bigint): bigint => amdBits | ((frame << 12n) & ~0x7fffn) | 0x3000n;

  it('of AMD v1 are one page of the size in the address', () => {
    const words = [...repeat(8, () => amd32K(0x100n)), ...repeat(8, () => amd32K(0x108n))];
    assert.deepEqual(listed(oneLevel(amdV1), words), [
      { page: 0, shift: 15, count: 2, frame: 0x100, marks: 0 },
    ]);
  });

  it('of AMD v1 are accessed and dirty where any of their entries is', () => {
    const words = repeat(8, (index) => amd32K(0x100n) | (index === 5 ? 0x60n : 0n));
    assert.deepEqual(listed(oneLevel(amdV1), words), [
      { page: 0, shift: 15, count: 1, frame: 0x100, marks: 3 },
    ]);
  });

  it('of AMD v1 are pages of their own where one of the entries differs', () => {
    const words = repeat(8, (index) => amd32K(index === 5 ? 0x200n : 0x100n));
    const runs = listed(oneLevel(amdV1), words);
    assert.deepEqual(
      runs,
      repeat(8, BigInt).map((_, page) => ({
        page,
        shift: 12,
        count: 1,
        frame: (page === 5 ? 0x200 : 0x100) + page,
        marks: 0,
      })),
    );
  });

  it('of RISC-V with N are one page of 64K', () => {
    // V, R, W, X, U, A, D; N in bit 63, PPN[3:0] = 1000 (Svnapot).
    const word = (1n << 63n) | (0x208n << 10n) | 0xdfn;
    const next = (1n << 63n) | (0x218n << 10n) | 0xdfn;
    const words = [...repeat(16, () => word), ...repeat(16, () => next)];
    assert.deepEqual(listed(oneLevel(sv39), words), [
      { page: 0, shift: 16, count: 2, frame: 0x200, marks: 3 },
    ]);
  });

  it('of Arm with the contiguous bit are one page of 16 entries, each with its own address', () => {
    const word = (index: number): bigint => (1n << 52n) | (BigInt(0x400 + index) << 12n) | 0x443n;
    const format = armFormat(1, '4K', '48');
    assert.deepEqual(listed(oneLevel(format), repeat(32, word)), [
      { page: 0, shift: 16, count: 2, frame: 0x400, marks: 1 },
    ]);
    assert.deepEqual(
      listed(oneLevel(format), repeat(15, word)).length,
      15,
      'a part of a run is no page, and neither are neighbours of it',
    );
    assert.deepEqual(
      listed(oneLevel(format, 3), repeat(16, word)),
      [{ page: 0, shift: 12, count: 8, frame: 0x400, marks: 1 }],
      'a run does not reach beyond a root of 8 entries',
    );
    const writableWithoutDbm = (index: number): bigint => word(index) & ~0x80n;
    const cleanWithDbm = (index: number): bigint => word(index) | 0x80n | (1n << 51n);
    assert.deepEqual(
      listed(
        oneLevel(format),
        repeat(16, (index) => (index === 5 ? cleanWithDbm(index) : writableWithoutDbm(index))),
      ).length,
      16,
      'entries of which only some have DBM are not one page',
    );
  });
});

describe('the tree of a root with an upper part', () => {
  it('keeps leaves of the lower and of the upper part apart', () => {
    const memory = new FrameMemory();
    const [kind] = RISCV;
    assert.ok(kind);
    const space = kind.over(memory);
    memory.frame(tableFrame(0));
    for (let index = 254; index < 258; index++)
      memory.set(tableFrame(0), index, (BigInt(index) << 28n) | 0xdfn);
    assert.deepEqual(tableItems(space, rootPlace(space)), [
      { kind: 'leaves', first: 254, end: 256 },
      { kind: 'leaves', first: 256, end: 258 },
    ]);
  });
});
