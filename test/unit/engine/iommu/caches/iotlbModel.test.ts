/** Any sequence of operations on the IOTLB, beside a list of what was put in. Ranges are compared page by page. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type CacheTag, type TranslationSelection } from '../../../../../src/engine/iommu/cacheOperation';
import { Iotlb } from '../../../../../src/engine/iommu/caches/iotlb';
import { type CachedTranslation } from '../../../../../src/engine/iommu/caches/translationCache';
import { SeededRandom } from '../../../../../src/engine/random';
import { cached } from './cachedEntries';

/** Pages lie above this, so that their number has more than 32 bits. */
const BASE = 2 ** 40;
const PAGES = 32;
const SHIFTS = [12, 13, 15, 16];

const page = fc.nat(PAGES - 1);
const vm = fc.nat(1);
const space = fc.integer({ min: -1, max: 2 });
const shift = fc.constantFrom(...SHIFTS);

const entry = fc
  .record({
    vm,
    space,
    page,
    guest: page,
    stage1: shift,
    stage2: shift,
    nested: fc.boolean(),
    global: fc.boolean(),
    part: fc.constantFrom(12, 64),
    permission: fc.nat(3),
    dirtyDone: fc.boolean(),
  })
  .map(({ vm, space, page, guest, stage1, stage2, nested, global, part, permission, dirtyDone }) => {
    const stage1Shift = space === -1 ? 0 : stage1;
    const stage2Shift = space === -1 || nested ? stage2 : 0;
    const shift = Math.min(stage1Shift || 64, stage2Shift || 64, part);
    const pages = 2 ** (shift - 12);
    const first = (of: number): number => BASE + of - (of % pages);
    return cached({
      vm,
      space,
      page: first(page),
      shift,
      stage1Shift,
      stage2Shift,
      guestPage: stage2Shift === 0 ? -1 : space === -1 ? first(page) : first(guest),
      global: global && space !== -1,
      permission,
      dirtyDone,
    });
  });

const range = fc
  .tuple(page, fc.nat(20))
  .map(([start, length]) => ({ startPage: BASE + start, endPage: BASE + start + length }));

const selection: fc.Arbitrary<TranslationSelection> = fc.record(
  {
    vm,
    space,
    keepsGlobal: fc.boolean(),
    stage1: fc.boolean(),
    pages: range,
    guestPages: range,
    largestShift: shift,
  },
  { requiredKeys: [] },
);

type Operation =
  | { readonly kind: 'insert'; readonly entry: CachedTranslation }
  | { readonly kind: 'lookup'; readonly tag: CacheTag; readonly page: number }
  | { readonly kind: 'invalidate'; readonly selection: TranslationSelection; readonly removesLarger: boolean }
  | { readonly kind: 'drop'; readonly which: number }
  | { readonly kind: 'evict' | 'clear' };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 120, arbitrary: entry.map((entry) => ({ kind: 'insert' as const, entry })) },
  {
    weight: 60,
    arbitrary: fc
      .tuple(vm, space, page)
      .map(([vm, space, page]) => ({ kind: 'lookup' as const, tag: { vm, space }, page: BASE + page })),
  },
  {
    weight: 40,
    arbitrary: fc
      .tuple(selection, fc.boolean())
      .map(([selection, removesLarger]) => ({ kind: 'invalidate' as const, selection, removesLarger })),
  },
  { weight: 30, arbitrary: fc.nat().map((which) => ({ kind: 'drop' as const, which })) },
  { weight: 10, arbitrary: fc.constant({ kind: 'evict' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
);

/** The pages of 2^shift bytes around one. */
function block(around: number, shift: number): Set<number> {
  const pages = 2 ** (shift - 12);
  const first = Math.floor(around / pages) * pages;
  return new Set(Array.from({ length: pages }, (_, index) => first + index));
}

const touches = (
  pages: Set<number>,
  { startPage, endPage }: { startPage: number; endPage: number },
): boolean => [...pages].some((page) => page >= startPage && page < endPage);

/** The rule as it is said: leaf bytes or cached bytes overlap; what is larger than the said size may stay. */
function isSelected(
  entry: CachedTranslation,
  selection: TranslationSelection,
  removesLarger: boolean,
): boolean {
  const { tag, global, shift, stage1Shift, stage2Shift, guestPage } = entry;
  const hasStage1 = tag.space !== -1;
  if (selection.vm !== undefined && tag.vm !== selection.vm) return false;
  if (selection.stage1 !== undefined && hasStage1 !== selection.stage1) return false;
  if (selection.space !== undefined) {
    const goesAsGlobal = global && selection.keepsGlobal !== true && selection.space !== -1;
    if (global ? !goesAsGlobal : tag.space !== selection.space) return false;
  }
  const counts = (size: number): boolean =>
    removesLarger || selection.largestShift === undefined || size <= selection.largestShift;
  const isIn = (page: number, leaf: number, pages: { startPage: number; endPage: number }): boolean =>
    (counts(shift) && touches(block(page, shift), pages)) ||
    (counts(leaf) && touches(block(page, leaf), pages));
  if (selection.pages && !isIn(entry.page, hasStage1 ? stage1Shift : stage2Shift, selection.pages))
    return false;
  if (selection.guestPages && (guestPage < 0 || !isIn(guestPage, stage2Shift, selection.guestPages)))
    return false;
  return true;
}

const isSame = (a: CachedTranslation, b: CachedTranslation): boolean =>
  a.page === b.page &&
  a.shift === b.shift &&
  a.tag.vm === b.tag.vm &&
  (a.tag.space === b.tag.space || (a.global && b.global));

const matches = (entry: CachedTranslation, tag: CacheTag, page: number): boolean =>
  entry.tag.vm === tag.vm &&
  (entry.tag.space === tag.space || (entry.global && tag.space !== -1)) &&
  page >= entry.page &&
  page < entry.page + 2 ** (entry.shift - 12);

const text = (entries: Iterable<CachedTranslation>): string[] =>
  [...entries].map((each) => JSON.stringify(each)).sort();

/** Does an operation on the cache; `held` is what it held before. Returns what it must hold now, but for what it evicts. */
function apply(cache: Iotlb, held: readonly CachedTranslation[], operation: Operation): CachedTranslation[] {
  switch (operation.kind) {
    case 'insert':
      cache.insert(operation.entry);
      return [...held.filter((each) => !isSame(each, operation.entry)), operation.entry];
    case 'lookup': {
      const found = cache.lookup(operation.tag, operation.page);
      const good = held.filter((each) => matches(each, operation.tag, operation.page));
      if (!found) assert.deepEqual(good, [], 'a miss although it is held');
      else {
        assert.ok(text(good).includes(JSON.stringify(found)), 'found what is not held');
        assert.equal(found.shift, Math.min(...good.map((each) => each.shift)), 'the smallest one');
      }
      return [...held];
    }
    case 'invalidate': {
      const left = held.filter((each) => !isSelected(each, operation.selection, operation.removesLarger));
      assert.equal(cache.invalidate(operation.selection, operation.removesLarger), held.length - left.length);
      return left;
    }
    case 'drop': {
      const dropped = held[operation.which % Math.max(held.length, 1)];
      if (dropped) cache.drop(dropped);
      return held.filter((each) => each !== dropped);
    }
    case 'evict':
      assert.equal(cache.evictOne(), held.length > 0);
      return [...held];
    case 'clear':
      cache.clear();
      return [];
  }
}

/** How many entries an operation may lose beside what it is for. */
const mayLose = (operation: Operation, held: number): number =>
  operation.kind === 'evict' ? Math.min(1, held) : operation.kind === 'insert' ? 1 : 0;

function check(sets: number, ways: number, operations: readonly Operation[], losesNone: boolean): void {
  const cache = new Iotlb({ sets, ways }, new SeededRandom(7));
  let held: CachedTranslation[] = [];
  for (const operation of operations) {
    const expected = apply(cache, held, operation);
    const now = [...cache.entries()];
    const [wanted, have] = [text(expected), text(now)];
    assert.equal(cache.size, now.length);
    for (const each of have)
      assert.ok(wanted.includes(each), `${operation.kind}: holds what it must not: ${each}`);
    const lost = losesNone && operation.kind === 'insert' ? 0 : mayLose(operation, held.length);
    assert.ok(have.length >= wanted.length - lost, `${operation.kind}: lost ${wanted.length - have.length}`);
    if (operation.kind === 'insert') assert.ok(have.includes(JSON.stringify(operation.entry)));
    held = now;
  }
}

describe('IOTLB beside a list', () => {
  const operations = fc.array(operation, { maxLength: 80, size: 'max' });

  it('is the list while nothing has to be replaced', () => {
    fc.assert(
      fc.property(operations, (each) => {
        check(1, 64, each, true);
      }),
      { numRuns: 300 },
    );
  });

  it('in any geometry holds what was put in and not invalidated since, and loses one entry at a time at most', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 4, 8), fc.constantFrom(1, 2, 4), operations, (sets, ways, each) => {
        check(sets, ways, each, false);
      }),
      { numRuns: 400 },
    );
  });
});
