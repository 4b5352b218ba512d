import assert from 'node:assert/strict';

import * as fc from 'fast-check';

import { compileFilter, type Filter, type LeafFacts } from '../../../src/engine/filter/filter';
import { condition, factsOf, leaf, model } from './filterModel';

const seed = process.env['FUZZ_SEED'];
const parameters = seed === undefined ? {} : { seed: Number(seed) };

function filterOf(text: string): Filter {
  const compilation = compileFilter(text);
  assert.ok(compilation.ok, `${text}: ${JSON.stringify(compilation)}`);
  return compilation.filter;
}

/** A 2 MiB leaf, read and write, accessed, not dirty: IOVA 0x40200000, physical 0x1_0000_0000. */
const LEAF: LeafFacts = {
  iovaPage: 0x40200,
  pages: 512,
  frame: 0x10_0000,
  permission: 3,
  accessed: true,
  dirty: false,
  level: 2,
  lo: 0x0000_0183,
  hi: 1,
};

const matches = (text: string, leafFacts: Partial<LeafFacts> = {}): boolean =>
  filterOf(text).matches({ ...LEAF, ...leafFacts });

const bounds = (text: string): (readonly [number, number])[] =>
  filterOf(text).iovaBounds.map(({ startPage, endPage }) => [startPage, endPage]);

describe('filter language', () => {
  it('means what a second evaluator over bigints says, and its bounds lose no leaf', () => {
    const property = fc.property(
      model,
      fc.array(leaf, { minLength: 8, maxLength: 8 }),
      ({ text, holds }, leaves) => {
        fc.pre(text.length <= 10_000);
        const { matches: test, iovaBounds } = filterOf(text);
        for (const row of leaves) {
          const facts = factsOf(row);
          assert.equal(test(facts), holds(row), text);
          const end = facts.iovaPage + facts.pages;
          const reachable = iovaBounds.some(
            ({ startPage, endPage }) => facts.iovaPage < endPage && end > startPage,
          );
          if (holds(row)) assert.ok(reachable, `${text}: bounds leave out ${row.iova}`);
        }
      },
    );
    fc.assert(property, { ...parameters, numRuns: 1500 });
  });

  it('agrees condition by condition', () => {
    const property = fc.property(condition, leaf, ({ text, holds }, row) => {
      assert.equal(filterOf(text).matches(factsOf(row)), holds(row), text);
    });
    fc.assert(property, { ...parameters, numRuns: 5000 });
  });

  it('reads the example of the documentation', () => {
    const text = 'perm = rw and size >= 2M and iova in 0x40200000..0x40300000 and not dirty';
    assert.ok(matches(text));
    assert.ok(!matches(text, { dirty: true }));
    assert.ok(!matches(text, { permission: 1 }));
    assert.ok(!matches(text, { pages: 1 }));
    assert.ok(!matches(text, { iovaPage: 0x40400 }));
  });

  it('lets everything through when it is empty', () => {
    for (const text of ['', '   ', '\n\t']) {
      assert.ok(matches(text));
      assert.equal(filterOf(text).empty, true);
      assert.deepEqual(bounds(text), [[0, 2 ** 52]]);
    }
    assert.equal(filterOf('dirty').empty, false);
  });

  it('binds not before and before or', () => {
    assert.ok(matches('accessed or dirty and dirty'));
    assert.ok(!matches('(accessed or dirty) and dirty'));
    assert.ok(!matches('not accessed or dirty'));
    assert.ok(matches('not (not accessed or dirty)'));
    assert.ok(matches('not not accessed'));
  });

  it('tells exactly from containing for permissions', () => {
    assert.ok(!matches('perm = w'));
    assert.ok(matches('perm has w'));
    assert.ok(matches('perm in (r, rw)'));
    assert.ok(!matches('perm in (r, w)'));
    assert.ok(matches('perm = none', { permission: 0 }));
  });

  it('compares 64 bits exactly', () => {
    const word = { lo: 0x0000_0001, hi: 0x8000_0000 };
    assert.ok(matches('entry = 0x8000_0000_0000_0001', word));
    assert.ok(!matches('entry = 0x8000_0000_0000_0000', word));
    assert.ok(matches('entry > 9223372036854775808', word));
    assert.ok(matches('entry & 0x8000000000000000', word));
    assert.ok(!matches('entry & 0x7fffffffffffffff > 1', word));
    const last = { iovaPage: 2 ** 52 - 1, pages: 1 };
    assert.ok(matches('iova = 0xffff_ffff_ffff_ffff', last));
    assert.ok(matches('iova in 16383P..0x1_0000_0000_0000_0000', last));
    assert.ok(!matches('iova < 0xffff_ffff_ffff_f000', last));
    assert.ok(!matches('iova > 0xffff_ffff_ffff_ffff', last));
  });

  it('takes signed halves of an entry, as bit operations give them', () => {
    assert.ok(matches('entry = 0xffffffff_fffff803', { lo: -2045, hi: -1 }));
    assert.ok(matches('snoop and entry > 1', { lo: -2045, hi: -1 }));
  });

  it('accepts the spellings of other languages and any case', () => {
    assert.ok(matches('PERM == RW && !Dirty || dirty'));
    assert.ok(matches('Size <> 4KiB AND LEVEL IN (2, 3)'));
  });

  it('reads long chains without a deep stack', () => {
    const chain = Array.from({ length: 700 }, () => 'dirty').join(' or ');
    assert.ok(!matches(chain));
    assert.ok(matches(`${chain} or accessed`));
    assert.ok(!matches(`${chain.replaceAll('dirty', 'accessed').replaceAll('or', 'and')} and dirty`));
  });
});

describe('filter bounds', () => {
  it('are the pages that conditions on iova leave', () => {
    assert.deepEqual(bounds('iova in 0x1000..0x2000'), [[1, 2]]);
    assert.deepEqual(bounds('iova in 0x1001..0x2001'), [[1, 3]]);
    assert.deepEqual(bounds('iova = 0x5fff'), [[5, 6]]);
    assert.deepEqual(bounds('iova >= 0x1000 and iova < 0x3000'), [[1, 3]]);
    assert.deepEqual(bounds('iova in (0x1000, 0x2000, 0x9000)'), [
      [1, 3],
      [9, 10],
    ]);
    assert.deepEqual(bounds('iova = 0x1000 or dirty'), [[0, 2 ** 52]]);
    assert.deepEqual(bounds('iova = 0x1000 and (dirty or perm = rw)'), [[1, 2]]);
    assert.deepEqual(bounds('iova != 0x1000'), [
      [0, 1],
      [2, 2 ** 52],
    ]);
    assert.deepEqual(bounds('not (iova < 0x4000 or iova >= 0x6000)'), [[4, 6]]);
    assert.deepEqual(bounds('iova < 0'), []);
    assert.deepEqual(bounds('paddr in 0x1000..0x2000'), [[0, 2 ** 52]]);
  });

  it('keep the leaf that reaches from one range to another', () => {
    const text = 'iova = 0x40200000 and iova = 0x403ff000';
    assert.ok(matches(text));
    assert.deepEqual(bounds(text), [[0x40200, 0x40201]]);
  });
});
