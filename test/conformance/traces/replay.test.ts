/**
 * What is mapped after a row, against a model of nothing but pages: by the engine's count, and by the tables that it builds and
 * lists again. Findings, against lists written by hand.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  domainKeyOf,
  type EngineClient,
  type TraceFinding,
  type TraceFindingKind,
  type TraceSpaces,
} from '../../../src/inspection/protocol';
import { runInProcess } from '../../unit/cli/traceCli';
import { inProcessEngine } from '../../unit/inspection/inProcess';
import { type Event, traceOf } from './guestText';
import { allRows, openWhole, sampleFile } from './opened';

const PAGE = 4096;

/** Frames by page: of one address space. */
type Pages = Map<number, number>;

/** Lehmer's generator: the same traces in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

/** A random trace of two tasks with an address space each; what unmaps say that went is what goes. */
function randomEvents(count: number, seed: number, pages: number, doubles: boolean): Event[] {
  const below = random(seed);
  const spaces: Pages[] = [new Map<number, number>(), new Map<number, number>()];
  const events: Event[] = [];
  while (events.length < count) {
    const which = below(2);
    const space = spaces[which] ?? new Map<number, number>();
    const task = which === 0 ? 'disk-10' : 'net/3:1H-20';
    const [page, length] = [0x100 + below(pages), 1 + below(6)];
    const iova = page * PAGE;
    const size = length * PAGE;
    if (below(2) === 0) {
      const free = Array.from({ length }, (_, at) => page + at).every((at) => !space.has(at));
      if (!free && !doubles) continue;
      const event: Event = { op: 'map', task, iova, size, paddr: (0x100000 + below(0x10000)) * PAGE };
      apply(space, event);
      events.push(event);
    } else {
      // The kernel stops at the first page that is not mapped.
      let done = 0;
      while (done < length && space.has(page + done)) done++;
      const event: Event = { op: 'unmap', task, iova, size, done: done * PAGE };
      apply(space, event);
      events.push(event);
    }
  }
  return events;
}

function apply(space: Pages, event: Event): void {
  if (event.op === 'flush') return;
  const { iova } = event;
  const length = (event.op === 'map' ? event.size : (event.done ?? event.size)) / PAGE;
  for (let at = 0; at < length; at++) {
    if (event.op === 'unmap') space.delete(iova / PAGE + at);
    else space.set(iova / PAGE + at, event.paddr / PAGE + at);
  }
}

/** What is mapped after a row, by task. */
function mappedAfter(events: readonly Event[], row: number): Map<string, Pages> {
  const spaces = new Map<string, Pages>();
  for (const event of events.slice(0, row + 1)) {
    const task = event.task ?? '';
    const space = spaces.get(task) ?? new Map<number, number>();
    spaces.set(task, space);
    apply(space, event);
  }
  return spaces;
}

/** One text for each space, so that spaces without names can be compared: neighbours that go on are one. */
const written = (spaces: Iterable<Pages>): string[] =>
  [...spaces]
    .filter(({ size }) => size > 0)
    .map((space) => {
      const runs: { page: number; frame: number; length: number }[] = [];
      for (const page of Float64Array.from(space.keys()).sort()) {
        const frame = space.get(page) ?? 0;
        const last = runs.at(-1);
        const length = last?.length ?? 0;
        if (last?.page === page - length && last.frame === frame - length) last.length++;
        else runs.push({ page, frame, length: 1 });
      }
      const text = (value: number): string => value.toString(16);
      return runs.map(({ page, frame, length }) => `${text(page)}>${text(frame)}+${length}`).join(' ');
    })
    .sort();

const TASKS: TraceSpaces = {
  by: 'rules',
  rules: [
    { name: 'disk', where: 'task = disk' },
    { name: 'net', where: 'task = "net/3:1H"' },
  ],
};
const ONE: TraceSpaces = { by: 'rules', rules: [{ name: 'all', where: 'op in (map, unmap, flush)' }] };

describe('replay of traces, against pages', () => {
  let client: EngineClient;
  before(() => void ({ client } = inProcessEngine()));
  after(() => client.dispose());

  const live = async (row: number, spaces: TraceSpaces) =>
    client.request('traceLive', { trace: 't', row, spaces });

  /** All that the tables of an inspection map, by domain. */
  async function listed(inspection: string): Promise<Pages[]> {
    const { rows: domains, next } = await client.request('domains', { inspection, page: { limit: 100 } });
    assert.equal(next, undefined);
    const all: Pages[] = [];
    for (const domain of domains) {
      const pages: Pages = new Map();
      let cursor: string | undefined;
      do {
        const page = await client.request('list', {
          inspection,
          domain: domainKeyOf(domain),
          where: '',
          page: { limit: 100, ...(cursor !== undefined && { cursor }) },
        });
        for (const { iova, paddr, length } of page.rows) {
          const [first, frame] = [Number(iova >> 12n), Number(paddr >> 12n)];
          for (let at = 0; at < Number(length >> 12n); at++) pages.set(first + at, frame + at);
        }
        cursor = page.next;
      } while (cursor !== undefined);
      all.push(pages);
    }
    await client.request('close', { inspection });
    await client.request('close', { inspection });
    return all;
  }

  /** Builds the tables after a row and lists them. */
  async function tablesAfter(row: number, spaces: TraceSpaces, vendor?: string): Promise<Pages[]> {
    const inspection = 'tables';
    const replay = { trace: 't', row, spaces, ...(vendor !== undefined && { vendor }) };
    await client.request('open', { inspection, replay });
    return listed(inspection);
  }

  for (const [title, seed, doubles] of [
    ['maps of free pages alone', 1, false],
    ['maps over what is mapped, too', 7, true],
  ] as const) {
    it(`random rows, forwards and back, split by rules: ${title}`, async () => {
      const events = randomEvents(3000, seed, 300, doubles);
      const summary = await openWhole(client, traceOf(events));
      assert.equal(summary.rows, events.length);
      const below = random(seed + 1);
      for (const row of [events.length - 1, 0, ...Array.from({ length: 6 }, () => below(events.length))]) {
        const model = mappedAfter(events, row);
        const bytes = [...model]
          .map(([task, pages]) => [task.startsWith('disk') ? 'disk' : 'net', pages.size * PAGE] as const)
          .filter(([, size]) => size > 0)
          .sort();
        const answer = await live(row, TASKS);
        assert.deepEqual(
          answer.spaces.map(({ name, bytes: size }) => [name, size]).sort(),
          bytes,
          `row ${row}`,
        );
        assert.deepEqual(written(await tablesAfter(row, TASKS)), written(model.values()), `row ${row}`);
      }
    });
  }

  for (const vendor of ['vt-d', 'amd-vi', 'smmuv3', 'riscv'])
    it(`tables of ${vendor} hold large, odd and high mappings`, async () => {
      const events: Event[] = [
        { op: 'map', iova: 0x4000_0000, paddr: 0x1_4000_0000, size: 0x4000_0000 },
        { op: 'map', iova: 0x20_0000, paddr: 0x1_0020_0000, size: 0x20_0000 },
        { op: 'map', iova: 0x1000, paddr: 0x7000, size: 0x5000 },
        { op: 'map', iova: 0x7f_ffff_f000, paddr: 0x8000_0000, size: 0x1000 },
        // A page of the 1 GiB goes, and another comes in its place.
        { op: 'unmap', iova: 0x4123_4000, size: 0x1000 },
        { op: 'map', iova: 0x4123_4000, paddr: 0x9000, size: 0x1000 },
        { op: 'unmap', iova: 0x20_0000, size: 0x20_0000 },
      ];
      await openWhole(client, traceOf(events));
      for (const row of [6, 3]) {
        const model = mappedAfter(events, row);
        const tables = await tablesAfter(row, ONE, vendor);
        assert.equal(tables.length, 1);
        assert.deepEqual(written(tables), written(model.values()), `row ${row}`);
      }
    });

  it('over the seams of what is read at once', async () => {
    // No page twice within 4096 rows, so that all that is mapped is known from the row's number alone.
    const events = Array.from({ length: 140_000 }, (_, row): Event => {
      const page = 0x1000 + Math.floor(row / 2);
      return row % 2 === 0
        ? { op: 'map', iova: page * PAGE, paddr: (page + 0x100_0000) * PAGE, size: PAGE }
        : {
            op: 'unmap',
            iova: Math.max(0x1000, page - 16) * PAGE,
            size: PAGE,
            done: page < 0x1010 ? 0 : PAGE,
          };
    });
    await openWhole(client, traceOf(events));
    for (const row of [139_999, 65_536, 65_535, 131_072, 20, 3]) {
      const model = mappedAfter(events, row);
      const { spaces } = await live(row, ONE);
      const pages = model.get('') ?? new Map<number, number>();
      assert.deepEqual(
        spaces,
        [{ name: 'all', mappings: pages.size, bytes: pages.size * PAGE }],
        `row ${row}`,
      );
      assert.deepEqual(written(await tablesAfter(row, ONE)), written(model.values()), `row ${row}`);
    }
  });

  it('a life ends at the row that takes the last of it away; a history has every row whose range has the IOVA', async () => {
    const events = randomEvents(1200, 99, 120, true);
    await openWhole(client, traceOf(events));
    await client.request('traceSpaces', { trace: 't', spaces: TASKS });
    // Which map holds a page, and how many pages each holds.
    const holders = new Map<string, number>();
    const held = new Map<number, number>();
    const ended = new Map<number, number>();
    for (const [row, event] of events.entries()) {
      if (event.op === 'flush') continue;
      const length = (event.op === 'map' ? event.size : (event.done ?? event.size)) / PAGE;
      for (let at = 0; at < length; at++) {
        const key = `${event.task ?? ''} ${event.iova / PAGE + at}`;
        const holder = holders.get(key);
        if (holder !== undefined) {
          const left = (held.get(holder) ?? 0) - 1;
          held.set(holder, left);
          if (left === 0) ended.set(holder, row);
        }
        if (event.op === 'unmap') holders.delete(key);
        else {
          holders.set(key, row);
          held.set(row, (held.get(row) ?? 0) + 1);
        }
      }
    }
    const lives: (readonly [number, number | null])[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.request('traceLifetimes', {
        trace: 't',
        where: '',
        page: { limit: 100, ...(cursor !== undefined && { cursor }) },
      });
      lives.push(...page.rows.map(({ mapRow, unmapRow }) => [mapRow, unmapRow] as const));
      cursor = page.next;
    } while (cursor !== undefined);
    assert.deepEqual(
      lives,
      events.flatMap(({ op }, row) => (op === 'map' ? [[row, ended.get(row) ?? null]] : [])),
    );

    for (const iova of [0x110, 0x133, 0x170].map((page) => page * PAGE + 0x123)) {
      const answer = await client.request('traceHistory', {
        trace: 't',
        iova: `0x${iova.toString(16)}`,
        space: 'disk',
        page: { limit: 1000 },
      });
      const rows = events.flatMap((event, row) =>
        event.op !== 'flush' &&
        event.task === 'disk-10' &&
        event.iova <= iova &&
        iova < event.iova + event.size
          ? [row]
          : [],
      );
      assert.ok(rows.length > 5);
      assert.deepEqual(
        answer.rows.map(({ row }) => row),
        rows,
      );
      const maps = rows.filter((row) => events[row]?.op === 'map');
      assert.deepEqual(
        answer.lifetimes.map(({ mapRow }) => mapRow),
        maps,
      );
    }
  });

  it('spaces of a trace that names devices are its devices, and of one that names domains its domains', async () => {
    const rows = [
      { operation: 'map', device: '0000:00:02.0', domain: 3, iova: '0x10000', size: 8192, paddr: '0x100000' },
      { operation: 'map', device: '0000:00:03.0', domain: 7, iova: '0x10000', size: 4096, paddr: '0x200000' },
      { operation: 'map', device: '0000:00:04.0', domain: 7, iova: '0x20000', size: 4096, paddr: '0x300000' },
      { operation: 'unmap', device: '0000:00:02.0', domain: 3, iova: '0x10000', size: 4096 },
    ];
    await openWhole(client, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
    const at = (row: number, by: 'device' | 'domain') => live(row, { by }).then(({ spaces }) => spaces);
    assert.deepEqual(await at(2, 'device'), [
      { name: '0000:00:02.0', mappings: 1, bytes: 8192 },
      { name: '0000:00:03.0', mappings: 1, bytes: 4096 },
      { name: '0000:00:04.0', mappings: 1, bytes: 4096 },
    ]);
    assert.deepEqual(
      (await at(3, 'domain')).map(({ mappings, bytes }) => [mappings, bytes]),
      [
        [1, 4096],
        [2, 8192],
      ],
    );
    assert.deepEqual(written(await tablesAfter(3, { by: 'domain' })), ['10>200+1 20>300+1', '11>101+1']);
    assert.deepEqual(written(await tablesAfter(3, { by: 'device' })), ['10>200+1', '11>101+1', '20>300+1']);
  });

  for (const [guest, file] of [
    ['vtd-sm-fl-share', 'ftrace_sample_alldma.txt'],
    ['smmuv3-16k-share', 'ftrace_sample_alldma.txt'],
    ['vtd-sm-fl-share', 'trace.v6.dat'],
    ['riscv-share', 'trace.v7.dat'],
  ] as const)
    it(`${guest}/${file}: a map is of the device whose buffer the DMA API tells of next`, async () => {
      await openWhole(client, { path: sampleFile(guest, file) });
      await client.request('traceSpaces', { trace: 't', spaces: { by: 'auto' } });
      const rows = await allRows(client);
      let known = 0;
      for (const [at, row] of rows.entries()) {
        if (row.operation !== 'map' || row.iova === null) continue;
        const next = rows
          .slice(at + 1, at + 60)
          .find(({ operation, task, iova }) => operation === 'dma-map' && task === row.task && iova !== null);
        const { iova: buffer = null, size = 0, device = null } = next ?? {};
        if (buffer === null) continue;
        const first = BigInt(buffer) & ~0xfffn;
        if (BigInt(row.iova) < first || BigInt(row.iova) >= BigInt(buffer) + BigInt(size ?? 0)) continue;
        known++;
        assert.equal(row.space, device, row.line);
      }
      assert.ok(known > 40, `${known}`);
    });

  it('saved by the command line and opened again, the tables are those after the row', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'iopte-replay-'));
    try {
      const events = randomEvents(600, 11, 200, true);
      const file = path.join(folder, 'trace.txt');
      writeFileSync(file, traceOf(events));
      const image = path.join(folder, 'tables.raw.gz');
      const options = [
        '--spaces',
        'disk=task = disk',
        '--spaces',
        'net=task = "net/3:1H"',
        '--vendor',
        'amd-vi',
      ];
      const run = await runInProcess('trace', file, '--replay-to', '400', '--save', image, ...options);
      assert.equal(run.exitCode, 0, run.stderr);
      const description = readFileSync(path.join(folder, 'tables.iopte.json'), 'utf8');
      await client.request('open', {
        inspection: 'tables',
        description,
        image: { kind: 'path', path: image },
      });
      // Rows of the command line count from 1.
      assert.deepEqual(written(await listed('tables')), written(mappedAfter(events, 399).values()));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('rules: the first that matches has the row, and what none matches is other', async () => {
    const events: Event[] = [
      { op: 'map', task: 'a-1', iova: 0x10000, paddr: 0x100000, size: PAGE },
      { op: 'map', task: 'b-2', iova: 0x10000, paddr: 0x200000, size: 2 * PAGE },
      { op: 'map', task: 'c-3', iova: 0x10000, paddr: 0x300000, size: PAGE },
      { op: 'unmap', task: 'b-2', iova: 0x10000, size: PAGE },
    ];
    await openWhole(client, traceOf(events));
    const spaces: TraceSpaces = {
      by: 'rules',
      rules: [
        { name: 'A', where: 'task = a' },
        { name: 'AB', where: 'task in (a, b)' },
      ],
    };
    const told = await client.request('traceSpaces', { trace: 't', spaces });
    assert.deepEqual(told.spaces, [
      { name: 'A', rows: 1, live: 1 },
      { name: 'AB', rows: 2, live: 1 },
      { name: 'other', rows: 1, live: 1 },
    ]);
    assert.deepEqual(
      (await allRows(client)).map(({ space }) => space),
      ['A', 'AB', 'other', 'AB'],
    );
    assert.deepEqual(written(await tablesAfter(3, spaces)), ['10>100+1', '10>300+1', '11>201+1']);
    const wrong = await client
      .request('traceSpaces', {
        trace: 't',
        spaces: { by: 'rules', rules: [{ name: 'A', where: 'task = = a' }] },
      })
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    assert.match(String(wrong), /filter|condition|write/i);
  });

  describe('findings', () => {
    type Short = readonly [TraceFindingKind, number, number | null, string, number];
    const short = ({ kind, row, other, iova, size }: TraceFinding): Short => [kind, row, other, iova, size];

    async function found(events: readonly Event[]): Promise<Short[]> {
      await openWhole(client, traceOf(events));
      await client.request('traceSpaces', { trace: 't', spaces: ONE });
      const { rows, counts } = await client.request('traceFindings', { trace: 't', page: { limit: 100 } });
      const list = rows.map(short);
      for (const [kind, count] of Object.entries(counts))
        assert.equal(count, list.filter(([name]) => name === kind).length, kind);
      return list;
    }
    const map = (iova: number, size = PAGE): Event => ({ op: 'map', iova, size, paddr: 0x8000_0000 + iova });
    const unmap = (iova: number, size = PAGE, done = size): Event => ({ op: 'unmap', iova, size, done });
    const flush = (iova?: number, order = 0): Event => ({
      op: 'flush',
      ...(iova !== undefined && { iova }),
      order,
    });

    it('none where all is as it should be', async () => {
      assert.deepEqual(
        await found([
          map(0x10000, 0x4000),
          unmap(0x10000, 0x4000),
          flush(0x10000, 2),
          map(0x10000),
          unmap(0x10000),
          flush(),
        ]),
        [],
      );
    });

    it('a double map, with the map that it meets', async () => {
      assert.deepEqual(
        await found([map(0x10000), map(0x20000), map(0x10000), unmap(0x10000), unmap(0x20000)]),
        [['double-map', 2, 0, '0x10000', PAGE]],
      );
    });

    it('a double map of a part', async () => {
      assert.deepEqual(await found([map(0x10000, 0x4000), map(0x13000, 0x2000), unmap(0x10000, 0x5000)]), [
        ['double-map', 1, 0, '0x13000', PAGE],
      ]);
    });

    it('an unmap of nothing, before and after there was something', async () => {
      assert.deepEqual(
        await found([unmap(0x10000, PAGE, 0), map(0x10000), unmap(0x10000), unmap(0x10000, PAGE, 0)]),
        [
          ['unmap-nothing', 0, null, '0x10000', PAGE],
          ['unmap-nothing', 3, null, '0x10000', PAGE],
        ],
      );
    });

    it('an unmap of which less went than it asked for', async () => {
      assert.deepEqual(await found([map(0x10000, 0x2000), unmap(0x10000, 0x4000, 0x2000)]), [
        ['short-unmap', 1, null, '0x10000', 0x4000],
      ]);
    });

    it('leaks: what is still there at the end, and no more of it', async () => {
      assert.deepEqual(
        await found([map(0x10000, 0x4000), map(0x20000), unmap(0x10000, 0x3000), unmap(0x20000)]),
        [['leak', 0, null, '0x13000', PAGE]],
      );
    });

    it('a flush that is missing between an unmap and the next map', async () => {
      assert.deepEqual(
        await found([
          ...[map(0x10000), unmap(0x10000), map(0x10000), unmap(0x10000), flush(0x10000)],
          ...[map(0x10000), unmap(0x10000), flush()],
        ]),
        [['missing-flush', 1, 2, '0x10000', PAGE]],
      );
    });

    it('a flush of other pages does not count', async () => {
      assert.deepEqual(
        await found([
          map(0x10000),
          unmap(0x10000),
          flush(0x20000, 2),
          map(0x10000),
          unmap(0x10000),
          flush(0x10000),
        ]),
        [['missing-flush', 1, 3, '0x10000', PAGE]],
      );
    });

    it('nothing is said of flushes in a trace that has none', async () => {
      assert.deepEqual(await found([map(0x10000), unmap(0x10000), map(0x10000), unmap(0x10000)]), []);
    });
  });
});
