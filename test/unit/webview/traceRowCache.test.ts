import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type TraceRowModel } from '../../../src/webview/messages/traceMessages';
import { RowCache } from '../../../src/webview/trace/rowCache';

interface Asked {
  readonly first: number;
  readonly count: number;
  readonly got: (rows: readonly TraceRowModel[] | undefined) => void;
}

const rowsFrom = (first: number, count: number): TraceRowModel[] =>
  Array.from({ length: count }, (_, index) => ({ row: first + index }) as TraceRowModel);

describe('rows of a trace that the page keeps', () => {
  let asked: Asked[];
  let cache: RowCache;
  beforeEach(() => {
    asked = [];
    cache = new RowCache(
      (first, count, got) => asked.push({ first, count, got }),
      () => undefined,
    );
  });
  afterEach(() => cache.clear());
  const answerAll = (): void => {
    for (const { first, count, got } of asked.splice(0)) got(rowsFrom(first, count));
  };

  it('asks for what shows, never for rows that are not there, and never for none', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000_000 }),
        fc.integer({ min: 0, max: 100_000_000 }),
        fc.integer({ min: 1, max: 300 }),
        (total, at, height) => {
          cache.clear();
          asked = [];
          const first = Math.min(at, Math.max(0, total - 1));
          const end = Math.min(total, first + height);
          cache.want(first, end, total);
          for (const { first: from, count } of asked)
            assert.ok(count >= 1 && count <= 200 && from + count <= total, `${from} ${count} of ${total}`);
          for (let turns = 0; turns < 4; turns++) answerAll();
          for (let index = first; index < end; index++) assert.equal(cache.row(index)?.row, index);
        },
      ),
    );
  });

  it('asks for a tile again when the trace has grown into it', () => {
    cache.want(0, 40, 50);
    answerAll();
    assert.equal(cache.row(60), undefined);
    cache.want(0, 40, 150);
    assert.deepEqual([asked[0]?.first, asked[0]?.count], [0, 150]);
    answerAll();
    assert.equal(cache.row(60)?.row, 60);
  });

  it('drops what comes of before it was cleared', () => {
    cache.want(0, 40, 1000);
    const [before] = asked;
    cache.clear();
    before?.got(rowsFrom(0, 200));
    assert.equal(cache.row(0), undefined);
  });

  it('asks once for what it cannot have, and again when that may have changed', () => {
    const want = (): number => {
      const before = asked.length;
      cache.want(0, 40, 100);
      return asked.length - before;
    };
    assert.equal(want(), 1);
    asked[0]?.got(undefined);
    assert.equal(want(), 0);
    cache.retry();
    assert.equal(want(), 1);
  });

  it('forgets the rows that were wanted longest ago', () => {
    for (let tile = 0; tile < 200; tile++) {
      cache.want(tile * 200, tile * 200 + 30, 100_000_000);
      answerAll();
    }
    assert.equal(cache.row(0), undefined);
    assert.equal(cache.row(199 * 200)?.row, 199 * 200);
    let kept = 0;
    for (let index = 0; index < 200 * 202; index += 200) if (cache.row(index)) kept++;
    assert.ok(kept <= 64, String(kept));
  });
});
