import { type ChunkInfo, type TraceTable } from '../../src/trace/model/table';
import { packRows, type TraceChunk, zoneOf } from '../../src/trace/model/chunk';
import { CHUNK_ROWS, RowBuilder } from '../../src/trace/model/columns';
import { traceNames } from '../../src/trace/model/dictionary';
import { operationCode } from '../../src/trace/model/operation';
import { type OpenTrace } from '../../src/trace/model/reader';
import { makeRandom } from '../random';

const TASKS = ['dd', 'fio', 'qemu', 'init', 'cc', 'sh', 'ld', 'as'];
const PAGES = [1, 1, 1, 2, 4, 16, 32, 512];
const EVENTS = ['map', 'unmap'] as const;

/** Rows as a driver under load leaves them: maps and unmaps of a few sizes, by eight tasks on four CPUs, one each microsecond. */
export class BenchRows implements TraceTable {
  readonly names = traceNames();
  readonly chunks: ChunkInfo[] = [];
  readonly complete = true;
  readonly problems = [];
  readonly problemCount = 0;
  readonly eventCounts = [];
  readonly unknown = 0;
  readonly lost = 0;
  readonly trace: OpenTrace = {
    format: 'bench',
    title: 'bench',
    origin: 0n,
    timeDigits: 6,
    header: '',
    start: { offset: 0 },
    problems: [],
    namesDevices: false,
    fill: () => ({ problems: [] }),
    line: () => '',
  };
  readonly #packed: TraceChunk[] = [];

  constructor(readonly rows: number) {
    const random = makeRandom(1);
    const out = new RowBuilder();
    for (const name of TASKS) this.names.tasks.id({ name, pid: 100 + name.length, tgid: null });
    for (let row = 0; row < rows; row++) {
      const number = random();
      const event = EVENTS[number & 1] ?? 'map';
      const at = out.begin((row % CHUNK_ROWS) * 110, 109, operationCode(event));
      out.event[at] = this.names.events.id(event);
      out.time[at] = row * 1000;
      out.cpu[at] = (number >>> 1) & 3;
      out.task[at] = (number >>> 3) & 7;
      out.size[at] = 4096 * (PAGES[(number >>> 6) & 7] ?? 1);
      out.iovaPage[at] = 0xb0000 + (number >>> 15);
      out.iovaOffset[at] = 0;
      out.paddrPage[at] = 0x100000 + (random() >>> 11);
      out.paddrOffset[at] = 0;
      if (!out.full && row + 1 < rows) continue;
      this.chunks.push({ first: row + 1 - out.rows, rows: out.rows, zone: zoneOf(out) });
      this.#packed.push(packRows(out));
      out.clear();
    }
  }

  load(chunk: number): TraceChunk {
    const packed = this.#packed[chunk];
    if (!packed) throw new RangeError(`no chunk ${chunk}`);
    return packed;
  }
}
