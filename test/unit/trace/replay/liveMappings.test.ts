import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LiveMappings, type MappingSnapshot } from '../../../../src/trace/replay/liveMappings';

/** The same as a frame and a row for each page. */
type Model = Map<number, { readonly frame: number; readonly row: number }>;

const pagesOf = (live: LiveMappings): Model => {
  const pages: Model = new Map();
  let last = 0;
  for (const { start, end, frame, row } of live.within()) {
    assert.ok(start >= last && end > start, 'mappings are in order and do not meet');
    last = end;
    for (let page = start; page < end; page++) pages.set(page, { frame: frame + page - start, row });
  }
  return pages;
};

function check(live: LiveMappings, model: Model): void {
  const sorted = new Map([...model].sort(([one], [other]) => one - other));
  assert.deepEqual(pagesOf(live), sorted);
  assert.equal(live.pages, model.size);
  assert.equal(live.count, [...live.within()].length);
  assert.equal(live.end, Math.max(0, ...[...model.keys()].map((page) => page + 1)));
}

const STEP = fc.record({
  what: fc.constantFrom('map', 'map', 'map', 'unmap', 'keep', 'back'),
  page: fc.nat(400),
  pages: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 200 })),
  which: fc.nat(1000),
});

describe('live mappings of an address space', () => {
  it('are what a list of pages says, through maps, unmaps of parts and of several, snapshots and ways back', () => {
    fc.assert(
      fc.property(fc.array(STEP, { minLength: 20, maxLength: 300 }), (steps) => {
        const live = new LiveMappings();
        let model: Model = new Map();
        const kept: { readonly snapshot: MappingSnapshot; readonly model: Model }[] = [];
        for (const [row, { what, page, pages, which }] of steps.entries()) {
          const end = page + pages;
          if (what === 'map') {
            live.map(page, end, row * 1000, row);
            for (let at = page; at < end; at++) model.set(at, { frame: row * 1000 + at - page, row });
          } else if (what === 'unmap') {
            let gone = 0;
            for (let at = page; at < end; at++) if (model.delete(at)) gone++;
            assert.equal(live.unmap(page, end), gone);
          } else if (what === 'keep') kept.push({ snapshot: live.snapshot(), model: new Map(model) });
          else {
            const back = kept[which % Math.max(1, kept.length)];
            if (back) live.restore(back.snapshot);
            if (back) model = new Map(back.model);
          }
          const first = live.first(page, end);
          const expected = [...model.keys()].filter((each) => each >= page && each < end);
          assert.equal(first === undefined, expected.length === 0);
          if (first) assert.ok(first.start <= Math.min(...expected) && first.end > Math.min(...expected));
          assert.equal(live.meets(page, end), expected.length > 0);
        }
        check(live, model);
        for (const { snapshot, model: then } of kept) check(LiveMappings.of(snapshot), then);
      }),
      { numRuns: 60 },
    );
  });

  it('are what a list of pages says through long runs of rising and falling pages', () => {
    const RUN = fc.record({
      maps: fc.constantFrom(true, true, false),
      page: fc.nat(2000),
      step: fc.constantFrom(-5, -2, -1, 1, 2, 7),
      count: fc.nat(400),
    });
    fc.assert(
      fc.property(fc.array(RUN, { minLength: 4, maxLength: 12 }), (runs) => {
        const live = new LiveMappings();
        const model: Model = new Map();
        for (const [row, { maps, page, step, count }] of runs.entries()) {
          for (let index = 0; index < count; index++) {
            const at = page + 2000 + step * index;
            assert.equal(live.meets(at, at + 1), model.has(at));
            if (maps) {
              live.map(at, at + 1, at * 3, row);
              model.set(at, { frame: at * 3, row });
            } else assert.equal(live.unmap(at, at + 1), model.delete(at) ? 1 : 0);
          }
          check(live, model);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('may be a million, each still quick to find and to take away', () => {
    const live = new LiveMappings();
    const count = 1_000_000;
    // Every third page, in an order that is neither rising nor falling.
    for (let index = 0; index < count; index++)
      live.map(((index * 617) % count) * 3, ((index * 617) % count) * 3 + 1, index, index);
    assert.equal(live.count, count);
    const before = live.snapshot();
    for (let index = 0; index < count; index += 2) assert.equal(live.unmap(index * 3, index * 3 + 2), 1);
    assert.equal(live.count, count / 2);
    assert.equal(live.first(300, 303), undefined);
    assert.deepEqual(live.first(303, 306)?.start, 303);
    assert.equal(LiveMappings.of(before).count, count);
    assert.deepEqual(LiveMappings.of(before).first(300, 303)?.start, 300);
  });

  it('stay whole where an unmap takes nothing', () => {
    const live = new LiveMappings();
    live.map(100, 108, 5000, 1);
    assert.equal(live.unmap(104, 104), 0);
    assert.equal(live.count, 1);
    assert.equal(live.pages, 8);
  });

  it('fill their blocks where IOVAs rise, or fall, and make one of blocks that few are left in', () => {
    const COUNT = 12_800;
    const blocks = (live: LiveMappings): number => live.snapshot().list.blocks.length;
    for (const place of [(index: number) => index, (index: number) => 2 * COUNT - index]) {
      const live = new LiveMappings();
      // Two that lie around all others: they go between blocks, too.
      for (const page of [0, 4 * COUNT]) live.map(page, page + 1, page, 0);
      for (let index = 1; index <= COUNT; index++)
        live.map(2 * place(index), 2 * place(index) + 1, index, index);
      assert.ok(blocks(live) <= COUNT / 128 + 2, `${blocks(live)} blocks`);
      for (let index = 1; index <= COUNT; index++)
        if (index % 64 !== 0) assert.equal(live.unmap(2 * place(index), 2 * place(index) + 1), 1);
      assert.equal(live.count, COUNT / 64 + 2);
      assert.ok(blocks(live) <= 12, `${blocks(live)} blocks`);
    }
  });

  it('end at 2^52 pages, and keep frames that are not known', () => {
    const live = new LiveMappings();
    live.map(2 ** 52 - 4, 2 ** 52, Number.NaN, 7);
    live.unmap(2 ** 52 - 3, 2 ** 52 - 2);
    assert.deepEqual(
      [...live.within()].map(({ start, end, frame, row }) => [2 ** 52 - start, 2 ** 52 - end, frame, row]),
      [
        [4, 3, Number.NaN, 7],
        [2, 0, Number.NaN, 7],
      ],
    );
  });
});
