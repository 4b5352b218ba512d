import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { type Result } from '../../../../src/engine/result';
import { decodeIndex, encodeIndex, INDEX_VERSION } from '../../../../src/trace/index/storedIndex';
import { TraceIndex } from '../../../../src/trace/index/traceIndex';
import { COLUMNS } from '../../../../src/trace/model/columns';
import { numberAt, type TraceChunk } from '../../../../src/trace/model/chunk';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { openTrace } from '../../../../src/trace/readers/index';
import { readTrace, rowsOf } from '../../../builders/readTrace';

const line = (row: number, event = 'map'): string => {
  const iova = (0xffe10000 + 4096 * (row % 1000)).toString(16).padStart(16, '0');
  const end = (0xffe11000 + 4096 * (row % 1000)).toString(16).padStart(16, '0');
  const time = `${1 + Math.floor(row / 1000)}.${String(row % 1000).padStart(6, '0')}`;
  const rest = event === 'map' ? 'paddr=0x0000000152adb000 size=4096' : 'size=4096 unmapped_size=4096';
  return `              dd-${String(row % 7).padEnd(7)} [000] .....   ${time.padStart(12)}: ${event}: IOMMU: iova=0x${iova} - 0x${end} ${rest}\n`;
};

/** Two chunks and a bit, with a loss, a line that is unknown, and one in which time runs back. */
const TEXT = Array.from({ length: 130_000 }, (_, row) =>
  row === 110_000
    ? 'CPU:1 [LOST 5 EVENTS]\n'
    : row === 70_000
      ? 'nonsense\n'
      : line(row === 100_000 ? 5 : row, row % 3 === 2 ? 'unmap' : 'map'),
).join('');
const BYTES = new Uint8Array(Buffer.from(TEXT));

const same = (a: TraceChunk, b: TraceChunk): void => {
  assert.equal(a.rows, b.rows);
  for (const name of COLUMNS) assert.deepEqual(a.columns[name], b.columns[name], name);
};

describe('the index of a trace', () => {
  const whole = readTrace(BYTES);

  it('counts rows, events, unknown lines and losses', () => {
    assert.equal(whole.rows, 130_000);
    assert.equal(whole.unknown, 1);
    assert.equal(whole.lost, 5);
    assert.equal(whole.complete, true);
    const maps = [...TEXT.matchAll(/: map:/g)].length;
    const unmaps = [...TEXT.matchAll(/unmap:/g)].length;
    const count = (name: string): number | undefined =>
      whole.eventCounts[whole.names.events.find(name) ?? -1];
    assert.deepEqual([count('map'), count('unmap')], [maps, unmaps]);
  });

  it('has chunks that follow each other, and their rows', () => {
    let next = 0;
    for (const [chunk, { first, rows }] of whole.chunks.entries()) {
      assert.equal(first, next);
      assert.equal(whole.load(chunk).rows, rows);
      next += rows;
    }
    assert.equal(next, whole.rows);
    assert.ok(whole.chunks.length > 2);
  });

  it('tells what is wrong by row', () => {
    assert.deepEqual(
      whole.problems.map(({ code, row }) => [code, row]),
      [
        ['trace/unknown-line', 70_000],
        ['trace/time-backwards', 100_000],
      ],
    );
  });

  it('reads chunks again that had to leave memory, and never holds more than its budget', () => {
    const small = readTrace(BYTES, 'trace', 2 ** 20);
    for (const chunk of [2, 0, 1, 0, 1, 2, 2, 1]) {
      same(small.load(chunk), whole.load(chunk));
      assert.ok(small.bytesHeld <= 2 ** 20 || small.bytesHeld === small.load(chunk).bytes);
    }
    assert.deepEqual(small.problems, whole.problems);
  });

  it('keeps its number of rows when the file changes meanwhile, and says so', () => {
    const bytes = BYTES.slice();
    const index = readTrace(bytes, 'trace', 1);
    bytes.fill(0x0a, 100, 5000);
    const { rows } = index.load(0);
    assert.equal(rows, index.chunks[0]?.rows);
    assert.equal(index.problems.at(-1)?.code, 'trace/changed');
  });
});

describe('a stored index', () => {
  const index = readTrace(BYTES);
  const stored = new Uint8Array(Buffer.concat([...encodeIndex(index)]));

  function restore(bytes: Uint8Array, trace = BYTES, budget?: number): Result<TraceIndex> {
    const names = traceNames();
    const opened = openTrace(bytesSource('trace', trace), names);
    assert.ok(opened.ok);
    return decodeIndex(
      bytesSource('stored', bytes),
      opened.value,
      names,
      budget === undefined ? {} : { budget },
    );
  }

  it('is the same index again', () => {
    for (const budget of [undefined, 2 ** 20, 1]) {
      const restored = restore(stored, BYTES, budget);
      assert.ok(restored.ok);
      const { value } = restored;
      for (const [chunk, info] of index.chunks.entries()) {
        assert.deepEqual(value.chunks[chunk], info);
        same(value.load(chunk), index.load(chunk));
      }
      assert.deepEqual(value.state, index.state);
      assert.deepEqual(rowsOf(value, 69_990, 20), rowsOf(index, 69_990, 20));
      assert.deepEqual(value.names.tasks.tasks(), index.names.tasks.tasks());
    }
  });

  it('holds columns up to a limit, and the others are read from the trace', () => {
    const short = new Uint8Array(Buffer.concat([...encodeIndex(index, 2 ** 20)]));
    assert.ok(short.length < 2 ** 20 + 20_000);
    const restored = restore(short);
    assert.ok(restored.ok);
    for (const chunk of index.chunks.keys()) same(restored.value.load(chunk), index.load(chunk));
  });

  it('can be read on where it stopped', () => {
    const names = traceNames();
    const opened = openTrace(bytesSource('trace', BYTES), names);
    assert.ok(opened.ok);
    const half = TraceIndex.create(opened.value, names);
    half.readChunk();
    half.readChunk();
    const restored = restore(new Uint8Array(Buffer.concat([...encodeIndex(half)])));
    assert.ok(restored.ok);
    assert.equal(restored.value.complete, false);
    while (restored.value.readChunk());
    assert.deepEqual(restored.value.state, index.state);
  });

  it('is refused when a byte of it changed, was put in or is missing', () => {
    const trace = BYTES.slice(0, 20_000);
    const whole = new Uint8Array(Buffer.concat([...encodeIndex(readTrace(trace))]));
    assert.ok(restore(whole, trace).ok);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, change) => {
          const flipped = whole.slice();
          flipped[at] = (flipped[at] ?? 0) ^ change;
          const [front, back] = [whole.subarray(0, at), whole.subarray(at)];
          const longer = new Uint8Array(Buffer.concat([front, Uint8Array.of(change), back]));
          const shorter = new Uint8Array(Buffer.concat([front, back.subarray(1)]));
          for (const bytes of [flipped, front, longer, shorter]) {
            const restored = restore(bytes, trace);
            assert.ok(!restored.ok);
            assert.equal(restored.failure.code, 'trace/index-damaged');
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is refused when it has another version, or is of another trace', () => {
    const other = stored.slice();
    other[8] = INDEX_VERSION + 1;
    const restored = restore(other);
    assert.ok(!restored.ok);
    assert.match(restored.failure.message, /version/);
    const others = new Uint8Array(Buffer.from(`# tracer: nop\n${TEXT.slice(0, 5000)}`));
    assert.equal(restore(stored, others).ok, false);
  });

  it('gives numbers of columns as they were', () => {
    const restored = restore(stored);
    assert.ok(restored.ok);
    const time = restored.value.load(0).columns.time;
    assert.equal(numberAt(time, 1), 1_000_001_000);
  });
});
