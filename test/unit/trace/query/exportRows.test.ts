import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { TestTrace } from '../../../builders/trace';
import {
  EXPORT_COLUMNS,
  type ExportFormat,
  type ExportPiece,
  exportRows,
} from '../../../../src/trace/query/exportRows';
import { compileTraceFilter, type TraceFilter } from '../../../../src/trace/query/traceFilter';
import { traceRow } from '../../../../src/trace/query/traceRow';
import { filterFrom, finish, lineOf, model, type ModelRow, modelFilter, ORIGIN, parameters } from './model';

/** RFC 4180, sections 2.1 to 2.7, for any separator. */
function parseDelimited(text: string, separator: string, end: string): string[][] {
  const records: string[][] = [];
  let at = 0;
  const quoted = (): string => {
    let cell = '';
    for (at++; ; at++) {
      assert.ok(at < text.length, 'a quoted cell has its end');
      if (text.startsWith('""', at)) at++;
      else if (text.charAt(at) === '"') break;
      cell += text.charAt(at);
    }
    at++;
    return cell;
  };
  const plain = (): string => {
    const start = at;
    while (at < text.length && text.charAt(at) !== separator && !text.startsWith(end, at)) at++;
    return text.slice(start, at);
  };
  while (at < text.length) {
    const record = [text.charAt(at) === '"' ? quoted() : plain()];
    while (text.charAt(at) === separator) {
      at++;
      record.push(text.charAt(at) === '"' ? quoted() : plain());
    }
    assert.ok(text.startsWith(end, at), `a record ends at ${at}`);
    at += end.length;
    records.push(record);
  }
  return records;
}

function pieces(trace: TestTrace, filter: TraceFilter, format: ExportFormat): string[] {
  const texts: string[] = [];
  let from: number | null = 0;
  while (from !== null) {
    const piece: ExportPiece = finish(exportRows(trace, filter, { format, from })).result;
    texts.push(piece.text);
    from = piece.next;
  }
  return texts;
}

const hexOf = (address: bigint | number | undefined): string =>
  address === undefined ? '' : `0x${BigInt(address).toString(16)}`;

function secondsOf(time: number | undefined): string {
  if (time === undefined) return '';
  const all = ORIGIN + BigInt(time);
  return `${all / 1_000_000_000n}.${((all % 1_000_000_000n) / 1000n).toString().padStart(6, '0')}`;
}

function wantedCells(row: ModelRow): Record<(typeof EXPORT_COLUMNS)[number], string> {
  const text = (value: string | number | undefined): string => (value === undefined ? '' : String(value));
  const flags = [
    'read',
    'write',
    'list',
    'failed',
    'cached',
    'on',
    'stage1',
    'stage2',
    'domainWide',
    'global',
  ];
  return {
    row: String(row.row + 1),
    time: secondsOf(row.time),
    cpu: text(row.cpu),
    task: typeof row.task === 'string' ? row.task : '',
    pid: row.task === undefined ? '' : text(row.pid),
    device: text(row.device),
    space: '',
    operation: text(row.operation),
    event: text(row.event),
    iova: hexOf(row.iova),
    size: text(row.size),
    paddr: hexOf(row.paddr),
    domain: text(row.domain),
    pasid: text(row.pasid),
    flags: flags.filter((name) => row.flags?.some((one) => one === name)).join('|'),
    done: text(row.done),
    count: text(row.count),
    line: lineOf(row),
  };
}

const harmless = (cell: string): string => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);

describe('export of rows', () => {
  it('gives CSV and TSV that an independent parser reads back', () => {
    fc.assert(
      fc.property(
        model,
        modelFilter,
        fc.constantFrom('csv' as const, 'tsv' as const),
        (made, where, format) => {
          const { trace, rows, spaces } = made;
          const filter = filterFrom(compileTraceFilter(where.text, trace, spaces));
          const [head, ...records] = parseDelimited(
            pieces(trace, filter, format).join(''),
            format === 'csv' ? ',' : '\t',
            format === 'csv' ? '\r\n' : '\n',
          );
          assert.deepEqual(head, [...EXPORT_COLUMNS]);
          const wanted = rows.filter(where.test).map(wantedCells);
          assert.deepEqual(
            records,
            wanted.map((cells) => EXPORT_COLUMNS.map((name) => harmless(cells[name]))),
          );
        },
      ),
      { ...parameters, numRuns: 150 },
    );
  });

  it('gives JSON lines with the texts as they are', () => {
    fc.assert(
      fc.property(model, modelFilter, (made, where) => {
        const { trace, rows, spaces } = made;
        const filter = filterFrom(compileTraceFilter(where.text, trace, spaces));
        const lines = pieces(trace, filter, 'jsonl').join('').split('\n').slice(0, -1);
        const read = lines.map((line) => JSON.parse(line) as Record<string, string | number>);
        const wanted = rows.filter(where.test);
        assert.equal(read.length, wanted.length);
        for (const [index, row] of wanted.entries()) {
          const cells = wantedCells(row);
          const found = read[index] ?? {};
          for (const name of EXPORT_COLUMNS) {
            const value = found[name];
            if (name === 'time') {
              if (cells.time !== '') assert.ok(lines[index]?.includes(`"time":${cells.time},`));
              else assert.equal(value, undefined);
            } else assert.equal(value === undefined ? '' : String(value), cells[name], name);
          }
        }
      }),
      { ...parameters, numRuns: 100 },
    );
  });

  it('comes in pieces of about a megabyte that fit together, and stops at its limit', () => {
    const trace = new TestTrace(
      Array.from({ length: 5000 }, (_, row) => ({ cpu: row % 2, line: `${row} ${'x'.repeat(1000)}` })),
      { chunkRows: 700 },
    );
    const filter = filterFrom(compileTraceFilter('cpu = 1', trace));
    const texts = pieces(trace, filter, 'csv');
    assert.ok(texts.length >= 2 && texts.every((text) => text.length < 1.1 * 2 ** 20));
    const [, ...records] = parseDelimited(texts.join(''), ',', '\r\n');
    assert.deepEqual(
      records.map(([row]) => Number(row)),
      Array.from({ length: 2500 }, (_, index) => 2 * index + 2),
    );
    const { text, rows, next } = finish(
      exportRows(trace, filter, { format: 'jsonl', from: 11, limit: 3 }),
    ).result;
    assert.deepEqual([rows, next], [3, 17]);
    assert.deepEqual(text.match(/"row":\d+/g), ['"row":12', '"row":14', '"row":16']);
  });

  it('makes no formulas: a text that begins like one has an apostrophe in front', () => {
    const trace = new TestTrace([{ task: '=cmd|calc', device: '+1', line: '@SUM(1)' }]);
    const filter = filterFrom(compileTraceFilter('', trace));
    const [, record = []] = parseDelimited(pieces(trace, filter, 'csv').join(''), ',', '\r\n');
    assert.ok(record.includes("'=cmd|calc") && record.includes("'+1") && record.includes("'@SUM(1)"));
    assert.ok(pieces(trace, filter, 'jsonl').join('').includes('"task":"=cmd|calc"'));
  });
});

describe('row of a trace', () => {
  it('has everything that is known of it, absent as null', () => {
    const trace = new TestTrace(
      [
        {},
        {
          operation: 'map',
          event: 'm',
          time: 5,
          task: 'dd',
          pid: 4,
          iova: 0xffff_ffff_ffff_f123n,
          paddr: 5,
          size: 8192,
        },
      ],
      { chunkRows: 1 },
    );
    assert.deepEqual(traceRow(trace, 1, { count: 1, name: () => 'S', spaceOf: () => 0 }, 3), {
      row: 1,
      operation: 'map',
      event: 'm',
      time: 5,
      cpu: null,
      task: 'dd',
      pid: 4,
      device: null,
      space: 'S',
      iova: '0xfffffffffffff123',
      size: 8192,
      paddr: '0x5',
      domain: null,
      pasid: null,
      flags: [],
      done: null,
      count: null,
      line: 'm 1',
      cut: false,
    });
    assert.equal(traceRow(trace, 0)?.space, null);
    assert.equal(traceRow(trace, 1, undefined, 2)?.cut, true);
    assert.equal(traceRow(trace, 2), undefined);
    assert.equal(traceRow(trace, -1), undefined);
  });
});
