import assert from 'node:assert/strict';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { decodeIndex, encodeIndex } from '../../../../src/trace/index/storedIndex';
import { TraceIndex } from '../../../../src/trace/index/traceIndex';
import {
  Dictionary,
  MOST_NAMES,
  TaskDictionary,
  TOO_MANY,
  traceNames,
} from '../../../../src/trace/model/dictionary';
import { openTrace } from '../../../../src/trace/readers/index';
import { rowsOf } from '../../../builders/readTrace';

const TEXT = ['dd-401', 'cp-402', 'mv-403']
  .map(
    (task, row) =>
      `${task.padStart(20).padEnd(23)} [000] .....    ${row + 1}.000000: map: IOMMU: iova=0x00000000ffe10000 - 0x00000000ffe11000 paddr=0x0000000152adb000 size=4096\n`,
  )
  .join('');
const BYTES = new Uint8Array(Buffer.from(TEXT));

describe('names of a trace', () => {
  it('have numbers in the order of first sight', () => {
    const names = new Dictionary();
    assert.deepEqual(
      ['b', 'a', 'b'].map((text) => names.id(text)),
      [0, 1, 0],
    );
    assert.deepEqual(names.texts(), ['b', 'a']);
    assert.equal(names.isClosed, false);
  });

  it('share one number beyond as many as are kept', () => {
    const names = new Dictionary();
    for (let index = 0; index < MOST_NAMES; index++) assert.equal(names.id(`${index}`), index);
    assert.equal(names.isClosed, false);
    assert.deepEqual(
      ['x', 'y', '7'].map((text) => names.id(text)),
      [MOST_NAMES, MOST_NAMES, 7],
    );
    assert.equal(names.text(MOST_NAMES), TOO_MANY);
    assert.equal(names.isClosed, true);
    assert.equal(names.find('x'), undefined);
  });

  it('are few when they are long', () => {
    const names = new TaskDictionary();
    for (let pid = 0; pid < 1000; pid++) names.id({ name: `${pid}`.padEnd(65_536), pid, tgid: null });
    assert.ok(names.isClosed);
    assert.ok(names.size < 200);
    assert.deepEqual(names.tasks().at(-1), { name: TOO_MANY, pid: null, tgid: null });
  });

  it('keep their numbers when they are read again, although they are closed', () => {
    const first = new Dictionary();
    for (let index = 0; index < 300; index++) first.id(`${index}`.padEnd(index % 2 === 0 ? 65_536 : 1));
    assert.ok(first.isClosed);
    const again = new Dictionary();
    for (const [id, text] of first.texts().entries()) assert.equal(again.id(text), id);
    assert.equal(again.id('short'), first.id('other'));
  });

  it('are said once to be too many, and a stored index goes on with them', () => {
    const names = traceNames();
    const opened = openTrace(bytesSource('trace', BYTES), names);
    assert.ok(opened.ok);
    assert.equal(names.tasks.size, 1, 'the first line was read to know the header');
    for (let pid = 1; pid < MOST_NAMES; pid++) names.tasks.id({ name: '', pid, tgid: null });
    const index = TraceIndex.create(opened.value, names);
    while (index.readChunk());
    assert.deepEqual(
      index.problems.map(({ code, row }) => [code, row]),
      [['trace/too-many-names', 0]],
    );
    assert.deepEqual(
      rowsOf(index).map(({ task }) => task),
      ['dd', TOO_MANY, TOO_MANY],
    );
    const stored = new Uint8Array(Buffer.concat([...encodeIndex(index)]));
    const restoredNames = traceNames();
    const trace = openTrace(bytesSource('trace', BYTES), restoredNames);
    assert.ok(trace.ok);
    const restored = decodeIndex(bytesSource('stored', stored), trace.value, restoredNames);
    assert.ok(restored.ok);
    assert.ok(restoredNames.tasks.isClosed);
    assert.deepEqual(rowsOf(restored.value), rowsOf(index));
  });

  it('that fill more than a part of a stored index are not stored', () => {
    const names = traceNames();
    for (const dictionary of [names.events, names.devices]) dictionary.id('\u0001'.repeat(2 ** 23));
    const opened = openTrace(bytesSource('trace', BYTES), names);
    assert.ok(opened.ok);
    assert.deepEqual([...encodeIndex(TraceIndex.create(opened.value, names))], []);
  });
});
