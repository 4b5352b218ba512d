import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { bytesSource } from '../../src/bytes/byteSource';
import { RowBuilder } from '../../src/trace/model/columns';
import { type TraceNames, traceNames } from '../../src/trace/model/dictionary';
import { type FlagName, FLAGS, OPERATIONS, type Operation } from '../../src/trace/model/operation';
import { type OpenTrace, type Position, type TraceProblem } from '../../src/trace/model/reader';
import { openTrace } from '../../src/trace/readers/index';

/** A row as a test compares it: what is absent has no key. */
export interface ReadRow {
  operation: Operation;
  event?: string;
  time?: number;
  cpu?: number;
  task?: string;
  pid?: number | null;
  tgid?: number;
  device?: string;
  iova?: bigint;
  size?: number;
  paddr?: bigint;
  domain?: number;
  pasid?: number;
  flags?: FlagName[];
  done?: number;
  count?: number;
}

const NUMBERS = ['time', 'cpu', 'size', 'domain', 'pasid', 'done', 'count'] as const;
const FLAG_NAMES = Object.keys(FLAGS) as FlagName[];

/** A row of a builder. */
export function readRow(out: RowBuilder, row: number, names: TraceNames): ReadRow {
  const at = (name: 'event' | 'device' | 'task' | 'flags' | 'operation' | (typeof NUMBERS)[number]) => {
    const value = out[name][row] ?? Number.NaN;
    return Number.isNaN(value) ? undefined : value;
  };
  const result: ReadRow = { operation: OPERATIONS[at('operation') ?? 0] ?? 'unknown' };
  const [event, device, flags] = [at('event'), at('device'), at('flags')];
  if (event !== undefined) result.event = names.events.text(event);
  if (device !== undefined) result.device = names.devices.text(device);
  const task = names.tasks.task(at('task') ?? -1);
  if (task) {
    result.task = task.name;
    result.pid = task.pid;
    if (task.tgid !== null) result.tgid = task.tgid;
  }
  for (const name of NUMBERS) {
    const value = at(name);
    if (value !== undefined) result[name] = value;
  }
  for (const name of ['iova', 'paddr'] as const) {
    const [page = Number.NaN, offset = Number.NaN] = [out[`${name}Page`][row], out[`${name}Offset`][row]];
    assert.equal(Number.isNaN(page), Number.isNaN(offset));
    if (!Number.isNaN(page)) result[name] = (BigInt(page) << 12n) | BigInt(offset);
  }
  if (flags !== undefined && flags !== 0)
    result.flags = FLAG_NAMES.filter((name) => (flags & FLAGS[name]) !== 0);
  return result;
}

export interface ReadTrace {
  readonly trace: OpenTrace;
  readonly rows: ReadRow[];
  /** Each row's line. */
  readonly lines: string[];
  readonly problems: TraceProblem[];
}

/** Reads a whole trace, of whatever format it is found to be. */
export function readTrace(content: string | Uint8Array, name = 'trace'): ReadTrace {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const names = traceNames();
  const opened = openTrace(bytesSource(name, new Uint8Array(bytes)), names);
  if (!opened.ok) throw new Error(opened.failure.message);
  const trace = opened.value;
  const rows: ReadRow[] = [];
  const lines: string[] = [];
  const problems = [...trace.problems];
  const out = new RowBuilder();
  for (let at: Position | undefined = trace.start; at;) {
    const filled = trace.fill(at, out);
    problems.push(...filled.problems);
    for (let row = 0; row < out.rows; row++) {
      rows.push(readRow(out, row, names));
      lines.push(trace.line(out.offset[row] ?? 0, out.length[row] ?? 0, 65_536));
    }
    out.clear();
    assert(!filled.next || filled.next.offset > at.offset, 'reading goes on');
    at = filled.next;
  }
  return { trace, rows, lines, problems };
}

const TRACES = path.join(__dirname, '../fixtures/traces');

/** A text of a guest, of test/fixtures/traces. */
export const guestTrace = (guest: string, file: string): string =>
  gunzipSync(readFileSync(path.join(TRACES, `${guest}-share`, `${file}.gz`))).toString('latin1');

/** All guests. */
export const GUESTS = [
  'amd',
  'riscv-debian',
  'riscv-pt',
  'riscv',
  'riscv-sv39',
  'smmuv3-16k',
  'smmuv3-4k-nestedhw',
  'smmuv3-4k-s2',
  'smmuv3-4k',
  'smmuv3-pt',
  'vtd-legacy',
  'vtd-pt',
  'vtd-sm-fl',
  'vtd-sm-sl',
  'vtd-small',
] as const;
