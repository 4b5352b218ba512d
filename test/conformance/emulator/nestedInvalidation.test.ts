/**
 * Tables of a guest over the kernel's, with any mixture of page sizes: after every change of either and its invalidation each
 * request meets what both say now, whatever command the guest uses.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { GUEST_KINDS } from '../../../src/engine/driver/guest/index';
import { type GuestKind } from '../../../src/engine/driver/guest/guestKind';
import { type DomainTables } from '../../../src/engine/driver/pageTable/domainTables';
import { type DmaAccess } from '../../../src/engine/iommu/request';
import { NestedBench, type NestedConditions } from './nestedBench';

/** One page of 1G of IOVAs, and of guest physical addresses; of each the first few pages of 2M. */
const IOVA = 0x4_0000;
const GUEST = 0x8_0000;
const SIZES = [1, 16, 512, 1024];

type Operation =
  | {
      /** Of the guest's tables (to guest memory), or of the kernel's (to frames). What is there is unmapped first. */
      readonly kind: 'map';
      readonly stage: 1 | 2;
      readonly page: number;
      readonly pages: number;
      readonly to: number;
      readonly write: boolean;
    }
  | { readonly kind: 'unmap'; readonly stage: 1 | 2; readonly page: number; readonly pages: number }
  | {
      readonly kind: 'split' | 'collapse';
      readonly stage: 1 | 2;
      readonly page: number;
      readonly shift: number;
    }
  | { readonly kind: 'harvest'; readonly stage: 1 | 2; readonly page: number; readonly pages: number }
  | { readonly kind: 'dma'; readonly page: number; readonly access: DmaAccess }
  | { readonly kind: 'prefetch'; readonly page: number }
  | { readonly kind: 'evict' };

const stage = fc.constantFrom<1 | 2>(1, 2);
const place = fc
  .tuple(fc.nat(3), fc.constantFrom(0, 1, 17, 511))
  .map(([large, small]) => large * 512 + small);
const range = fc
  .tuple(stage, place, fc.constantFrom(...SIZES))
  .map(([stage, place, pages]) => ({ stage, page: base(stage) + place - (place % pages), pages }));
const base = (stage: 1 | 2): number => (stage === 1 ? IOVA : GUEST);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(range, fc.constantFrom(0, 512, 1024), fc.constantFrom(0, 0, 16, 1), fc.boolean())
      .map(([at, block, shifted, write]) => ({
        kind: 'map' as const,
        ...at,
        to: (at.stage === 1 ? GUEST : 0x10_0000) + ((at.page + block) % 2048) + shifted,
        write,
      })),
  },
  { weight: 1, arbitrary: range.map((at) => ({ kind: 'unmap' as const, ...at })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('split' as const, 'collapse' as const),
        stage,
        place,
        fc.constantFrom(12, 16, 21),
      )
      .map(([kind, stage, place, shift]) => ({ kind, stage, page: base(stage) + place, shift })),
  },
  { weight: 2, arbitrary: range.map((at) => ({ kind: 'harvest' as const, ...at })) },
  // The guest's tables and structures stand in these pages.
  {
    weight: 1,
    arbitrary: fc.constant({ kind: 'harvest' as const, stage: 2 as const, page: 0x200, pages: 0x400 }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('split' as const, 'collapse' as const),
        fc.constantFrom(0x200, 0x400),
        fc.constantFrom(12, 21),
      )
      .map(([kind, page, shift]) => ({ kind, stage: 2 as const, page, shift })),
  },
  {
    weight: 12,
    arbitrary: fc
      .tuple(place, fc.constantFrom<DmaAccess>('read', 'write', 'write', 'atomic'))
      .map(([place, access]) => ({ kind: 'dma' as const, page: IOVA + place, access })),
  },
  { weight: 2, arbitrary: place.map((place) => ({ kind: 'prefetch' as const, page: IOVA + place })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'evict' as const }) },
);

/** Guest memory by pages of 2M, IOVAs by pages of 2M and of 4K. */
const START: readonly Operation[] = [
  { kind: 'map', stage: 2, page: GUEST, pages: 1024, to: 0x10_0000, write: true },
  { kind: 'map', stage: 2, page: GUEST + 1024, pages: 1024, to: 0x10_0401, write: true },
  { kind: 'map', stage: 1, page: IOVA, pages: 512, to: GUEST, write: true },
  { kind: 'map', stage: 1, page: IOVA + 512, pages: 512, to: GUEST + 1024, write: true },
  { kind: 'map', stage: 1, page: IOVA + 1024, pages: 512, to: GUEST + 1, write: true },
];

const conditions: fc.Arbitrary<NestedConditions> = fc.record({
  seed: fc.nat(),
  ats: fc.boolean(),
  flush: fc.nat(5),
  largePages: fc.boolean(),
  rules: fc.record({
    iotlb: fc.constantFrom({ sets: 1024, ways: 4 }, { sets: 2, ways: 2 }, { sets: 0, ways: 0 }),
    walkCache: fc.constantFrom({ sets: 64, ways: 4 }, { sets: 1, ways: 2 }, { sets: 0, ways: 0 }),
    deviceTlbEntries: fc.constantFrom(64, 2, 0),
    evictEvery: fc.constantFrom(0, 2, 8),
    prefetchEvery: fc.constantFrom(0, 3),
  }),
});

function play(
  kind: GuestKind,
  operations: readonly Operation[],
  given: NestedConditions,
  flushes = true,
): string[] {
  const nested = new NestedBench(kind, given);
  const { bench, parent, guest } = nested;
  if (!flushes) {
    for (const tables of [parent.tables, guest])
      tables.flusher = { ...tables.flusher, flush: () => tables.flusher.changeTop() };
  }
  const wrong: string[] = [];
  const tablesOf = (stage: 1 | 2): DomainTables => (stage === 1 ? guest : parent.tables);
  for (const [index, operation] of operations.entries()) {
    switch (operation.kind) {
      case 'map': {
        const { page, pages, to, write } = operation;
        const tables = tablesOf(operation.stage);
        bench.run(tables.unmap(page, pages));
        bench.run(tables.map(page, to, pages, write ? 3 : 1));
        break;
      }
      case 'unmap':
        bench.run(tablesOf(operation.stage).unmap(operation.page, operation.pages));
        break;
      case 'split':
        bench.run(tablesOf(operation.stage).split(operation.page, operation.shift));
        break;
      case 'collapse':
        bench.run(tablesOf(operation.stage).collapse(operation.page, operation.shift));
        break;
      case 'harvest': {
        const { page, pages } = operation;
        bench.run(tablesOf(operation.stage).readAndClearDirty({ startPage: page, pages, clear: true }));
        break;
      }
      case 'dma': {
        const outcome = bench.access(operation.page, operation.access);
        if (outcome.wrong !== undefined) wrong.push(`${index}: ${outcome.wrong}`);
        break;
      }
      case 'prefetch':
        bench.prefetch(operation.page);
        break;
      case 'evict':
        bench.iommu.evict();
    }
    for (const { where, staleness } of bench.stale())
      wrong.push(`${index}: after ${operation.kind} (${nested.command}): ${where}: ${staleness.says}`);
  }
  return wrong;
}

const operations = fc
  .array(operation, { minLength: 10, maxLength: 40, size: 'max' })
  .map((each) => [...START, ...each]);

for (const kind of GUEST_KINDS) {
  describe(`nested invalidation: ${kind.tables} over ${kind.parent} of ${kind.kind}`, function () {
    this.timeout(60_000);

    it('of mixed page sizes under every command leaves nothing stale', () => {
      fc.assert(
        fc.property(operations, conditions, (run, given) => {
          assert.deepEqual(play(kind, run, given), []);
        }),
        { numRuns: 20 },
      );
    });

    it('left out is found', () => {
      const found = fc
        .sample(fc.tuple(operations, conditions), { numRuns: 30, seed: 1 })
        .some(([run, given]) => play(kind, run, given, false).length > 0);
      assert.ok(found);
    });
  });
}
