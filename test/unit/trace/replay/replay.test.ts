import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type RowFacts } from '../../../builders/trace';
import { FINDING_KINDS } from '../../../../src/trace/replay/findingKinds';
import { historyOf } from '../../../../src/trace/replay/history';
import { TooManyMappings } from '../../../../src/trace/replay/tooMany';
import { finish, liveAfter, map, replayed, type Replayed, unmap } from './replayed';

const DEVICES = ['0000:00:02.0', '0000:00:03.0'];

const ROW: fc.Arbitrary<RowFacts> = fc
  .record({
    what: fc.constantFrom('map', 'map', 'unmap', 'other'),
    page: fc.nat(60),
    pages: fc.integer({ min: 1, max: 8 }),
    frame: fc.nat(100_000),
    device: fc.constantFrom(...DEVICES),
    part: fc.nat(3),
  })
  .map(({ what, page, pages, frame, device, part }) => {
    if (what === 'map') return map(page, pages, frame, { device });
    const done = part === 0 ? { done: (pages - 1) * 4096 } : {};
    return what === 'unmap' ? unmap(page, pages, { device, ...done }) : { operation: 'other', device };
  });

/** Pages of each device by their frames, after rows. */
function modelAfter(rows: readonly RowFacts[]): readonly string[] {
  const pages = new Map<string, Map<number, number>>();
  for (const { operation, iova, size = 0, paddr, device = '', done = size } of rows) {
    if (operation !== 'map' && operation !== 'unmap') continue;
    const mapped = pages.get(device) ?? new Map<number, number>();
    pages.set(device, mapped);
    const [page, frame] = [Number(iova) / 4096, Number(paddr ?? 0) / 4096];
    for (let at = 0; at < done / 4096; at++)
      if (operation === 'map') mapped.set(page + at, frame + at);
      else mapped.delete(page + at);
  }
  return [...pages]
    .flatMap(([name, mapped]) => [...mapped].map(([page, frame]) => `${name} ${page}->${frame}`))
    .sort();
}

const pagesAfter = ({ replay }: Replayed, row: number): readonly string[] =>
  finish(replay.at(row))
    .flatMap(({ name, live }) =>
      [...live.within()].flatMap(({ start, end, frame }) =>
        Array.from({ length: end - start }, (_, at) => `${name} ${start + at}->${frame + at}`),
      ),
    )
    .sort();

describe('a replay', () => {
  it('has at any row, from wherever it comes, the pages that the rows before left', () => {
    fc.assert(
      fc.property(
        fc.array(ROW, { minLength: 1, maxLength: 300 }),
        fc.array(fc.nat(299), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (rows, jumps, interval, chunkRows) => {
          const trace = replayed(rows, { interval, chunkRows, budget: 50_000 });
          for (const jump of jumps) {
            const row = jump % rows.length;
            assert.deepEqual(pagesAfter(trace, row), modelAfter(rows.slice(0, row + 1)));
          }
          assert.deepEqual(pagesAfter(trace, -1), []);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keeps its snapshots in the budget, and the jumps right', () => {
    const rows = Array.from({ length: 4000 }, (_, index) =>
      map(index * 2, 1, index, { device: DEVICES[0] ?? '' }),
    );
    const trace = replayed(rows, { interval: 10, budget: 300_000 });
    const { all } = trace.replay.checkpoints;
    assert.ok(all.length > 4 && all.length < 200, `${all.length} snapshots`);
    for (const row of [3999, 17, 2000, 2001])
      assert.equal(finish(trace.replay.at(row))[0]?.live.count, row + 1);
  });

  it('tells how long a mapping lived: to the row that took the last of it, and the flush behind', () => {
    const [device] = DEVICES;
    assert.ok(device !== undefined);
    const flush = (page: number, pages: number): RowFacts => ({
      ...{ operation: 'flush', device, iova: page * 4096, size: pages * 4096 },
    });
    const rows = [
      map(100, 8, 5000, { device }),
      map(200, 1, 6000, { device }),
      unmap(100, 4, { device }),
      flush(100, 4),
      ...Array.from({ length: 50 }, (): RowFacts => ({ operation: 'other' })),
      unmap(104, 4, { device }),
      flush(104, 4),
      flush(96, 16),
      map(300, 1, 7000, { device }),
      map(300, 1, 7001, { device }),
    ];
    for (const interval of [1, 7, 1000]) {
      const { replay } = replayed(rows, { interval, chunkRows: 9 });
      const lifetimes = finish(replay.lifetimes([0, 1, 3, 57, 58]));
      assert.deepEqual(
        lifetimes.map(({ mapRow, unmapRow, flushRow }) => [mapRow, unmapRow, flushRow]),
        [
          [0, 54, 56],
          [1, null, null],
          [57, 58, null],
          [58, null, null],
        ],
      );
    }
  });

  it('finds the same ends of lifetimes as a walk from row to row', () => {
    fc.assert(
      fc.property(
        fc.array(ROW, { minLength: 1, maxLength: 150 }),
        fc.integer({ min: 1, max: 40 }),
        (rows, interval) => {
          const { replay } = replayed(rows, { interval, chunkRows: 16, budget: 30_000 });
          const mapRows = rows.flatMap(({ operation }, row) => (operation === 'map' ? [row] : []));
          const ends = new Map<number, number>();
          for (let row = 0; row < rows.length; row++) {
            const living = new Set(
              finish(replay.at(row)).flatMap(({ live }) => [...live.within()].map((each) => each.row)),
            );
            for (const mapRow of mapRows)
              if (mapRow < row && !living.has(mapRow) && !ends.has(mapRow)) ends.set(mapRow, row);
          }
          assert.deepEqual(
            finish(replay.lifetimes(mapRows)).map(({ mapRow, unmapRow }) => [mapRow, unmapRow]),
            mapRows.map((mapRow) => [mapRow, ends.get(mapRow) ?? null]),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lists every row whose range has an IOVA, a page at a time', () => {
    const [one = '', two = ''] = DEVICES;
    const rows: RowFacts[] = [
      map(100, 8, 5000, { device: one }),
      map(104, 1, 6000, { device: two }),
      { operation: 'fault', device: one, iova: 104 * 4096 + 5 },
      unmap(105, 1, { device: one }),
      unmap(100, 5, { device: one }),
      map(103, 1, 6000, { device: one }),
    ];
    const { replay, index } = replayed(rows, { chunkRows: 2 });
    const ask = (first: number, limit: number, space?: string) =>
      finish(
        historyOf(replay, {
          ...{ page: 104, first, limit },
          ...(space === undefined ? {} : { space: index.names.indexOf(space) }),
        }),
      );
    assert.deepEqual(ask(0, 10), { rows: [0, 1, 2, 4], total: 4, mapRows: [0, 1] });
    assert.deepEqual(ask(1, 2), { rows: [1, 2], total: 4, mapRows: [0, 1] });
    assert.deepEqual(ask(0, 10, two), { rows: [1], total: 1, mapRows: [1] });
  });

  it('takes what translations came upon for mappings where a trace has no maps, until it is flushed', () => {
    const device = 'sid 0x18';
    const translate = (page: number, frame: number, more: RowFacts = {}): RowFacts => ({
      ...{
        operation: 'translate',
        device,
        domain: 5,
        iova: page * 4096 + 2,
        paddr: frame * 4096 + 2,
        ...more,
      },
    });
    const { replay } = replayed([
      translate(100, 5000),
      translate(100, 5000),
      translate(512, 1024, { iova: 512 * 4096, paddr: 1024 * 4096, size: 2 ** 21 }),
      translate(101, 0, { flags: ['failed'] }),
      { operation: 'flush', domain: 5, iova: 100 * 4096, size: 4096 },
      { operation: 'flush', domain: 5, flags: ['domainWide'] },
    ]);
    assert.deepEqual(liveAfter(replay, 3), [`${device} 100-101->5000`, `${device} 512-1024->1024`]);
    assert.deepEqual(liveAfter(replay, 4), [`${device} 512-1024->1024`]);
    assert.deepEqual(liveAfter(replay, 5), []);
    assert.deepEqual(
      replay.notes.map(({ code }) => code),
      ['trace/observed'],
    );
    assert.equal(replay.findingPage(FINDING_KINDS, 0, 10).total, 0);
  });

  it('is refused where more mappings are live than are followed, with what to filter', () => {
    const rows = Array.from({ length: 64 }, (_, index) => map(index * 2, 1, index, { device: '00:02.0' }));
    assert.equal(replayed(rows, { interval: 16, mostMappings: 48 }).replay.rows, 64);
    assert.throws(
      () => replayed(rows, { interval: 16, mostMappings: 47 }),
      (error) =>
        error instanceof TooManyMappings &&
        error.failure.message.startsWith('Before row 49 more than 47 mappings are live') &&
        (error.failure.hint ?? '').includes('Filter the trace'),
    );
  });

  it('leaves out rows that failed, have no range, or are not whole pages, and says so', () => {
    const { replay } = replayed([
      map(100, 1, 5000, { flags: ['failed'] }),
      map(100, 1, 5000, { iova: 100 * 4096 + 1 }),
      map(100, 1, 5000, { size: 100 }),
      { operation: 'map', iova: 4096 },
      map(7, 1, 1, { paddr: 4097 }),
      { operation: 'map', iova: 8 * 4096, size: 4096 },
    ]);
    assert.deepEqual(liveAfter(replay, 5), ['space 1 7-8->?', 'space 1 8-9->?']);
    assert.deepEqual(
      replay.notes.map(({ code, message }) => [code, /: (\d+), the first in row \d+\.$/.exec(message)?.[1]]),
      [
        ['trace/failed', '1'],
        ['trace/unaligned', '2'],
        ['trace/no-range', '1'],
      ],
    );
  });
});
