import assert from 'node:assert/strict';
import { type TraceRowModel } from '../../../src/webview/messages/traceMessages';
import { filterOfCell, narrowed } from '../../../src/webview/trace/cellFilter';

describe('filters by the value of a cell', () => {
  const row = { row: 41, cpu: 3, device: '0000:00:1f.2', task: 'a "b"', iova: '0xfff0', space: null };
  const of = (column: Parameters<typeof filterOfCell>[1]): string | undefined =>
    filterOfCell(row as TraceRowModel, column);

  it('writes what people would write', () => {
    assert.equal(of('row'), 'row = 42');
    assert.equal(of('cpu'), 'cpu = 3');
    assert.equal(of('device'), 'device = "0000:00:1f.2"');
    assert.equal(of('task'), 'task = "a \\"b\\""');
    assert.equal(of('iova'), 'iova = 0xfff0');
    assert.equal(of('space'), undefined);
    assert.equal(of('line'), undefined);
  });

  it('narrows the filter that there is', () => {
    assert.equal(narrowed('', 'cpu = 3'), 'cpu = 3');
    assert.equal(narrowed('op = map', 'cpu = 3'), 'op = map and cpu = 3');
    assert.equal(narrowed('op = map or op = unmap', 'cpu = 3'), '(op = map or op = unmap) and cpu = 3');
  });
});
