import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FLAGS, type FlagName } from '../../../../src/trace/model/operation';
import { EXPORT_FORMATS, type ExportFormat, exportRows } from '../../../../src/trace/query/exportRows';
import { compileTraceFilter } from '../../../../src/trace/query/traceFilter';
import { type TraceTable } from '../../../../src/trace/model/table';
import { readTrace, rowsOf } from '../../../builders/readTrace';
import { OPERATION_NAMES, type RowFacts, TestTrace } from '../../../builders/trace';

function exported(table: TraceTable, format: ExportFormat): string {
  const filter = compileTraceFilter('', table);
  assert.ok(filter.ok);
  let text = '';
  for (let from: number | null = 0; from !== null;) {
    const writing = exportRows(table, filter.filter, { format, from });
    let step = writing.next();
    while (step.done !== true) step = writing.next();
    text += step.value.text;
    from = step.value.next;
  }
  return text;
}

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const address = optional(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const count = optional(fc.integer({ min: 0, max: 2 ** 53 - 1 }));
/** Names may have what CSV quotes, and end where a line does. An apostrophe in front of a formula is the export's own. */
const name = fc
  .string({
    unit: fc.constantFrom("'", 'a', '1', ' ', ',', '"', ';', '\t', '|', '=', '-', '/', 'é', '😀', '\r'),
    minLength: 1,
    maxLength: 8,
  })
  .filter((text) => !/[\r]/.test(text));

const facts: fc.Arbitrary<RowFacts> = fc
  .record({
    operation: fc.constantFrom(...OPERATION_NAMES),
    event: name,
    // Whole microseconds: as many digits as the trace has.
    time: optional(fc.integer({ min: 0, max: 10 ** 12 }).map((micro) => micro * 1000)),
    cpu: optional(fc.integer({ min: 0, max: 255 })),
    task: optional(name),
    pid: optional(fc.nat()),
    device: optional(name),
    iova: address,
    size: count,
    paddr: address,
    domain: count,
    pasid: count,
    flags: fc.subarray(Object.keys(FLAGS) as FlagName[]),
    done: count,
    count,
    line: name,
  })
  .map(
    (made) =>
      Object.fromEntries(
        Object.entries(made).filter(
          ([key, value]) => value !== undefined && !(key === 'pid' && made.task === undefined),
        ),
      ) as unknown as RowFacts,
  );

describe('exported rows', () => {
  for (const format of EXPORT_FORMATS) {
    it(`come back equal from ${format}`, () => {
      fc.assert(
        fc.property(
          fc.array(facts, { minLength: 1, maxLength: 40 }),
          fc.constantFrom(0n, 1_795_332_273_068_193_000n),
          (rows, origin) => {
            const table = new TestTrace(rows, { origin });
            const index = readTrace(exported(table, format), `trace.${format}`);
            assert.equal(index.trace.format, format === 'jsonl' ? 'jsonl' : 'csv');
            const shift = Number(index.trace.origin - origin);
            const comparable = (from: TraceTable, move: number): unknown[] =>
              rowsOf(from).map(({ line: _line, cut: _cut, time, ...rest }) => ({
                ...rest,
                time: time === null ? null : time + move,
              }));
            assert.deepEqual(comparable(index, shift), comparable(table, 0));
          },
        ),
        { numRuns: 60 },
      );
    });
  }

  it('have their times to the last digit, whatever a number of JSON holds', () => {
    const table = new TestTrace([{ operation: 'map', iova: 0x1000, time: 123_456_789 }], {
      origin: 1_795_332_273_000_000_000n,
      timeDigits: 9,
    });
    for (const format of EXPORT_FORMATS) {
      const index = readTrace(exported(table, format), `trace.${format}`);
      const time = index.trace.origin + BigInt(rowsOf(index)[0]?.time ?? 0);
      assert.equal(time, 1_795_332_273_123_456_789n, format);
      assert.equal(index.trace.timeDigits, 9);
    }
  });

  it('of a trace of QEMU come back with devices, flags and all', () => {
    const index = readTrace(
      [
        '7@1795332273.068193:vtd_iotlb_page_hit IOTLB page hit sid 0x38 iova 0x3ff000 slpte 0x7c800083 domain 0x2',
        '7@1795332273.068200:vtd_dmar_fault sid 0x38 fault 6 addr 0x5004 write 1',
        '7@1795332273.068201:vtd_inv_desc_iotlb_global iotlb invalidate global',
        'what is this',
        '',
      ].join('\n'),
    );
    for (const format of EXPORT_FORMATS) {
      const again = readTrace(exported(index, format), `trace.${format}`);
      assert.equal(again.unknown, 1, format);
      assert.deepEqual(
        rowsOf(again).map(({ line: _line, ...rest }) => rest),
        rowsOf(index).map(({ line: _line, ...rest }) => rest),
      );
    }
  });
});
