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
