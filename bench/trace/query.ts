import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { TraceIndex } from '../../src/trace/index/traceIndex';
import { unpack } from '../../src/trace/model/chunk';
import { CHUNK_ROWS } from '../../src/trace/model/columns';
import { traceNames } from '../../src/trace/model/dictionary';
import { type TraceTable } from '../../src/trace/model/table';
import { compileTraceFilter } from '../../src/trace/query/traceFilter';
import { TraceView } from '../../src/trace/query/traceView';
import { openTrace } from '../../src/trace/readers/index';
import { BenchRows } from './benchRows';

export interface Options {
  readonly rows: number;
  readonly rounds: number;
  /** Missed goals are an error. */
  readonly strict: boolean;
  /** Also the filters over the rows of this text, as the product opens it. */
  readonly file?: string;
  readonly home: string;
  readonly out: string;
}

/** Milliseconds of CPU for all rows, and for the first that match. */
const GOALS = { all: 1000, first: 100 };

/** The same conditions stand in queryLimit.c, by these numbers. */
const FILTERS = [
  'op = map',
  'op = unmap and size >= 64K',
  'iova in 0xc0000000..0xc0100000',
  'task = dd and (cpu = 1 or size > 64K) and not failed',
  'since in 1.1..1.2 or paddr in 5G..6G',
];
/** What queryLimit.c reads, one after the other, with the bytes of a number. */
const COLUMNS = [
  ['operation', Uint8Array],
  ['time', Float64Array],
  ['cpu', Uint8Array],
  ['task', Uint8Array],
  ['iovaPage', Uint32Array],
  ['size', Uint32Array],
  ['paddrPage', Uint32Array],
] as const;

/** Milliseconds of this process's CPU: others may be at work on the machine. */
const clock = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

interface Round {
  readonly wall: number;
  readonly first: number;
  readonly all: number;
  readonly matches: number;
}

/** Asks the same filters of the same columns here and in C, in turns. Gives the exit code. */
export async function bench(options: Options): Promise<number> {
  const { home, out, rows, rounds } = options;
  fs.mkdirSync(out, { recursive: true });
  const table = new BenchRows(rows);
  const columns = path.join(out, 'queryColumns.bin');
  writeColumns(table, columns);
  const program = path.join(out, 'queryLimit');
  const flags = ['-O3', '-march=native', '-std=gnu11', '-Wall', '-Wextra'];
  execFileSync('cc', [...flags, '-o', program, path.join(home, 'queryLimit.c')], { stdio: 'inherit' });
  const limit = spawn(program, [columns, String(rows)]);
  const lines: AsyncIterable<string, undefined> = readline.createInterface({ input: limit.stdout });
  const answers = lines[Symbol.asyncIterator]();
  const missed: boolean[] = [];
  for (const [number, text] of FILTERS.entries()) {
    const times = { first: [] as number[], all: [] as number[], wall: [] as number[], limit: [] as number[] };
    for (let round = -1; round < rounds; round++) {
      const ours = ask(table, text);
      limit.stdin.write(`${number}\n`);
      const [milliseconds = NaN, matches = NaN] = String((await answers.next()).value)
        .split(' ')
        .map(Number);
      if (ours.matches !== matches) {
        process.stderr.write(`${text}: ours ${ours.matches} rows, the limit's ${matches}.\n`);
        return 1;
      }
      if (round < 0) continue;
      times.first.push(ours.first);
      times.all.push(ours.all);
      times.wall.push(ours.wall);
      times.limit.push(milliseconds);
    }
    const [first, all, its] = [median(times.first), median(times.all), median(times.limit)];
    const wall = median(times.wall).toFixed(0);
    process.stdout.write(
      `${text}: ${all.toFixed(0)} ms of CPU (wall clock ${wall} ms) for ${rows} rows, first rows after ${first.toFixed(1)} ms; ` +
        `C ${its.toFixed(0)} ms, ratio ${(all / its).toPrecision(2)}\n`,
    );
    missed.push(all > GOALS.all, first > GOALS.first);
  }
  limit.stdin.end();
  if (options.file !== undefined) missed.push(...textFigures(options.file));
  const goals = `goals: all rows within ${GOALS.all} ms, the first that match within ${GOALS.first} ms`;
  process.stdout.write(`${missed.includes(true) ? 'Missed' : 'Met'} ${goals}\n`);
  return options.strict && missed.includes(true) ? 1 : 0;
}

function ask(table: TraceTable, text: string): Round {
  const [start, begun] = [clock(), performance.now()];
  const compiled = compileTraceFilter(text, table);
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  const view = new TraceView(table, compiled.filter);
  const scan = view.scan();
  let first = Number.NaN;
  for (let step = scan.next(); step.done !== true; step = scan.next()) {
    if (first !== first && view.total > 0) first = clock() - start;
  }
  return { first, all: clock() - start, wall: performance.now() - begun, matches: view.total };
}

/** The filters over a text that was indexed before; packed columns beyond the budget are read again. */
function textFigures(file: string): boolean[] {
  const names = traceNames();
  const descriptor = fs.openSync(file, 'r');
  const source = {
    name: path.basename(file),
    size: fs.fstatSync(descriptor).size,
    read: (offset: number, target: Uint8Array) => fs.readSync(descriptor, target, 0, target.length, offset),
    close: () => undefined,
  };
  const trace = openTrace(source, names);
  if (!trace.ok) throw new Error(trace.failure.message);
  const index = TraceIndex.create(trace.value, names);
  const start = performance.now();
  while (index.readChunk());
  const read = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(
    `${file}: ${index.rows} rows indexed in ${read} s, ${index.bytesHeld >> 20} MiB held\n`,
  );
  const missed = FILTERS.map((text) => {
    const { first, all, wall, matches } = ask(index, text);
    process.stdout.write(
      `${text}: ${all.toFixed(0)} ms of CPU (wall clock ${wall.toFixed(0)} ms), first after ${first.toFixed(1)} ms, ${matches} rows\n`,
    );
    return all > (GOALS.all * index.rows) / 1e7;
  });
  fs.closeSync(descriptor);
  return missed;
}

function writeColumns(table: TraceTable, file: string): void {
  const numbers = new Float64Array(CHUNK_ROWS);
  const descriptor = fs.openSync(file, 'w');
  for (const [name, Kind] of COLUMNS) {
    for (const [chunk, { rows }] of table.chunks.entries()) {
      unpack(table.load(chunk).columns[name], rows, numbers);
      fs.writeSync(descriptor, new Uint8Array(Kind.from(numbers.subarray(0, rows)).buffer));
    }
  }
  fs.closeSync(descriptor);
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
