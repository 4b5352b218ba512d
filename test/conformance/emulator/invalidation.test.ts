/**
 * After each operation of the driver has completed, every request meets what memory says and nothing stale is cached: with
 * any sizes of pages, evictions and prefetches, by the real commands of each vendor.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type KernelDomain } from '../../../src/engine/driver/iommuDriver';
import { type DmaAccess } from '../../../src/engine/iommu/request';
import { EMULATED_KINDS } from '../../../src/engine/iommu/vendor';
import { tableChoices, type TableChoice } from '../../../src/engine/machine/tableChoices';
import { done } from '../../../src/engine/driver/errno';
import { type Conditions, DEVICE, InvalidationBench, valueOf } from './invalidationBench';

/** Two pages of 1G, of which the first few of 2M are used. */
const BLOCKS = [0x4_0000, 0x8_0000];
const SIZES = [1, 16, 512, 2 ** 18];

type Operation =
  | {
      /** remap: what is there is unmapped first. */
      readonly kind: 'map' | 'remap';
      readonly page: number;
      readonly pages: number;
      readonly frame: number;
      readonly write: boolean;
    }
  | { readonly kind: 'unmap'; readonly page: number; readonly pages: number }
  | { readonly kind: 'split'; readonly page: number; readonly shift: number }
  | { readonly kind: 'collapse'; readonly page: number; readonly shift: number }
  | { readonly kind: 'harvest'; readonly page: number; readonly pages: number }
  | { readonly kind: 'dma'; readonly page: number; readonly access: DmaAccess }
  | { readonly kind: 'prefetch'; readonly page: number }
  | { readonly kind: 'evict' };

const page = fc
  .tuple(fc.constantFrom(...BLOCKS), fc.nat(1), fc.constantFrom(0, 1, 15, 16, 511))
  .map(([block, large, small]) => block + large * 512 + small);

const aligned = fc
  .tuple(page, fc.constantFrom(...SIZES))
  .map(([page, pages]) => ({ page: page - (page % pages), pages }));

const mapping = fc
  .tuple(aligned, fc.integer({ min: 4, max: 6 }), fc.constantFrom(0, 512, 513), fc.boolean())
  .map(([at, block, shifted, write]) => ({
    ...at,
    // Frames that are not aligned to the size make smaller pages; of 1G by 4K there would be too many.
    frame: block * 2 ** 18 + (at.page % 2 ** 18) + (at.pages === 2 ** 18 ? 0 : shifted),
    write,
  }));

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 1, arbitrary: mapping.map((at) => ({ kind: 'map' as const, ...at })) },
  { weight: 3, arbitrary: mapping.map((at) => ({ kind: 'remap' as const, ...at })) },
  { weight: 1, arbitrary: aligned.map((at) => ({ kind: 'unmap' as const, ...at })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(page, fc.constantFrom(12, 16, 21))
      .map(([page, shift]) => ({ kind: 'split' as const, page, shift })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(page, fc.constantFrom(16, 21, 30))
      .map(([page, shift]) => ({ kind: 'collapse' as const, page, shift })),
  },
  { weight: 2, arbitrary: aligned.map((at) => ({ kind: 'harvest' as const, ...at })) },
  {
    weight: 12,
    arbitrary: fc
      .tuple(page, fc.constantFrom<DmaAccess>('read', 'write', 'write', 'atomic'))
      .map(([page, access]) => ({ kind: 'dma' as const, page, access })),
  },
  { weight: 2, arbitrary: page.map((page) => ({ kind: 'prefetch' as const, page })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'evict' as const }) },
);

const conditions: fc.Arbitrary<Conditions> = fc.record({
  seed: fc.nat(),
  ats: fc.boolean(),
  cachesNotPresent: fc.boolean(),
  rules: fc.record({
    iotlb: fc.constantFrom(
      { sets: 1024, ways: 4 },
      { sets: 2, ways: 2 },
      { sets: 1, ways: 1 },
      { sets: 0, ways: 0 },
    ),
    walkCache: fc.constantFrom({ sets: 64, ways: 4 }, { sets: 1, ways: 2 }, { sets: 0, ways: 0 }),
    deviceTlbEntries: fc.constantFrom(64, 2, 0),
    evictEvery: fc.constantFrom(0, 2, 8),
    prefetchEvery: fc.constantFrom(0, 3),
  }),
});

/** How a run departs from the plain one. */
interface Departure {
  /** Every flush is of everything; or none is done. */
  readonly flush?: 'everything' | 'nothing';
  /** An eviction of all caches before this operation. */
  readonly evictAt?: number;
  /** The device does so many accesses. */
  readonly budget?: number;
}

interface Run {
  /** What each access met. */
  readonly met: string[];
  readonly wrong: string[];
}

function attach(bench: InvalidationBench, choice: TableChoice, ats: boolean): KernelDomain {
  const { shape, stage } = choice;
  const domain = bench.domain(1, { ...shape(bench.capabilities), stage, granularity: 'table' });
  valueOf(bench.run(bench.driver.attach(DEVICE, null, { kind: 'paging', domain }, { ats })));
  if (bench.driver.dirtyStages.includes(stage))
    valueOf(bench.run(bench.driver.setDirtyTracking(domain, true)));
  return domain;
}

function depart(domain: KernelDomain, { flush }: Departure): void {
  const { tables } = domain;
  const { flusher } = tables;
  if (flush === 'everything') {
    tables.flusher = { ...flusher, flush: () => flusher.flushAll() };
  } else if (flush === 'nothing') {
    tables.flusher = {
      ...flusher,
      *flush() {
        yield { kind: 'software', name: 'no flush' };
        return done(null);
      },
    };
  }
}

function play(
  choice: TableChoice,
  operations: readonly Operation[],
  conditions: Conditions,
  departure: Departure = {},
): Run {
  const bench = new InvalidationBench(choice.vendor, conditions);
  const domain = attach(bench, choice, conditions.ats ?? false);
  const { tables } = domain;
  depart(domain, departure);
  const met: string[] = [];
  const wrong: string[] = [];
  let accesses = 0;
  for (const [index, operation] of operations.entries()) {
    if (index === departure.evictAt) while (bench.iommu.evict());
    switch (operation.kind) {
      case 'map':
      case 'remap': {
        const { page, pages, frame, write } = operation;
        if (operation.kind === 'remap') bench.run(tables.unmap(page, pages));
        bench.run(tables.map(page, frame, pages, write ? 3 : 1));
        break;
      }
      case 'unmap':
        bench.run(tables.unmap(operation.page, operation.pages));
        break;
      case 'split':
        // By steps: 1G at once by 4K takes 262,144 entries.
        for (const shift of new Set([21, operation.shift])) bench.run(tables.split(operation.page, shift));
        break;
      case 'collapse':
        bench.run(tables.collapse(operation.page, operation.shift));
        break;
      case 'harvest':
        bench.run(
          tables.readAndClearDirty({ startPage: operation.page, pages: operation.pages, clear: true }),
        );
        break;
      case 'dma': {
        if (accesses++ >= (departure.budget ?? Infinity)) break;
        const outcome = bench.access(operation.page, operation.access);
        met.push(outcome.met);
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
      wrong.push(`${index}: after ${operation.kind}: ${where}: ${staleness.says}`);
  }
  return { met, wrong };
}

const choices = EMULATED_KINDS.flatMap((kind) => tableChoices(kind)).filter(
  ({ id }) => !id.endsWith('16k') && !id.endsWith('64k'),
);
/** All of a page of 1G, and parts of another. */
const START: readonly Operation[] = [
  { kind: 'map', page: 0x4_0000, pages: 2 ** 18, frame: 4 * 2 ** 18, write: true },
  { kind: 'map', page: 0x8_0000, pages: 512, frame: 5 * 2 ** 18, write: true },
  { kind: 'map', page: 0x8_0200, pages: 512, frame: 5 * 2 ** 18 + 1, write: true },
];
const operations = fc
  .array(operation, { minLength: 10, maxLength: 40, size: 'max' })
  .map((each) => [...START, ...each]);

for (const choice of choices) {
  describe(`invalidation: ${choice.title} of ${choice.vendor}`, function () {
    this.timeout(60_000);

    it("with the driver's flushes nothing stale is used or left, under any conditions", () => {
      fc.assert(
        fc.property(operations, conditions, (run, given) => {
          assert.deepEqual(play(choice, run, given).wrong, []);
        }),
        { numRuns: 12 },
      );
    });

    it('a stronger invalidation, one more eviction or a smaller budget of the device changes nothing', () => {
      fc.assert(
        fc.property(operations, conditions, fc.nat(40), fc.nat(20), (run, given, evictAt, budget) => {
          const { met, wrong } = play(choice, run, given);
          assert.deepEqual(wrong, []);
          for (const departure of [{ flush: 'everything' }, { evictAt }] as const)
            assert.deepEqual(play(choice, run, given, departure), { met, wrong: [] });
          assert.deepEqual(play(choice, run, given, { budget }), { met: met.slice(0, budget), wrong: [] });
        }),
        { numRuns: 4 },
      );
    });

    it('without any flush something stale is found', () => {
      const found = fc
        .sample(fc.tuple(operations, conditions), { numRuns: 30, seed: 1 })
        .some(([run, given]) => play(choice, run, given, { flush: 'nothing' }).wrong.length > 0);
      assert.ok(found);
    });
  });
}
