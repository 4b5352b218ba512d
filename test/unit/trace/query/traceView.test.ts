import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { TestTrace } from '../../../builders/trace';
import { findNext, findPrevious } from '../../../../src/trace/query/find';
import { seekIova, seekRow, seekTime } from '../../../../src/trace/query/seek';
import { compileTraceFilter } from '../../../../src/trace/query/traceFilter';
import { TraceView } from '../../../../src/trace/query/traceView';
import {
  filterFrom,
  finish,
  type Model,
  model,
  type ModelFilter,
  modelFilter,
  ORIGIN,
  parameters,
} from './model';

function viewOf({ trace, spaces }: Model, text: string): TraceView {
  const view = new TraceView(trace, filterFrom(compileTraceFilter(text, trace, spaces)));
  finish(view.scan());
  return view;
}

const anyFilter: fc.Arbitrary<ModelFilter> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ text: '', test: () => true }) },
  { weight: 3, arbitrary: modelFilter },
);
const matching = ({ rows }: Model, { test }: ModelFilter): number[] =>
  rows.filter(test).map(({ row }) => row);

describe('view of a trace', () => {
  it('selects and ranks as a plain list does', () => {
    fc.assert(
      fc.property(model, anyFilter, (made, filter) => {
        const wanted = matching(made, filter);
        const view = viewOf(made, filter.text);
        assert.equal(view.total, wanted.length);
        assert.equal(view.scanned, made.rows.length);
        assert.ok(view.complete);
        for (let index = -1; index <= wanted.length; index++)
          assert.equal(view.select(index), wanted[index] ?? -1, filter.text);
        for (let row = -1; row <= made.rows.length + 1; row++) {
          assert.equal(view.rank(row), wanted.filter((one) => one < row).length);
          assert.equal(view.has(row), wanted.includes(row));
          assert.equal(view.after(row), wanted.find((one) => one >= row) ?? -1);
        }
        for (const [first, count] of [
          [0, 5],
          [3, 1],
          [wanted.length - 2, 10],
          [wanted.length, 1],
        ] as const)
          if (first >= 0) assert.deepEqual(view.rows(first, count), wanted.slice(first, first + count));
      }),
      { ...parameters, numRuns: 300 },
    );
  });

  it('grows with its trace, and has what it found so far', () => {
    const trace = new TestTrace([{ cpu: 1 }, { cpu: 2 }], { chunkRows: 2 });
    const filter = filterFrom(compileTraceFilter('cpu = 1', trace));
    const [view, all] = [new TraceView(trace, filter), new TraceView(trace)];
    trace.add([{ cpu: 1 }, { cpu: 1 }, { cpu: 2 }, { cpu: 1 }]);
    const scan = view.scan();
    scan.next();
    assert.deepEqual([view.total, view.scanned, view.complete], [1, 2, false]);
    assert.deepEqual([all.total, all.select(5), all.rank(4), all.complete], [6, 5, 4, false]);
    // A second scan of the same view, at the same time, asks nothing twice.
    finish(view.scan());
    finish(scan);
    trace.complete = true;
    assert.deepEqual([view.total, view.complete, all.complete], [4, true, true]);
    assert.deepEqual(view.rows(0, 9), [0, 2, 3, 5]);
  });

  it('holds no columns once its rows are asked', () => {
    const trace = new TestTrace([{ cpu: 1 }, { cpu: 2 }]);
    let loads = 0;
    const load = trace.load.bind(trace);
    trace.load = (chunk) => {
      loads++;
      return load(chunk);
    };
    const filter = filterFrom(compileTraceFilter('cpu = 1', trace));
    const bits = new Int32Array(2048);
    finish(new TraceView(trace, filter).scan());
    const scanned = loads;
    filter.ask(0, 0, 2, undefined, bits);
    assert.deepEqual([scanned, loads, bits[0]], [1, 2, 1]);
  });

  it('of nothing is empty', () => {
    const view = new TraceView(new TestTrace());
    assert.deepEqual([view.total, view.select(0), view.rank(5), view.after(0)], [0, -1, 0, -1]);
  });
});

describe('find in a view', () => {
  it('goes both ways as a plain list does', () => {
    fc.assert(
      fc.property(
        model,
        anyFilter,
        modelFilter,
        fc.integer({ min: -2, max: 160 }),
        (made, filter, query, from) => {
          const rows = matching(made, filter);
          const view = viewOf(made, filter.text);
          const asked = filterFrom(compileTraceFilter(query.text, made.trace, made.spaces));
          const matches = rows.flatMap((row, index) => {
            const facts = made.rows[row];
            return facts && query.test(facts) ? [{ index, row }] : [];
          });
          const next = matches.find(({ index }) => index >= from) ?? null;
          const previous = matches.filter(({ index }) => index <= from).at(-1) ?? null;
          assert.deepEqual(finish(findNext(view, asked, from)).result, next, query.text);
          assert.deepEqual(finish(findPrevious(view, asked, from)).result, previous, query.text);
        },
      ),
      { ...parameters, numRuns: 400 },
    );
  });

  it('asks lines in small steps, from where it is on', () => {
    const trace = new TestTrace(
      Array.from({ length: 40_000 }, () => ({})),
      { chunkRows: 40_000 },
    );
    const view = new TraceView(trace);
    const filter = filterFrom(compileTraceFilter('text has "other 3"', trace));
    assert.deepEqual(finish(findNext(view, filter, 3)), { result: { index: 3, row: 3 }, steps: [] });
    const far = finish(findPrevious(view, filterFrom(compileTraceFilter('text has 39999', trace)), 30_000));
    assert.equal(far.result, null);
    assert.ok(far.steps.length > 3 && far.steps.every((rows) => rows <= 8192));
  });
});

describe('seek in a view', () => {
  it('comes to a row, a time and an address as a plain list does', () => {
    const place = fc.tuple(fc.integer({ min: 0, max: 160 }), fc.integer({ min: -1, max: 5001 }));
    fc.assert(
      fc.property(model, anyFilter, place, (made, filter, [row, us]) => {
        const wanted = matching(made, filter);
        const view = viewOf(made, filter.text);
        const at = (found: number): { index: number; row: number } | null => {
          const index = found < 0 ? -1 : wanted.findIndex((one) => one >= found);
          return index < 0 ? null : { index, row: wanted[index] ?? -1 };
        };
        assert.deepEqual(seekRow(view, row), at(row));
        const time = us * 1000;
        const timed = made.rows.findIndex((facts) => facts.time !== undefined && facts.time >= time);
        assert.deepEqual(finish(seekTime(view, time)).result, at(timed));
        const iova = BigInt(made.rows[row]?.iova ?? 0x1000);
        const holds = (one: number): boolean => {
          const { iova: start, size = 0 } = made.rows[one] ?? {};
          return start !== undefined && BigInt(start) <= iova && iova < BigInt(start) + (BigInt(size) || 1n);
        };
        const hit = wanted.find((one) => one >= row && holds(one)) ?? wanted.find(holds) ?? -1;
        assert.deepEqual(finish(seekIova(view, iova, row)).result, at(hit));
      }),
      { ...parameters, numRuns: 300 },
    );
  });

  it('comes to the first row that is late enough where time runs backwards', () => {
    const times = [100, 200, 50, 60, 300, 10, 400];
    const trace = new TestTrace(
      times.map((time) => ({ time: time * 1000 })),
      { chunkRows: 2, origin: ORIGIN },
    );
    const view = new TraceView(trace);
    const rowAt = (time: number): number | undefined => finish(seekTime(view, time * 1000)).result?.row;
    assert.deepEqual([0, 55, 150, 201, 301, 401].map(rowAt), [0, 0, 1, 4, 6, undefined]);
  });
});
