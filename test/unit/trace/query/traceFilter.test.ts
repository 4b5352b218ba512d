import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { TestTrace } from '../../../builders/trace';
import { compileRowFilter } from '../../../../src/engine/filter/filter';
import { type RowSpaces } from '../../../../src/trace/model/spaces';
import { type Bits } from '../../../../src/trace/query/bits';
import {
  compileTextSearch,
  compileTraceFilter,
  completeTraceFilter,
} from '../../../../src/trace/query/traceFilter';
import { TraceCursor } from '../../../../src/trace/query/traceCursor';
import { traceVocabulary } from '../../../../src/trace/query/traceVocabulary';
import { TraceView } from '../../../../src/trace/query/traceView';
import { filterFrom, finish, lineOf, model, modelFilter, modelOf, parameters, SPACES } from './model';

const rowsOf = (text: string, trace: TestTrace): number[] => {
  const view = new TraceView(trace, filterFrom(compileTraceFilter(text, trace)));
  finish(view.scan());
  return view.rows(0, Infinity);
};

/** The rows that match when each is asked by itself. */
function rowByRow(text: string, trace: TestTrace, spaces: RowSpaces | undefined): number[] {
  const compiled = compileRowFilter<TraceCursor>(text, traceVocabulary(trace, spaces));
  assert.ok(compiled.ok);
  const cursor = new TraceCursor(trace, spaces);
  const found: number[] = [];
  for (const [chunk, { rows }] of trace.chunks.entries()) {
    cursor.enter(chunk);
    for (cursor.at = 0; cursor.at < rows; cursor.at++)
      if (compiled.filter.matches(cursor)) found.push(cursor.row);
  }
  return found;
}

const codes = (text: string, trace = new TestTrace()): string[] => {
  const compiled = compileTraceFilter(text, trace);
  return compiled.ok ? [] : compiled.problems.map(({ code }) => code);
};

describe('filter over a trace', () => {
  it('leaves the rows that a plain model leaves, by columns and row by row', () => {
    fc.assert(
      fc.property(model, modelFilter, ({ trace, rows, spaces }, { text, test }) => {
        const filter = filterFrom(compileTraceFilter(text, trace, spaces));
        const wanted = rows.filter(test).map(({ row }) => row);
        const view = new TraceView(trace, filter);
        finish(view.scan());
        assert.deepEqual(view.rows(0, Infinity), wanted, text);
        assert.deepEqual(rowByRow(text, trace, spaces), wanted, text);
      }),
      { ...parameters, numRuns: 400 },
    );
  });

  it('asks only rows of the mask', () => {
    fc.assert(
      fc.property(
        model,
        modelFilter,
        fc.array(fc.boolean(), { maxLength: 150 }),
        (made, { text, test }, wanted) => {
          const { trace, rows, spaces } = made;
          const filter = filterFrom(compileTraceFilter(text, trace, spaces));
          const bits: Bits = new Int32Array(2048);
          for (const [chunk, { first, rows: count }] of trace.chunks.entries()) {
            const mask: Bits = new Int32Array(2048);
            for (let row = 0; row < count; row++)
              if (wanted[first + row] === true) mask[row >> 5] = (mask[row >> 5] ?? 0) | (1 << (row & 31));
            filter.ask(chunk, 0, count, mask, bits);
            for (const row of rows.slice(first, first + count)) {
              const at = row.row - first;
              const found = ((bits[at >> 5] ?? 0) >>> (at & 31)) & 1;
              assert.equal(found === 1, wanted[row.row] === true && test(row), text);
            }
          }
        },
      ),
      { ...parameters, numRuns: 200 },
    );
  });

  it('knows names that the trace met after it was compiled', () => {
    const trace = new TestTrace([{ device: 'a', task: 'x', pid: 1 }]);
    const view = new TraceView(
      trace,
      filterFrom(compileTraceFilter('device = b or pid = 7 or event = late', trace)),
    );
    finish(view.scan());
    assert.equal(view.total, 0);
    trace.add([{ device: 'b' }, { task: 'y', pid: 7 }, { event: 'late' }, { device: 'c' }]);
    finish(view.scan());
    assert.deepEqual(view.rows(0, 9), [1, 2, 3]);
  });

  it('takes times as they are written and with units', () => {
    const trace = new TestTrace(
      [90_520_583_000, 90_520_600_000, 91_000_000_000].map((time) => ({ time })),
      { origin: 0n },
    );
    assert.deepEqual(rowsOf('time = 90.520583', trace), [0]);
    assert.deepEqual(rowsOf('time in 90.5..91', trace), [0, 1]);
    assert.deepEqual(rowsOf('delta = 17us', trace), [1]);
    assert.deepEqual(rowsOf('since >= 17us and since < 500ms', trace), [1, 2]);
    assert.deepEqual(rowsOf('delta > 100ms', trace), [2]);
  });

  it('passes over chunks by what is known of them without their columns', () => {
    const trace = new TestTrace(
      Array.from({ length: 100 }, (_, row) => ({
        operation: row < 50 ? ('map' as const) : ('unmap' as const),
        time: row * 1000,
        iova: row * 4096,
        size: 4096,
      })),
      { chunkRows: 10 },
    );
    const loaded: number[] = [];
    const load = trace.load.bind(trace);
    trace.load = (chunk) => {
      loaded.push(chunk);
      return load(chunk);
    };
    assert.deepEqual(rowsOf('iova in 0x5000..0x7000', trace), [5, 6]);
    assert.deepEqual(rowsOf('time = 25us', trace), [25]);
    assert.equal(rowsOf('op = map', trace).length, 50);
    assert.equal(rowsOf('row in 31..42', trace).length, 11);
    assert.deepEqual(new Set(loaded), new Set([0, 2]));
  });

  it('yields in steps that are small when lines have to be read', () => {
    const trace = new TestTrace(
      Array.from({ length: 20_000 }, () => ({})),
      { chunkRows: 20_000 },
    );
    const steps = (text: string): readonly number[] =>
      finish(new TraceView(trace, filterFrom(compileTraceFilter(text, trace))).scan()).steps;
    assert.deepEqual(steps('op = map'), [20_000]);
    const slow = steps('text has 7');
    assert.ok(slow.length > 3 && slow.every((rows) => rows <= 8192));
    assert.equal(
      slow.reduce((sum, rows) => sum + rows),
      20_000,
    );
  });

  it('says what is wrong and where', () => {
    assert.deepEqual(codes('opp = map'), ['filter/unknown-field']);
    assert.deepEqual(codes('op = mapp'), ['filter/value']);
    assert.deepEqual(codes('size > 90.5'), ['filter/value']);
    assert.deepEqual(codes('time > 0x10'), ['filter/value']);
    assert.deepEqual(codes('space = x'), ['filter/unknown-field']);
    assert.deepEqual(codes('flags has wide'), ['filter/value']);
  });
});

describe('text search in a trace', () => {
  it('finds text of any characters without regard to case', () => {
    fc.assert(
      fc.property(
        model,
        fc.string({ unit: fc.constantFrom('a', 'b', 'MAP', '"', "'", ',', 'É') }),
        (made, text) => {
          const { trace, rows } = made;
          const view = new TraceView(trace, filterFrom(compileTextSearch(text, trace)));
          finish(view.scan());
          const wanted = rows.filter((row) => lineOf(row).toLowerCase().includes(text.toLowerCase()));
          assert.deepEqual(
            view.rows(0, Infinity),
            wanted.map(({ row }) => row),
          );
        },
      ),
      parameters,
    );
  });
});

describe('completion of a trace’s filter', () => {
  const { trace, spaces } = modelOf(
    [
      { device: '0000:00:02.0', task: 'dd', event: 'map', time: 1000 },
      { device: 'sid 0x18', task: 'and', event: 'qi_submit', time: 3000 },
    ],
    10,
  );
  const offered = (text: string): string[] =>
    completeTraceFilter(text, text.length, trace, spaces).map((one) => one.text);

  it('offers the events, devices, tasks and spaces of this trace', () => {
    assert.deepEqual(offered('device = '), ['0000:00:02.0', '"sid 0x18"']);
    assert.deepEqual(offered('event = q'), ['qi_submit']);
    assert.deepEqual(offered('task = '), ['dd', '"and"']);
    assert.deepEqual(offered('space = '), [SPACES[0], '"b b"']);
    assert.deepEqual(offered('op = dma-m'), ['dma-map']);
    assert.deepEqual(offered('flags has fa'), ['failed']);
    assert.deepEqual(offered('time in ')[0], '1000.000001..1000.000003');
    assert.ok(offered('').includes('iova') && offered('').includes('failed'));
  });

  it('offers only what the filter then understands', () => {
    for (const text of offered('').filter((word) => word !== 'not')) {
      const operators = offered(`${text} `).filter((word) => !['and', 'or', '&'].includes(word));
      const [operator = '='] = operators;
      const [value = '1'] = offered(`${text} ${operator} `);
      assert.ok(
        compileTraceFilter(`${text} ${operator} ${value}`, trace, spaces).ok,
        `${text} ${operator} ${value}`,
      );
    }
  });
});
