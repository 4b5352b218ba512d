import assert from 'node:assert/strict';
import { bytesSource } from '../../src/bytes/byteSource';
import { TraceIndex } from '../../src/trace/index/traceIndex';
import { traceNames } from '../../src/trace/model/dictionary';
import { OPERATIONS } from '../../src/trace/model/operation';
import { type TraceTable } from '../../src/trace/model/table';
import { traceRow, type TraceRow } from '../../src/trace/query/traceRow';
import { openTrace } from '../../src/trace/readers';

/** Opens a trace by its content and its name, and reads it to the end. `budget`: bytes of rows that stay in memory. */
export function readTrace(content: string | Uint8Array, name = 'trace', budget?: number): TraceIndex {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const names = traceNames();
  const opened = openTrace(bytesSource(name, bytes), names);
  assert.ok(opened.ok, opened.ok ? '' : opened.failure.message);
  const index = TraceIndex.create(opened.value, names, budget === undefined ? {} : { budget });
  while (index.readChunk());
  return index;
}

/** All rows, or those from `first` on. */
export function rowsOf(index: TraceTable, first = 0, count = Infinity): TraceRow[] {
  const rows: TraceRow[] = [];
  for (let row = first; row < Math.min(index.rows, first + count); row++) {
    const read = traceRow(index, row);
    assert.ok(read);
    rows.push(read);
  }
  return rows;
}

/** What a row says beyond nothing, without its number, its line and its event. */
export function said(row: TraceRow | undefined): Record<string, unknown> {
  assert.ok(row);
  const { row: _number, line: _line, cut: _cut, event: _event, flags, ...rest } = row;
  const facts = Object.entries(rest).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(facts), ...(flags.length > 0 && { flags: flags.join('|') }) };
}

/** Rows by the names of their events, and by operation. */
export function countsOf(index: TraceIndex): {
  events: Record<string, number>;
  operations: Record<string, number>;
} {
  const events = Object.fromEntries(
    index.names.events.texts().map((name, id) => [name, index.eventCounts[id] ?? 0]),
  );
  const operations: Record<string, number> = {};
  for (const { zone } of index.chunks) {
    for (const [code, rows] of zone.operations.entries()) {
      const name = OPERATIONS[code] ?? 'unknown';
      if (rows > 0) operations[name] = (operations[name] ?? 0) + rows;
    }
  }
  return { events, operations };
}
