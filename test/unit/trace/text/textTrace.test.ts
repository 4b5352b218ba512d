import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ByteSource, bytesSource } from '../../../../src/bytes/byteSource';
import { COLUMNS, RowBuilder } from '../../../../src/trace/model/columns';
import { type TraceNames, traceNames } from '../../../../src/trace/model/dictionary';
import { type OpenTrace, type Position, type TraceProblem } from '../../../../src/trace/model/reader';
import { ftrace } from '../../../../src/trace/readers/ftrace';
import { type LineFormat } from '../../../../src/trace/text/lineFormat';
import { LONG_LINE, LONGEST_ROW, textReader } from '../../../../src/trace/text/textTrace';
import { mutated, mutations } from '../../../builders/mutations';
import { guestTrace } from '../../../builders/traceRows';

/** The same format without its quick way. */
const slowly: LineFormat = {
  ...ftrace,
  parser: (head, names) => {
    const parser = ftrace.parser(head, names);
    const { title, origin, timeDigits } = parser;
    return { title, origin, timeDigits, namesDevices: false, parse: (...line) => parser.parse(...line) };
  },
};

type Row = readonly number[];
interface Read {
  readonly rows: Row[];
  readonly problems: TraceProblem[];
  readonly starts: { position: Position; row: number }[];
  readonly names: TraceNames;
  readonly trace: OpenTrace;
}

const rowOf = (out: RowBuilder, row: number): Row => COLUMNS.map((name) => out[name][row] ?? Number.NaN);

/** Reads a file by chunks of so many rows. */
function read(source: ByteSource | Uint8Array, chunkRows = 1000, format = ftrace): Read {
  const names = traceNames();
  const file = source instanceof Uint8Array ? bytesSource('trace', source) : source;
  const opened = textReader(format).open(file, names);
  assert.ok(opened.ok);
  const trace = opened.value;
  const out = new RowBuilder(chunkRows);
  const rows: Row[] = [];
  const problems: TraceProblem[] = [];
  const starts: { position: Position; row: number }[] = [];
  for (let position: Position | undefined = trace.start; position;) {
    starts.push({ position, row: rows.length });
    out.clear();
    const filled = trace.fill(position, out);
    for (const problem of filled.problems) {
      problems.push(problem.row === undefined ? problem : { ...problem, row: rows.length + problem.row });
    }
    for (let row = 0; row < out.rows; row++) rows.push(rowOf(out, row));
    assert.ok(!filled.next || filled.next.offset > position.offset, 'reading goes on');
    position = filled.next;
  }
  return { rows, problems, starts, names, trace };
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const SAMPLES = ['ftrace_sample_tgid_mono.txt', 'ftrace_sample_alldma.txt', 'ftrace_boot.head.txt'].flatMap(
  (file) => ['vtd-sm-fl', 'smmuv3-16k'].map((guest) => bytesOf(guestTrace(guest, file).slice(0, 12_000))),
);
const LINE = (time: string): string =>
  `              dd-402     [000] .....    ${time}: unmap: IOMMU: iova=0x00000000ffe10000 - 0x00000000ffe11000 size=4096 unmapped_size=4096`;
const codes = ({ problems }: Read): string[] => problems.map(({ code }) => code);

describe('reading text by lines', () => {
  it('finds the same rows from the begin of any chunk, in any order', () => {
    for (const file of SAMPLES) {
      const { rows, starts, trace } = read(file, 13);
      const out = new RowBuilder(13);
      for (const { position, row } of [...starts].reverse()) {
        // Positions are stored as JSON.
        out.clear();
        trace.fill(JSON.parse(JSON.stringify(position)) as Position, out);
        for (let index = 0; index < out.rows; index++) assert.deepEqual(rowOf(out, index), rows[row + index]);
      }
    }
  });

  it('reads lines the quick way as it reads all lines, whatever happened to the file', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SAMPLES),
        mutations(60),
        fc.integer({ min: 1, max: 400 }),
        (file, happened, chunk) => {
          const bytes = mutated(file, happened);
          assert.deepEqual(read(bytes, chunk).rows, read(bytes, 1000, slowly).rows);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('accounts for every byte, whatever happened to the file', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SAMPLES), mutations(20), (file, happened) => {
        const bytes = mutated(file, happened);
        let at = 0;
        for (const [offset = NaN, length = NaN] of [...read(bytes, 100).rows, [bytes.length, 0]]) {
          assert.ok(offset >= at, 'rows do not overlap');
          // Between rows stand comments and empty lines, and their ends.
          for (const line of Buffer.from(bytes.subarray(at, offset)).toString('latin1').split('\n')) {
            assert.match(line, /^(\u00ef\u00bb\u00bf)?(#.*|[ \t\r]*)$/s);
          }
          at = offset + length;
        }
      }),
      { numRuns: 100 },
    );
  });

  it('reads ends of lines of both kinds, and a last line without', () => {
    const { rows, trace, problems } = read(
      bytesOf(`${LINE('1.000000')}\r\n${LINE('2.000000')}\n${LINE('3.000000')}`),
    );
    assert.equal(rows.length, 3);
    for (const [offset = 0, length = 0] of rows)
      assert.match(trace.line(offset, length, 1000), /unmapped_size=4096$/);
    assert.deepEqual(
      problems.map(({ code, row }) => [code, row]),
      [['trace/open-end', 2]],
    );
  });

  it('a file that was cut is said to be, at its last row and however much noise is in it', () => {
    const head = '# tracer: nop\n#\n# entries-in-buffer/entries-written: 5/5   #P:2\n#\n';
    const lines = [1, 2].map((second) => `${LINE(`${second}.000000`)}\n`).join('');
    for (const chunk of [1, 2, 3, 6, 100]) {
      const { problems, rows } = read(bytesOf(`${head}${lines}${'noise\n'.repeat(4)}`), chunk);
      const cut = problems.find(({ code }) => code === 'trace/truncated');
      assert.match(cut?.message ?? '', /5 events, and the file has 2/);
      assert.equal(cut?.row, rows.length - 1);
    }
  });

  it('reads from the beginning what was not stored by it', () => {
    const bytes = bytesOf(`${LINE('1.000000')}\n${LINE('2.000000')}\n`);
    const { trace, rows } = read(bytes, 1);
    const offset = rows[1]?.[0] ?? 0;
    for (const state of [7, 'x', {}, { events: 'x', peak: null, back: false, inLine: true }]) {
      const out = new RowBuilder(1);
      trace.fill({ offset, state }, out);
      assert.deepEqual(rowOf(out, 0), rows[1]);
    }
  });

  it('skips a byte order mark', () => {
    assert.equal(read(bytesOf(`\u00ef\u00bb\u00bf${LINE('1.000000')}\n`)).rows[0]?.[0], 3);
  });

  it('keeps lines longer than lines are, in pieces when they are very long, and reads on behind them', () => {
    for (const [length, rows] of [
      [LONG_LINE, 1],
      [LONG_LINE + 1, 1],
      [10_000_000, 1],
      [2 * LONGEST_ROW + 5, 3],
    ] as const) {
      const file = Buffer.concat([
        Buffer.from(`${LINE('1.000000')}\n`),
        Buffer.alloc(length, 'x'),
        Buffer.from(`\n${LINE('2.000000')}\n`),
      ]);
      const found = read(new Uint8Array(file));
      assert.equal(found.rows.length, rows + 2, `${length}`);
      assert.equal(
        found.rows.slice(1, -1).reduce((sum, row) => sum + (row[1] ?? 0), 0),
        length,
      );
      assert.deepEqual(
        [...new Set(codes(found))],
        [length > LONG_LINE ? 'trace/long-line' : 'trace/unknown-line'],
      );
      assert.equal(found.trace.line(found.rows[1]?.[0] ?? 0, length, 10), 'xxxxxxxxxx');
    }
  });

  it('notes bytes that are no text once a stretch, and shows what is not UTF-8', () => {
    const file = bytesOf(`${LINE('1.000000')}\n\0\u0001\n\0\n${LINE('2.000000')}\n\u00e9\u00ff\n`);
    const found = read(file);
    assert.deepEqual(codes(found), ['trace/binary', 'trace/unknown-line']);
    assert.deepEqual([found.problems[0]?.row, found.problems[0]?.offset], [1, LINE('1.000000').length + 1]);
    const [offset = 0, length = 0] = found.rows[4] ?? [];
    assert.equal(found.trace.line(offset, length, 100), '\ufffd\ufffd');
  });

  it('notes that time runs backwards once a stretch, also across chunks', () => {
    const seconds = [1, 5, 3, 4, 4, 6, 2, 7];
    const file = bytesOf(seconds.map((second) => `${LINE(`${second}.000000`)}\n`).join(''));
    for (const chunk of [1, 2, 3, 100]) {
      const { problems } = read(file, chunk);
      assert.deepEqual(
        problems.map(({ code, row }) => [code, row]),
        [
          ['trace/time-backwards', 2],
          ['trace/time-backwards', 6],
        ],
      );
    }
  });

  it('names few problems of a file of noise', () => {
    const noise = Uint8Array.from({ length: 200_000 }, (_, at) => (at * 2_654_435_761) >>> 13);
    assert.ok(read(noise, 65_536).problems.length < 40);
  });

  it('shows what can be read of a source that breaks off, and says where', () => {
    const bytes = bytesOf(Array.from({ length: 20_000 }, (_, row) => `${LINE(`${row}.000000`)}\n`).join(''));
    const whole = bytesSource('trace', bytes);
    const readable = 1_500_000;
    const broken: ByteSource = {
      ...whole,
      read: (offset, target) => whole.read(offset, target.subarray(0, Math.max(0, readable - offset))),
      fault: () => 'the disk is gone',
    };
    const found = read(broken);
    const problem = found.problems.find(({ code }) => code === 'trace/unreadable');
    assert.ok(problem);
    assert.equal(problem.offset, readable);
    assert.match(problem.message, /the disk is gone/);
    const lines = bytes.subarray(0, readable).filter((byte) => byte === 0x0a).length;
    assert.equal(found.rows.length, lines + 1);
  });

  it('reads a whole file that is nothing', () => {
    assert.deepEqual(read(new Uint8Array()).rows, []);
  });
});
