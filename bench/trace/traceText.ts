import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { gunzipSync } from 'node:zlib';
import { type ByteSource } from '../../src/bytes/byteSource';
import { TraceIndex } from '../../src/trace/index/traceIndex';
import { traceNames } from '../../src/trace/model/dictionary';
import { operationCode } from '../../src/trace/model/operation';
import { openTrace } from '../../src/trace/readers/index';
import { splitRegexRound } from './splitRegex';

export interface Options {
  /** A trace of ftrace text, .gz or not, which is repeated to the size that is wanted. */
  readonly file: string;
  readonly megabytes: number;
  readonly rounds: number;
  /** Missed goals are an error. */
  readonly strict: boolean;
  /** Also 1 GB of text in a process of its own: time to first rows, and memory. */
  readonly large: boolean;
  readonly home: string;
  readonly out: string;
}

const LOST = operationCode('lost');
const [MAP, UNMAP] = [operationCode('map'), operationCode('unmap')];
const [HASH, LINE_FEED] = [0x23, 0x0a];
const WARM_UP_ROUNDS = 2;
const GOALS = { limit: 2.5, peer: 5, firstRows: 1000, memory: 400 };
const LARGE_MEGABYTES = 1000;

interface Counts {
  readonly rows: number;
  readonly maps: number;
  readonly unmaps: number;
}

/** Indexes one file in turns with the limit in C and with lines and regular expressions. Gives the exit code. */
export async function bench(options: Options): Promise<number> {
  const { home, out, rounds } = options;
  fs.mkdirSync(out, { recursive: true });
  const file = repeated(options.file, out, options.megabytes);
  const program = path.join(out, 'traceLimit');
  const flags = ['-O3', '-march=native', '-std=gnu11', '-Wall', '-Wextra'];
  execFileSync('cc', [...flags, '-o', program, path.join(home, 'limit.c')], { stdio: 'inherit' });
  const limit = spawn(program, [file]);
  const lines: AsyncIterable<string, undefined> = readline.createInterface({ input: limit.stdout });
  const answers = lines[Symbol.asyncIterator]();
  const times = { ours: [] as number[], limit: [] as number[], peer: [] as number[] };
  let rows = 0;
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    const [ours, counts] = timed(() => indexRound(file));
    limit.stdin.write('\n');
    const [nanoseconds = NaN, its = NaN, maps = NaN, unmaps = NaN] = String((await answers.next()).value)
      .split(' ')
      .map(Number);
    const [peer] = timed(() => splitRegexRound(file));
    if (counts.rows !== its || counts.maps !== maps || counts.unmaps !== unmaps) {
      process.stderr.write(
        `Counts differ: ours ${JSON.stringify(counts)}, the limit's ${[its, maps, unmaps].join(', ')}.\n`,
      );
      return 1;
    }
    rows = its;
    if (round < 0) continue;
    times.ours.push(ours);
    times.limit.push(nanoseconds);
    times.peer.push(peer);
  }
  limit.stdin.end();
  const [ours, its, peers] = [median(times.ours), median(times.limit), median(times.peer)];
  const each = (time: number): string => `${(time / rows).toFixed(0)} ns`;
  const missed = [
    report(
      `ours / C limit, ${rows} rows, ${each(ours)} and ${each(its)} a row`,
      ours / its,
      GOALS.limit,
      'x',
    ),
    report(`split + regex / ours, ${each(peers)} a row`, peers / ours, -GOALS.peer, 'x'),
    ...(options.large ? largeFigures(options) : []),
  ];
  return options.strict && missed.includes(true) ? 1 : 0;
}

/** Writes a figure beside its goal (at least, when the goal is negative); true when it was missed. */
function report(what: string, figure: number, goal: number, unit: string): boolean {
  const wanted = goal < 0 ? `>= ${-goal}` : `<= ${goal}`;
  process.stdout.write(`${what}: ${figure.toPrecision(3)} ${unit} (goal ${wanted} ${unit})\n`);
  return goal < 0 ? figure < -goal : figure > goal;
}

/** Reads a whole trace: rows, zones, counts, packed columns. Gives its events and unknown lines. */
function indexRound(file: string): Counts {
  const source = fileSource(file);
  const { index } = opened(source);
  while (index.readChunk());
  source.close();
  const rows = (operation: number): number =>
    index.chunks.reduce((sum, { zone }) => sum + (zone.operations[operation] ?? 0), 0);
  return { rows: index.rows - rows(LOST), maps: rows(MAP), unmaps: rows(UNMAP) };
}

function opened(source: ByteSource): { index: TraceIndex } {
  const names = traceNames();
  const trace = openTrace(source, names);
  if (!trace.ok) throw new Error(trace.failure.message);
  return { index: TraceIndex.create(trace.value, names) };
}

/** In a process that does nothing else: milliseconds to the first rows, all milliseconds, MB of memory at the most. */
export function large(file: string): void {
  const start = performance.now();
  const source = fileSource(file);
  const { index } = opened(source);
  index.readChunk();
  const first = performance.now() - start;
  while (index.readChunk());
  source.close();
  const all = performance.now() - start;
  process.stdout.write(JSON.stringify([first, all, process.resourceUsage().maxRSS / 1024]));
}

function largeFigures({ file, out }: Options): boolean[] {
  const text = repeated(file, out, LARGE_MEGABYTES);
  const bundle = path.join(out, 'trace', 'bench.js');
  const program = `require(${JSON.stringify(bundle)}).large(${JSON.stringify(text)})`;
  const figures: unknown = JSON.parse(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }));
  const [first = NaN, all = NaN, memory = NaN] = Array.isArray(figures) ? figures.map(Number) : [];
  return [
    report(`first rows of ${LARGE_MEGABYTES} MB`, first, GOALS.firstRows, 'ms'),
    report(
      `memory while ${LARGE_MEGABYTES} MB are indexed in ${(all / 1000).toFixed(1)} s`,
      memory,
      GOALS.memory,
      'MB',
    ),
  ];
}

/** A file as the engine reads it: ranged reads, nothing held. */
function fileSource(file: string): ByteSource {
  const descriptor = fs.openSync(file, 'r');
  return {
    name: path.basename(file),
    size: fs.fstatSync(descriptor).size,
    read: (offset, target) => fs.readSync(descriptor, target, 0, target.length, offset),
    close: () => {
      fs.closeSync(descriptor);
    },
  };
}

/** Makes a text of so many MB out of one trace again and again, its comments once; or leaves it, when it is there. */
function repeated(from: string, out: string, megabytes: number): string {
  const to = path.join(out, `${path.basename(from)}-${megabytes}.txt`);
  const bytes = fs.readFileSync(from);
  const text = from.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  const wanted = megabytes * 1e6;
  const times = Math.max(1, Math.ceil(wanted / text.length));
  let rows = 0;
  while (text[rows] === HASH) rows = text.indexOf(LINE_FEED, rows) + 1;
  const size = text.length + (times - 1) * (text.length - rows);
  if (fs.existsSync(to) && fs.statSync(to).size === size) return to;
  const descriptor = fs.openSync(to, 'w');
  for (let time = 0; time < times; time++) fs.writeSync(descriptor, time === 0 ? text : text.subarray(rows));
  fs.closeSync(descriptor);
  return to;
}

/** CPU time in nanoseconds, and what came out. */
function timed<T>(work: () => T): readonly [number, T] {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return [1000 * (user + system), result];
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
