import assert from 'node:assert/strict';
import fc from 'fast-check';
import { cellsOf } from '../../../../src/trace/readers/csv';
import { readTrace, rowsOf, said } from '../../../builders/readTrace';

const facts = (text: string): unknown[] => rowsOf(readTrace(text, 'x.csv')).map((row) => said(row));

describe('CSV', () => {
  it('reads the columns of other tools, in any order, with numbers of either base', () => {
    const text = [
      'Timestamp_us,OP,dma_addr,len,phys_addr,comm,tid,BDF,dir,remark',
      '1000.5,MAP,0xfffe0000,4096,5678915584,dd,402,0000:00:02.0,TO_DEVICE,first',
      '1001,dma_unmap,4294836224,0x1000,,dd,402,0000:00:02.0,BIDIRECTIONAL,',
      '1002,invalidate,,,,,,,,',
      '1003,iotlb_flush,,,,,,,,',
      '',
    ].join('\r\n');
    const task = { task: 'dd', pid: 402, device: '0000:00:02.0' };
    assert.deepEqual(facts(text), [
      {
        operation: 'map',
        time: 1_000_500,
        ...task,
        iova: '0xfffe0000',
        size: 4096,
        paddr: '0x1527d6000',
        flags: 'read',
      },
      {
        operation: 'dma-unmap',
        time: 1_001_000,
        ...task,
        iova: '0xfffe0000',
        size: 4096,
        flags: 'read|write',
      },
      { operation: 'flush', time: 1_002_000 },
      { operation: 'other', time: 1_003_000 },
    ]);
    const index = readTrace(text, 'x.csv');
    assert.equal(index.trace.timeDigits, 7);
    assert.equal(rowsOf(index)[3]?.event, 'iotlb_flush');
  });

  it('reads times in the unit of their column, and those since 1970 to the nanosecond', () => {
    for (const [column, cell] of [
      ['time', '1795332273.068193001'],
      ['time_s', '1795332273.068193001'],
      ['time_ms', '1795332273068.193001'],
      ['time-us', '1795332273068193.001'],
      ['Time NS', '1795332273068193001'],
    ] as const) {
      const index = readTrace(`${column},event,iova\n${cell},map,0x1000\n`, 'x.csv');
      const time = index.trace.origin + BigInt(rowsOf(index)[0]?.time ?? 0);
      assert.equal(time, 1_795_332_273_068_193_001n, column);
      assert.equal(index.trace.timeDigits, 9, column);
    }
  });

  it('takes a size from a column with the end, which is exclusive', () => {
    assert.deepEqual(facts('op,iova,end\nmap,0xfffffffffffff000,0xfffffffffffff800\nmap,0x2000,0x1000\n'), [
      { operation: 'map', iova: '0xfffffffffffff000', size: 0x800 },
      { operation: 'unknown' },
    ]);
  });

  it('knows operations by the events that have them', () => {
    const events = ['map', 'dma_map_page', 'qi_submit', 'vtd_dmar_translate', 'sched_switch'];
    const index = readTrace(
      ['event,iova', ...events.map((event) => `${event},0x1000`), ''].join('\n'),
      'x.csv',
    );
    assert.deepEqual(
      rowsOf(index).map(({ operation, event }) => [event, operation]),
      [
        ['map', 'map'],
        ['dma_map_page', 'dma-map'],
        ['qi_submit', 'other'],
        ['vtd_dmar_translate', 'translate'],
        ['sched_switch', 'other'],
      ],
    );
  });

  it('keeps a row whose cells are not of their kind as unknown', () => {
    const text =
      'op,iova,size\nmap,zzz,4096\nmap,0x1000,-1\nmap,0x10000000000000000,1\nmap,0x1000\n\nmap,0x1000,1\n';
    const index = readTrace(text, 'x.csv');
    assert.deepEqual(
      rowsOf(index).map(({ operation, line }) => [operation, line]),
      [
        ['unknown', 'map,zzz,4096'],
        ['unknown', 'map,0x1000,-1'],
        ['unknown', 'map,0x10000000000000000,1'],
        ['unknown', 'map,0x1000'],
        ['unknown', ''],
        ['map', 'map,0x1000,1'],
      ],
    );
    assert.deepEqual(said(rowsOf(index)[0]), { operation: 'unknown' });
  });

  it('reads quoted cells as RFC 4180 has them, also over several lines', () => {
    const text =
      'op,task,iova\r\nmap,"a ""b"", c",0x1000\r\nunmap,"two\r\nlines",0x2000\r\nmap,plain,0x3000\r\n';
    const index = readTrace(text, 'x.csv');
    const rows = rowsOf(index);
    assert.deepEqual(
      rows.map(({ operation, task, iova }) => [operation, task, iova]),
      [
        ['map', 'a "b", c', '0x1000'],
        ['unmap', 'two\nlines', '0x2000'],
        ['map', 'plain', '0x3000'],
      ],
    );
    assert.equal(rows[1]?.line, 'unmap,"two\r\nlines",0x2000');
    assert.equal(index.unknown, 0);
  });

  it('gives up a quote that is never closed, and reads on behind it', () => {
    const lines = Array.from({ length: 200 }, (_none, line) => `map,dd,0x${(line * 4096).toString(16)}`);
    const index = readTrace(['op,task,iova', 'map,"open,0x1', ...lines, ''].join('\n'), 'x.csv');
    const rows = rowsOf(index);
    assert.equal(rows[0]?.operation, 'unknown');
    assert.deepEqual(
      rows.slice(-100).map(({ iova }) => iova),
      lines.slice(-100).map((line) => line.split(',')[2]),
    );
  });

  it('is told from other texts by its column names', () => {
    for (const text of ['name;age\nmap;3\n', 'iova\n0x1000\n', 'a,b,c\n1,2,3\n', 'map, 0x1000, 4096\n']) {
      assert.throws(() => readTrace(text, 'x.csv'), /no trace of a known format/, text);
    }
    for (const delimiter of [',', '\t', ';']) {
      const text = ['# from a tool', 'op', 'iova'].join('\n').replace('op\n', `op${delimiter}`);
      const index = readTrace(`${text}\nmap${delimiter}0x1000\n`);
      assert.deepEqual(said(rowsOf(index)[0]), { operation: 'map', iova: '0x1000' });
      assert.match(index.trace.header, /from a tool/);
    }
  });

  it('cuts records where their cells were joined', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', ' ', '\n'), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 6 }), (cells) => {
        const quoted = cells.map((text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text));
        assert.deepEqual(cellsOf(quoted.join(','), ','), cells);
      }),
    );
    // Quotes in the middle of a cell are characters of it, and every text has an answer.
    assert.deepEqual(cellsOf('a"b,c', ','), ['a"b', 'c']);
    assert.deepEqual(cellsOf('"a"b,c', ','), ['ab', 'c']);
    assert.equal(cellsOf('x,"a', ','), undefined);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', ',', 'a') }), (text) => void cellsOf(text, ',')),
    );
  });

  it('reads cells from bytes as JSON lines reads them from texts', () => {
    const digits = fc.string({ unit: fc.constantFrom('0', '1', '9', 'f'), minLength: 1, maxLength: 22 });
    const number = fc.oneof(
      digits,
      digits.map((text) => `0x${text}`),
      digits.map((text) => `0X${text.slice(0, 16)}`),
      fc.constantFrom('-1', '1.5', ' 1', '1 ', '0x', 'x', '18446744073709551615', '9007199254740993'),
    );
    const time = fc.oneof(
      number,
      fc.tuple(digits, digits).map((parts) => parts.join('.')),
      fc.constantFrom('1.', '.5', '-0.25', '1.5e-3', '12.0000000019'),
    );
    const columns = { op: fc.constant('map'), iova: number, size: number, paddr: number, pid: number, time };
    fc.assert(
      fc.property(fc.array(fc.record(columns), { minLength: 1, maxLength: 12 }), (records) => {
        const names = Object.keys(columns) as (keyof typeof columns)[];
        const good = { op: 'map', iova: '0x1', size: '1', paddr: '1', pid: '1', time: '2.5' };
        const all = [good, ...records];
        const lines = [names, ...all.map((record) => names.map((name) => record[name]))].map((cells) =>
          cells.join(','),
        );
        const objects = all.map((record) => JSON.stringify(record));
        const [csv, json] = [
          readTrace(`${lines.join('\n')}\n`, 'x'),
          readTrace(`${objects.join('\n')}\n`, 'x'),
        ];
        assert.equal(csv.trace.format, 'csv');
        const rows = (index: typeof csv): unknown[] => rowsOf(index).map((row) => said(row));
        assert.deepEqual([csv.trace.origin, rows(csv)], [json.trace.origin, rows(json)]);
      }),
      { numRuns: 80 },
    );
  });

  it('keeps every line of whatever comes, and never fails', () => {
    const line = fc.string({
      unit: fc.constantFrom('map', ',', '"', '0x', '1', 'é', '\0', '-', '\r'),
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        const index = readTrace(['op,iova,size', ...lines, ''].join('\n'), 'x.csv');
        const kept = rowsOf(index)
          .map((row) => row.line)
          .join('\n');
        const stripped = lines.join('\n');
        assert.equal(kept.replaceAll('\r', ''), stripped.replaceAll('\r', ''));
      }),
      { numRuns: 80 },
    );
  });
});
