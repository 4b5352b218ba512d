import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { TestTrace } from '../../../builders/trace';
import { OPERATIONS } from '../../../../src/trace/model/operation';
import { densityOf, MAX_BUCKETS } from '../../../../src/trace/query/density';
import { groupRows } from '../../../../src/trace/query/groups';
import { TRACE_GROUPS } from '../../../../src/trace/query/traceGroup';
import { compileTraceFilter } from '../../../../src/trace/query/traceFilter';
import { TraceView } from '../../../../src/trace/query/traceView';
import { filterFrom, finish, model, type ModelRow, modelFilter, parameters } from './model';

const MAPS = ['map', 'dma-map'];
const UNMAPS = ['unmap', 'dma-unmap'];
const isOf = (names: readonly string[], { operation }: ModelRow): boolean => names.includes(operation ?? '');

/** What two rows have in common when they are of one group. */
const KEYS: Record<(typeof TRACE_GROUPS)[number], (row: ModelRow) => string> = {
  device: ({ device = '' }) => device.toLowerCase(),
  task: ({ task, pid }) => (typeof task === 'string' ? `${task.toLowerCase()} ${pid ?? ''}` : ' '),
  size: ({ size }) => String(size),
  operation: ({ operation }) => operation ?? '',
  event: ({ event = '' }) => event.toLowerCase(),
  cpu: ({ cpu }) => String(cpu),
  space: ({ space }) => space,
};

describe('groups of rows', () => {
  it('are those of a plain model, and the filter of each leaves exactly its rows', () => {
    fc.assert(
      fc.property(model, fc.option(modelFilter), fc.constantFrom(...TRACE_GROUPS), (made, where, by) => {
        const { trace, rows, spaces } = made;
        const filter = filterFrom(compileTraceFilter(where?.text ?? '', trace, spaces));
        const { groups, left } = finish(groupRows(trace, filter, by, spaces)).result;
        const wanted = new Map<string, ModelRow[]>();
        for (const row of rows.filter((one) => where?.test(one) ?? true))
          wanted.set(KEYS[by](row), [...(wanted.get(KEYS[by](row)) ?? []), row]);
        assert.equal(left, 0);
        assert.equal(groups.length, wanted.size);
        for (const group of groups) {
          const first = rows[group.firstRow];
          const own = (first && wanted.get(KEYS[by](first))) ?? [];
          const maps = own.filter((row) => isOf(MAPS, row));
          const mapped = maps.filter(({ flags = [] }) => !flags.includes('failed'));
          assert.deepEqual(
            [group.rows, group.maps, group.unmaps, group.mappedBytes, group.firstRow, group.lastRow],
            [
              own.length,
              maps.length,
              own.filter((row) => isOf(UNMAPS, row)).length,
              mapped.reduce((sum, { size = 0 }) => sum + size, 0),
              own[0]?.row,
              own.at(-1)?.row,
            ],
          );
          const view = new TraceView(trace, filterFrom(compileTraceFilter(group.where, trace, spaces)));
          finish(view.scan());
          assert.deepEqual(
            view.rows(0, Infinity),
            own.map(({ row }) => row),
            group.where,
          );
        }
        assert.deepEqual(
          groups.map((group) => group.rows),
          groups.map((group) => group.rows).sort((a, b) => b - a),
        );
      }),
      { ...parameters, numRuns: 250 },
    );
  });

  it('are named as people write them', () => {
    const trace = new TestTrace([{ task: 'dd', pid: 402, size: 2 ** 21 }, { size: 2 ** 64 }, {}]);
    const all = filterFrom(compileTraceFilter('', trace));
    const named = (by: 'task' | 'size'): string[][] =>
      finish(groupRows(trace, all, by)).result.groups.map(({ value, where }) => [value, where]);
    assert.deepEqual(named('size'), [
      ['2M', 'size = 2M'],
      ['16E', 'size >= 0xffffffffffffffff'],
      ['', 'not size >= 0'],
    ]);
    assert.deepEqual(named('task'), [
      ['', 'task = "" and not pid >= 0'],
      ['dd-402', 'task = dd and pid = 402'],
    ]);
    const huge = new TraceView(trace, filterFrom(compileTraceFilter('size >= 0xffffffffffffffff', trace)));
    finish(huge.scan());
    assert.deepEqual(huge.rows(0, 9), [1]);
  });
});

describe('density of a view', () => {
  it('counts every row of the view once, in its part', () => {
    fc.assert(
      fc.property(model, fc.option(modelFilter), fc.integer({ min: 1, max: 40 }), (made, where, buckets) => {
        const { trace, rows, spaces } = made;
        const view = new TraceView(trace, filterFrom(compileTraceFilter(where?.text ?? '', trace, spaces)));
        finish(view.scan());
        const density = finish(densityOf(view, buckets)).result;
        const wanted = rows.filter((row) => where?.test(row) ?? true);
        const count = (of: (row: ModelRow) => boolean): number[] => {
          const parts = new Array<number>(buckets).fill(0);
          for (const [index, row] of wanted.entries()) {
            const part = Number((BigInt(index) * BigInt(buckets)) / BigInt(wanted.length));
            if (of(row)) parts[part] = (parts[part] ?? 0) + 1;
          }
          return parts;
        };
        assert.deepEqual(density, {
          total: wanted.length,
          maps: count((row) => isOf(MAPS, row)),
          unmaps: count((row) => isOf(UNMAPS, row)),
          faults: count((row) => isOf(['fault'], row)),
          others: count((row) => !isOf([...MAPS, ...UNMAPS, 'fault'], row)),
        });
      }),
      { ...parameters, numRuns: 300 },
    );
  });

  it('has a bounded number of parts, and takes whole chunks from what is known of them', () => {
    const trace = new TestTrace(
      Array.from({ length: 100 }, (_, row) => ({ operation: OPERATIONS[row % OPERATIONS.length] ?? 'map' })),
      { chunkRows: 10 },
    );
    const view = new TraceView(trace);
    assert.equal(finish(densityOf(view, 1e9)).result.maps.length, MAX_BUCKETS);
    assert.equal(finish(densityOf(view, Number.NaN)).result.maps.length, 1);
    trace.load = () => assert.fail('no chunk has to be loaded');
    const { maps, others } = finish(densityOf(view, 2)).result;
    assert.equal(maps.length, 2);
    assert.ok((others[0] ?? 0) > 0);
  });
});
