import { type ByteSource } from '../../../bytes/byteSource';
import { type TraceProblem } from '../../model/reader';
import { type CpuBuffer, type DatFile } from './datFile';
import { DatCursor, growingCursor } from './fileBytes';
import { plainPages } from './pages';
import {
  problemOf,
  readCommands,
  readCpuCount,
  readEventSystems,
  readFtraceEvents,
  readHeaderInfo,
  REST_HINT,
  textOf,
  timeOffset,
} from './sections';
import { type Start } from './start';

/** Options that are used, by their number (trace-cmd.dat.v6, OPTIONS). */
const OPTION = { date: 1, clock: 4, uname: 5, offset: 7, cpus: 8, version: 9, buffer: 3 } as const;
/** What stands before the recorded pages; longer is no description, but the recorded pages themselves. */
const DESCRIPTION_LIMIT = 256 * 2 ** 20;
const MOST_INSTANCES = 1024;

/** Reads a file of version 6: everything one after the other, then the pages of each CPU. */
export function readVersion6(source: ByteSource, start: Start): DatFile {
  const cursor = growingCursor(source, start.end, DESCRIPTION_LIMIT, start.bigEndian, 'the description');
  const layout = readHeaderInfo(cursor, start.pageSize);
  const formats = [...readFtraceEvents(cursor), ...readEventSystems(cursor)];
  cursor.take(cursor.u32()); // symbols of the kernel
  cursor.take(cursor.u32()); // formats of trace_printk
  const commands = readCommands(cursor);
  const cpus = readCpuCount(cursor);
  const options = { clock: '', offset: 0n, about: [] as string[], instances: [] as Instance[] };
  let kind = cursor.text(10);
  if (kind.startsWith('options')) {
    readOptions(cursor, options);
    kind = cursor.text(10);
  }
  if (kind.startsWith('latency')) throw cursor.error('it holds the text of a latency tracer, and no events');
  if (!kind.startsWith('flyrecord')) throw cursor.error('the recorded events are missing');
  const buffers = readBuffers(source, cursor, cpus, '');
  const problems: TraceProblem[] = [];
  for (const { name, offset } of options.instances.slice(0, MOST_INSTANCES)) {
    try {
      const table = growingCursor(source, offset, 10 + 16 * cpus, start.bigEndian, `buffer ${name}`);
      if (table.text(10).startsWith('flyrecord')) buffers.push(...readBuffers(source, table, cpus, name));
    } catch (error) {
      problems.push({ ...problemOf(error, 'trace/dat-section', REST_HINT), severity: 'error' });
    }
  }
  return {
    ...{ version: 6, bigEndian: start.bigEndian, layout, formats, commands, buffers, problems },
    ...{ clock: options.clock, timeOffset: options.offset, about: [...options.about, `${cpus} CPUs`] },
  };
}

interface Instance {
  readonly name: string;
  readonly offset: number;
}

function readOptions(
  cursor: DatCursor,
  into: { clock: string; offset: bigint; about: string[]; instances: Instance[] },
): void {
  for (;;) {
    const id = cursor.u16();
    if (id === 0) return;
    const data = cursor.take(cursor.u32());
    if (id === OPTION.clock) into.clock = /\[(\w+)\]/.exec(textOf(data))?.[1] ?? '';
    else if (id === OPTION.offset || id === OPTION.date)
      into.offset += id === OPTION.offset ? timeOffset(textOf(data)) : 0n;
    else if (id === OPTION.uname || id === OPTION.version) into.about.push(textOf(data));
    else if (id === OPTION.buffer) {
      const option = new DatCursor(
        data,
        cursor.bigEndian,
        cursor.base + cursor.at - data.length,
        'a buffer option',
      );
      into.instances.push({ offset: option.u64(), name: option.string() });
    }
  }
}

function readBuffers(source: ByteSource, cursor: DatCursor, cpus: number, instance: string): CpuBuffer[] {
  const buffers: CpuBuffer[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    const [offset, size] = [cursor.u64(), cursor.u64()];
    if (size > 0) buffers.push({ cpu, instance, pages: plainPages(source, offset, size) });
  }
  return buffers;
}
