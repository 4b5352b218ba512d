import { OPERATIONS, type Operation } from '../../trace/model/operation';
import { type TraceTable } from '../../trace/model/table';
import { timesOf } from '../../trace/query/times';
import { type TraceSummary } from '../protocol';
import { type OpenedTrace } from './openTraces';

/** Devices that a summary lists. */
const DEVICES = 10_000;

/** What is known of a trace so far. */
export function summaryOf({ id, file, table, analysis, cached }: OpenedTrace): TraceSummary {
  const { trace, names, rows, complete, unknown, lost } = table;
  const { format, title, origin, timeDigits, header, namesDevices } = trace;
  const [firstTime, lastTime] = timesOf(table).map((time) => (Number.isNaN(time) ? null : time));
  const operations = operationsOf(table);
  return {
    trace: id,
    name: file.name,
    format,
    title: file.packed ? `${title}, gzip` : title,
    bytes: file.bytes,
    read: Math.min(file.bytes, table.bytesRead ?? file.bytes),
    rows,
    complete,
    events: eventsOf(table),
    operations,
    unknown,
    lost,
    origin: origin.toString(),
    timeDigits,
    firstTime: firstTime ?? null,
    lastTime: lastTime ?? null,
    header,
    // Readers tell by the first lines; events of the DMA API may begin later.
    namesDevices: namesDevices || (operations['dma-map'] ?? 0) > 0,
    devices: names.devices.texts().slice(0, DEVICES),
    spaces: analysis.told?.names ?? [],
    problems: [...file.problems, ...table.problems],
    problemCount: file.problems.length + table.problemCount,
    cached,
  };
}

function eventsOf({ names, eventCounts }: TraceTable): Record<string, number> {
  const events = new Map<string, number>();
  for (const [id, count] of eventCounts.entries()) {
    if (count > 0) events.set(names.events.text(id), count);
  }
  return Object.fromEntries(events);
}

function operationsOf({ chunks }: TraceTable): Partial<Record<Operation, number>> {
  const counts: Partial<Record<Operation, number>> = {};
  for (const { zone } of chunks) {
    for (const [code, operation] of OPERATIONS.entries()) {
      const count = zone.operations[code] ?? 0;
      if (count > 0) counts[operation] = (counts[operation] ?? 0) + count;
    }
  }
  return counts;
}
