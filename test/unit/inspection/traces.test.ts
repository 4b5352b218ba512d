import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  type EngineClient,
  type Progress,
  RequestError,
  type TraceRow,
} from '../../../src/inspection/protocol';
import { webImagePlatform } from '../../../src/inspection/web/inflate';
import { inProcessEngine, type InProcessEngine } from './inProcess';

const FIXTURES = path.join(__dirname, '../../fixtures/traces');
const BOOT = path.join(FIXTURES, 'vtd-legacy-share/ftrace_boot.head.txt.gz');

const hex16 = (value: number): string => `0x${value.toString(16).padStart(16, '0')}`;

/** Lines as Linux 6.1 writes them: a map and an unmap of each of `pages` pages, by turns on two CPUs. */
function ftraceText(pages: number): string {
  const lines = ['# tracer: nop', '#', '#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION'];
  let time = 1_000_000;
  const line = (cpu: number, event: string): void => {
    const at = `${Math.floor(time / 1e6)}.${String(time % 1e6).padStart(6, '0')}`;
    lines.push(`              dd-${400 + cpu}     [00${cpu}] .....    ${at}: ${event}`);
    time += 10;
  };
  for (let page = 0; page < pages; page++) {
    const iova = 0xffe00000 + (page % 256) * 4096;
    const range = `iova=${hex16(iova)} - ${hex16(iova + 4096)}`;
    line(page % 2, `map: IOMMU: ${range} paddr=${hex16(0x100000000 + page * 4096)} size=4096`);
    line(page % 2, `unmap: IOMMU: ${range} size=4096 unmapped_size=4096`);
  }
  return `${lines.join('\n')}\n`;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('traces through the engine', () => {
  let engine: InProcessEngine;
  let client: EngineClient;
  beforeEach(() => {
    engine = inProcessEngine();
    ({ client } = engine);
  });
  afterEach(() => client.dispose());

  const open = (bytes: Uint8Array | string, trace = 't', name = 'trace.txt') =>
    client.request('traceOpen', {
      trace,
      file: { kind: 'bytes', name, bytes: typeof bytes === 'string' ? bytesOf(bytes) : bytes },
    });
  const index = (trace = 't') => client.request('traceIndex', { trace });
  const filter = (where: string, view = 'v') => client.request('traceFilter', { trace: 't', view, where });
  const rows = (first: number, count: number, view = '') =>
    client.request('traceRows', { trace: 't', view, first, count });
  const refusal = async (answer: Promise<unknown>): Promise<RequestError> => {
    const error: unknown = await answer.then(
      () => assert.fail('it was answered'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof RequestError, String(error));
    assert.notEqual(error.code, 'internal', error.message);
    return error;
  };

  describe('opening', () => {
    it('gives the first rows at once and the rest with traceIndex', async () => {
      const opened = await open(ftraceText(50_000));
      assert.equal(opened.format, 'ftrace');
      assert.ok(opened.rows > 0 && opened.rows < 100_000 && !opened.complete);
      assert.ok(opened.read < opened.bytes);
      const whole = await index();
      assert.equal(whole.rows, 100_000);
      assert.ok(whole.complete);
      assert.equal(whole.read, whole.bytes);
      assert.deepEqual(whole.events, { map: 50_000, unmap: 50_000 });
      assert.deepEqual(whole.operations, { map: 50_000, unmap: 50_000 });
      assert.equal(whole.firstTime, 1e9);
      assert.equal(whole.lastTime, 1e9 + 99_999 * 10_000);
      assert.equal(whole.cached, false);
      assert.deepEqual(await client.request('traceSummary', { trace: 't' }), whole);
    });

    it('reads a packed file by its path', async () => {
      const opened = await client.request('traceOpen', { trace: 't', file: { kind: 'path', path: BOOT } });
      assert.equal(opened.title, 'ftrace text, gzip');
      assert.equal(opened.bytes, gunzipSync(readFileSync(BOOT)).length);
      assert.equal((await index()).rows, 1048);
    });

    it('reads all members of a gzip file', async () => {
      const text = ftraceText(100);
      const half = text.indexOf('\n', text.length / 2) + 1;
      const packed = [text.slice(0, half), text.slice(half)].map((part) => gzipSync(part));
      await open(new Uint8Array(Buffer.concat(packed)));
      assert.equal((await index()).rows, 200);
    });

    it('takes a name anew: the trace that had it is closed', async () => {
      await open(ftraceText(100));
      await open(ftraceText(7));
      assert.equal((await index()).rows, 14);
    });

    it('is refused when it is closed, or opened anew, before it was done', async () => {
      const packed = new Uint8Array(gzipSync(ftraceText(20_000)));
      const closed = refusal(open(packed));
      await client.request('traceClose', { trace: 't' });
      assert.equal((await closed).code, 'trace/closed');
      assert.equal((await refusal(index())).code, 'trace/closed');
      const [first, second] = [refusal(open(packed)), open(ftraceText(7))];
      await second;
      assert.equal((await first).code, 'trace/closed');
      assert.equal((await index()).rows, 14);
    });

    it('refuses what it cannot read, and says what it can', async () => {
      const unknown = await refusal(open('root:x:0:0:root:/root:/bin/bash\n'));
      assert.equal(unknown.code, 'trace/unrecognised');
      assert.match(unknown.message, /trace\.txt is no trace of a known format/);
      assert.match(unknown.hint ?? '', /ftrace.*QEMU.*CSV/);
      const perf = await refusal(open('PERFILE2\0\0\0', 't', 'perf.data'));
      assert.match(`${perf.message} ${perf.hint}`, /perf\.data is a recording of perf.* perf script -i/);
      assert.match((await refusal(open(''))).message, /trace\.txt is empty/);
      const file = { kind: 'path', path: path.join(FIXTURES, 'nothing.txt') } as const;
      const missing = await refusal(client.request('traceOpen', { trace: 't', file }));
      assert.match(missing.message, /nothing\.txt cannot be opened: ENOENT/);
      assert.equal(missing.hint, 'Check the path.');
      const folder = { kind: 'path', path: FIXTURES } as const;
      const directory = await refusal(client.request('traceOpen', { trace: 't', file: folder }));
      assert.match(directory.message, /is a directory/);
      assert.equal((await refusal(index())).code, 'trace/closed');
    });
  });

  describe('hostile files', () => {
    it('shows what a cut gzip file still gives, and says so', async () => {
      const packed = gzipSync(ftraceText(20_000));
      const opened = await open(new Uint8Array(packed.subarray(0, packed.length - 2000)));
      const [problem] = opened.problems;
      assert.equal(problem?.code, 'trace/gzip-truncated');
      assert.match(problem.message, /trace\.txt ends in the middle of its gzip data; the \d+ bytes before/);
      const whole = await index();
      assert.ok(whole.rows > 10_000 && whole.rows < 40_000);
    });

    it('reads several gzip members with the inflater of browsers, or says that it read only the first', async () => {
      await client.dispose();
      const images = webImagePlatform({ pause: () => new Promise(setImmediate) });
      ({ client } = inProcessEngine(0, { images }));
      const packed = [ftraceText(10), ftraceText(20)].map((part) => gzipSync(part));
      const opened = await open(new Uint8Array(Buffer.concat(packed)));
      assert.ok(opened.rows >= 20);
      if (opened.rows === 20) assert.equal(opened.problems[0]?.code, 'trace/gzip-members');
      else assert.equal((await index()).rows, 60);
    });

    it('shows what a damaged gzip file still gives', async () => {
      const packed = Uint8Array.from(gzipSync(ftraceText(20_000), { level: 1 }));
      packed.fill(0xff, packed.length / 2, packed.length / 2 + 100);
      const opened = await open(packed);
      assert.match(opened.problems[0]?.code ?? '', /^trace\/gzip-/);
      assert.ok((await index()).rows > 1000);
    });

    it('stops a gzip bomb at the limit, which no text can be', async () => {
      const bomb = Buffer.concat(Array.from({ length: 3 }, () => gzipSync(Buffer.alloc(64 * 2 ** 20))));
      const refused = await refusal(open(new Uint8Array(bomb)));
      assert.equal(refused.code, 'trace/unrecognised');
    });

    it('keeps a line of 10 MB as one row, cut where it is shown', async () => {
      const text = ftraceText(10);
      await open(`${text}${'x'.repeat(10 * 2 ** 20)}\n${text}`);
      const whole = await index();
      assert.equal(whole.unknown, 1);
      const { rows: found } = await rows(20, 1);
      assert.equal(found[0]?.operation, 'unknown');
      assert.equal(found[0].cut, true);
      assert.ok(found[0].line.length <= 4096);
    });

    it('keeps binary between lines, and what is not UTF-8', async () => {
      const text = ftraceText(10);
      const noise = Uint8Array.from([0, 1, 2, 0xff, 0xfe, 0x80, 10, 0xc3, 0x28, 10]);
      await open(new Uint8Array(Buffer.concat([bytesOf(text), noise, bytesOf(text)])));
      const whole = await index();
      assert.equal(whole.events['map'], 20);
      assert.ok(whole.unknown >= 1);
      const page = await rows(0, 1000);
      assert.equal(page.rows.length, whole.rows);
    });
  });

  describe('rows', () => {
    it('are read from the file as they stand', async () => {
      const text = ftraceText(1000);
      await open(text);
      await index();
      const page = await rows(998, 4);
      assert.equal(page.total, 2000);
      assert.ok(page.complete);
      const lines = text.split('\n').slice(3);
      for (const [at, row] of page.rows.entries()) {
        assert.equal(row.row, 998 + at);
        assert.equal(row.line, lines[998 + at]);
        assert.equal(row.operation, at % 2 === 0 ? 'map' : 'unmap');
        assert.equal(row.task, 'dd');
        assert.equal(row.pid, 400 + (row.cpu ?? 9));
      }
      assert.equal(page.rows[0]?.iova, `0x${(0xffe00000 + (499 % 256) * 4096).toString(16)}`);
      assert.equal(page.rows[0].paddr, `0x${(0x100000000 + 499 * 4096).toString(16)}`);
      assert.deepEqual((await rows(2000, 10)).rows, []);
    });

    it('are refused in numbers that make no sense', async () => {
      await open(ftraceText(10));
      for (const [first, count] of [
        [-1, 10],
        [0.5, 10],
        [0, 0],
        [0, 1001],
        [0, Number.NaN],
      ] as const) {
        assert.match((await refusal(rows(first, count))).code, /^request\//);
      }
    });

    it('of a view are those that its filter leaves', async () => {
      await open(ftraceText(1000));
      await index();
      const found = await filter('op = unmap and cpu = 1');
      assert.deepEqual(found, { matched: 500, scanned: 2000, complete: true });
      const page = await rows(0, 1000, 'v');
      assert.equal(page.total, 500);
      assert.ok(page.rows.every((row) => row.operation === 'unmap' && row.cpu === 1));
      await client.request('traceDropView', { trace: 't', view: 'v' });
      assert.equal((await refusal(rows(0, 1, 'v'))).code, 'trace/no-view');
    });

    it('of a view come while the trace is still read', async () => {
      await open(ftraceText(80_000));
      const first = await filter('op = map');
      assert.equal(first.complete, false);
      assert.equal(first.matched, Math.ceil(first.scanned / 2));
      await index();
      const page = await rows(0, 1, 'v');
      assert.equal(page.total, 80_000);
      assert.ok(page.complete);
    });

    it('are found forwards and backwards, by a filter and by text', async () => {
      await open(ftraceText(1000));
      await index();
      const find = (query: { where: string } | { text: string }, from: number, backwards = false) =>
        client.request('traceFind', { trace: 't', view: '', query, from, backwards });
      assert.deepEqual(await find({ where: 'op = unmap' }, 10), { index: 11, row: 11 });
      assert.deepEqual(await find({ where: 'op = unmap' }, 10, true), { index: 9, row: 9 });
      assert.deepEqual(await find({ text: 'PADDR=0x0000000100000000' }, 0), { index: 0, row: 0 });
      assert.equal(await find({ text: 'PADDR=0x0000000100000000' }, 1), null);
      assert.match((await refusal(find({ where: 'op = ' }, 0))).message, /^Filter: .*\(at \d+\)$/);
    });

    it('are gone to by row, time and IOVA', async () => {
      await open(ftraceText(1000));
      await index();
      const seek = (place: Parameters<typeof go>[0]) => go(place);
      const go = (place: { row: number } | { time: number } | { iova: string; after?: number }) =>
        client.request('traceSeek', { trace: 't', view: '', place });
      assert.deepEqual(await seek({ row: 77 }), { index: 77, row: 77 });
      assert.equal(await seek({ row: 2000 }), null);
      assert.deepEqual(await seek({ time: 1e9 + 500 * 10_000 - 1 }), { index: 500, row: 500 });
      assert.deepEqual(await seek({ iova: '0xffe01234' }), { index: 2, row: 2 });
      assert.deepEqual(await seek({ iova: '0xffe01234', after: 4 }), { index: 514, row: 514 });
      assert.deepEqual(await seek({ iova: '0xffe01234', after: 1999 }), { index: 2, row: 2 });
      assert.equal((await refusal(seek({ iova: 'ffe' }))).code, 'request/address');
    });
  });

  describe('sums', () => {
    it('group rows, with a filter that leaves each group alone', async () => {
      await open(ftraceText(1000));
      await index();
      const groups = await client.request('traceGroups', {
        ...{ trace: 't', where: 'row <= 100', by: 'task', page: { limit: 1 } },
      });
      assert.equal(groups.total, 2);
      assert.equal(groups.rows[0]?.rows, 50);
      assert.equal((await filter(groups.rows[0].where)).matched, 50);
      const next = await client.request('traceGroups', {
        ...{ trace: 't', where: 'row <= 100', by: 'task', page: { limit: 10, cursor: groups.next ?? '' } },
      });
      assert.equal(next.rows.length, 1);
      assert.equal(next.next, undefined);
    });

    it('count rows by place and kind', async () => {
      await open(ftraceText(1000));
      await index();
      await filter('op = map');
      const found = await client.request('traceDensity', { trace: 't', view: 'v', buckets: 10 });
      assert.equal(found.total, 1000);
      assert.deepEqual(found.maps, new Array(10).fill(100));
      assert.deepEqual(found.unmaps, new Array(10).fill(0));
      const refused = client.request('traceDensity', { trace: 't', view: 'v', buckets: 5000 });
      assert.equal((await refusal(refused)).code, 'request/buckets');
    });

    it('export rows in pieces that follow each other', async () => {
      await open(ftraceText(20_000));
      await index();
      let [text, from, pieces]: [string, number | null, number] = ['', 0, 0];
      while (from !== null) {
        const piece: { text: string; next: number | null } = await client.request('traceExport', {
          ...{ trace: 't', where: '', format: 'jsonl', from },
        });
        text += piece.text;
        from = piece.next;
        pieces++;
      }
      assert.ok(pieces > 1);
      const written = text.trimEnd().split('\n');
      assert.equal(written.length, 40_000);
      const last = JSON.parse(written.at(-1) ?? '') as Record<string, unknown>;
      assert.equal(last['row'], 40_000);
      assert.equal(last['operation'], 'unmap');
    });

    it('check and complete filters over the trace that is open', async () => {
      await open(ftraceText(10));
      const check = (where: string) => client.request('checkTraceFilter', { trace: 't', where });
      assert.deepEqual(await check('task = dd and size >= 4K'), []);
      const [problem] = await check('task = dd and sise >= 4K');
      assert.deepEqual([problem?.start, problem?.end], [14, 18]);
      assert.match((await check('space = x'))[0]?.hint ?? '', /told apart first/);
      const completions = await client.request('completeTraceFilter', {
        ...{ trace: 't', where: 'task = ', offset: 7 },
      });
      assert.ok(completions.some(({ text }) => text === 'dd'));
    });
  });

  describe('address spaces', () => {
    it('are told apart by rules, and rows name theirs', async () => {
      await open(ftraceText(1000));
      await index();
      const told = await client.request('traceSpaces', {
        trace: 't',
        spaces: {
          by: 'rules',
          rules: [
            { name: 'first', where: 'cpu = 0' },
            { name: 'second', where: 'cpu = 1' },
          ],
        },
      });
      assert.deepEqual(
        told.spaces.map(({ name, rows: count }) => [name, count]),
        [
          ['first', 1000],
          ['second', 1000],
        ],
      );
      const { rows: shown } = await rows(0, 3);
      assert.deepEqual(
        shown.map(({ space }) => space),
        ['first', 'first', 'second'],
      );
      assert.equal((await filter('space = second and op = map')).matched, 500);
      assert.deepEqual((await client.request('traceSummary', { trace: 't' })).spaces, ['first', 'second']);
    });

    it('have what is live at a row, life times and a history', async () => {
      await open(ftraceText(1000));
      await index();
      const live = (row: number) => client.request('traceLive', { trace: 't', row, spaces: { by: 'auto' } });
      assert.equal((await live(10)).spaces[0]?.mappings, 1);
      assert.deepEqual((await live(11)).spaces, []);
      const history = await client.request('traceHistory', {
        ...{ trace: 't', iova: '0xffe01000', page: { limit: 3 } },
      });
      assert.equal(history.total, 8);
      assert.deepEqual(
        history.rows.map(({ row }: TraceRow) => row),
        [2, 3, 514],
      );
      assert.equal(history.lifetimes.length, 4);
      assert.deepEqual(history.lifetimes[0], {
        ...{ space: history.lifetimes[0]?.space, iova: '0xffe01000', size: 4096, paddr: '0x100001000' },
        ...{ mapRow: 2, unmapRow: 3, lived: 10_000, flushRow: null },
      });
      const lifetimes = await client.request('traceLifetimes', {
        ...{ trace: 't', where: 'cpu = 1', page: { limit: 2 } },
      });
      assert.equal(lifetimes.total, 500);
      assert.deepEqual(
        lifetimes.rows.map(({ mapRow }) => mapRow),
        [2, 6],
      );
    });

    it('have life times of maps that mapped something only: pages are full', async () => {
      const halves = ftraceText(1000)
        .split('\n')
        .map((line, at) =>
          at % 4 === 1
            ? line.replace(/=(0x\w{13})000 - \w+ paddr=(\w+) size=4096/, '=$1000 - $1800 paddr=$2 size=2048')
            : line,
        );
      await open(halves.join('\n'));
      await index();
      const lifetimes = await client.request('traceLifetimes', {
        trace: 't',
        where: '',
        page: { limit: 10 },
      });
      assert.equal(lifetimes.rows.length, 10);
      assert.equal(lifetimes.total, 500);
    });

    it('are of the rows that were there when they were asked for, and leaks say so', async () => {
      const lines = ftraceText(40_000)
        .split('\n')
        .filter((line) => !line.includes(' unmap: '));
      const opened = await open(lines.join('\n'));
      assert.ok(!opened.complete);
      const leaks = () =>
        client.request('traceFindings', { trace: 't', kinds: ['leak'], page: { limit: 1 } });
      const [early, whole] = await Promise.all([leaks(), index()]);
      assert.match(
        early.rows[0]?.message ?? '',
        new RegExp(`still mapped at row ${opened.rows}, as far as the trace was read\\.$`),
      );
      assert.equal(whole.rows, 40_000);
      assert.match((await leaks()).rows[0]?.message ?? '', /still mapped at the end of the trace\.$/);
    });

    it('have findings, with sentences that name rows as people count them', async () => {
      const text = ftraceText(2);
      const [line = ''] = text.split('\n').filter((each) => each.includes(' unmap: '));
      await open(`${text}${line}\n`);
      await index();
      const found = await client.request('traceFindings', { trace: 't', page: { limit: 10 } });
      assert.equal(found.counts['unmap-nothing'], 1);
      assert.equal(found.rows[0]?.row, 4);
      assert.match(
        found.rows[0].message,
        /^Row 5 unmaps 4K at 0xffe00000, where the trace shows no mapping\.$/,
      );
    });
  });

  describe('several requests', () => {
    let text = '';
    before(() => {
      text = ftraceText(200_000);
    });
    beforeEach(async () => {
      await client.dispose();
      // Its clock makes every step a slice of its own.
      engine = inProcessEngine(25);
      ({ client } = engine);
      await open(text);
    });

    it('read on after a cancel where they were', async () => {
      const cancel = new AbortController();
      const progress: Progress[] = [];
      const stopped = client.request(
        'traceIndex',
        { trace: 't' },
        {
          signal: cancel.signal,
          onProgress: (each) => {
            progress.push(each);
            cancel.abort();
          },
        },
      );
      assert.equal((await refusal(stopped)).code, 'cancelled');
      assert.match(progress[0]?.message ?? '', /^Reading trace: [\d,]+ rows$/);
      assert.ok((progress[0]?.fraction ?? 0) > 0 && (progress[0]?.fraction ?? 0) < 1);
      const before = await client.request('traceSummary', { trace: 't' });
      assert.ok(before.rows < 400_000 && !before.complete);
      assert.equal((await rows(before.rows - 1, 1)).rows.length, 1);
      assert.equal((await index()).rows, 400_000);
    });

    it('let a view grow on that a cancel had stopped inside a chunk', async () => {
      // Lines are read for it: several steps a chunk.
      const where = 'text has "unmap: "';
      await filter(where);
      for (const end of [3, 4, 5, 6]) {
        const cancel = new AbortController();
        let steps = 0;
        const onProgress = () => {
          if (++steps === end) cancel.abort();
        };
        const options = { signal: cancel.signal, onProgress };
        await client.request('traceIndex', { trace: 't' }, options).catch(() => undefined);
      }
      await index();
      const { total, complete } = await rows(0, 1, 'v');
      assert.deepEqual([total, complete], [200_000, true]);
    });

    it('are answered while rows of many chunks are shown, and those can be cancelled', async () => {
      await index();
      await filter('row = 1 or row = 150000 or row = 300000');
      const shown = await rows(0, 3, 'v');
      assert.deepEqual(
        shown.rows.map(({ row }) => row),
        [0, 149_999, 299_999],
      );
      const cancel = new AbortController();
      const page = { trace: 't', view: 'v', first: 0, count: 3 };
      const stopped = client.request('traceRows', page, {
        signal: cancel.signal,
        onProgress: () => cancel.abort(),
      });
      assert.equal((await refusal(stopped)).code, 'cancelled');
    });

    it('read one trace together', async () => {
      const [one, other, filtered] = await Promise.all([index(), index(), filter('op = map')]);
      assert.equal(one.rows, 400_000);
      assert.equal(other.rows, 400_000);
      assert.ok(filtered.matched <= 200_000);
      assert.equal((await rows(0, 1, 'v')).total, 200_000);
    });

    it('are refused when the trace is closed meanwhile', async () => {
      await index();
      const going = [
        filter('text has nowhere'),
        client.request('traceFindings', { trace: 't', page: { limit: 1 } }),
      ];
      const refused = Promise.all(going.map(refusal));
      await client.request('traceClose', { trace: 't' });
      for (const error of await refused) {
        assert.equal(error.code, 'trace/closed');
        assert.match(error.message, /closed meanwhile/);
      }
      assert.equal((await refusal(rows(0, 1))).code, 'trace/closed');
    });

    it('are refused when their view is dropped or replaced meanwhile', async () => {
      await index();
      const dropped = refusal(filter('text has nowhere'));
      await client.request('traceDropView', { trace: 't', view: 'v' });
      assert.equal((await dropped).code, 'trace/view-replaced');
      const replaced = refusal(filter('text has nowhere'));
      const next = await filter('op = map');
      assert.equal((await replaced).code, 'trace/view-replaced');
      assert.equal(next.matched, 200_000);
    });

    it('go on when another that waits for the same is cancelled', async () => {
      await index();
      const cancel = new AbortController();
      const page = { limit: 1 };
      const stopped = refusal(
        client.request(
          'traceFindings',
          { trace: 't', page },
          { signal: cancel.signal, onProgress: () => cancel.abort() },
        ),
      );
      const other = client.request('traceFindings', { trace: 't', page });
      assert.equal((await stopped).code, 'cancelled');
      assert.equal((await other).total, 0);
    });
  });
});
