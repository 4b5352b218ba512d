/** Traces that are cut, mixed, damaged or made to hurt: what can be read is shown, what cannot is said with its place. */
import assert from 'node:assert/strict';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { type EngineClient, RequestError, type TraceSummary } from '../../../src/inspection/protocol';
import { inProcessEngine } from '../../unit/inspection/inProcess';
import { type Event, HEADER, lineOf, traceOf } from './guestText';
import { allRows, openWhole, sampleFile, textOf } from './opened';

const PAGE = 4096;
const mapOf = (page: number): Event => ({ op: 'map', iova: page * PAGE, paddr: 0x8000_0000, size: PAGE });
const maps = (count: number): Event[] => Array.from({ length: count }, (_, at) => mapOf(at + 16));
const line = (row: number): string => lineOf(mapOf(row + 16), row);
const latin = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const textWith = (...lines: readonly string[]): string => `${HEADER}${lines.join('\n')}\n`;

describe('hostile traces', () => {
  let client: EngineClient;
  before(() => void ({ client } = inProcessEngine()));
  after(() => client.dispose());

  /** The summary, or the refusal: which is never a bug's. */
  async function opened(content: string | Uint8Array): Promise<TraceSummary | RequestError> {
    try {
      return await openWhole(client, content);
    } catch (error) {
      assert.ok(error instanceof RequestError, String(error));
      assert.notEqual(error.code, 'internal', error.message);
      assert.ok(error.message.length < 1000);
      return error;
    }
  }

  async function read(content: string | Uint8Array): Promise<TraceSummary> {
    const answer = await opened(content);
    if (answer instanceof RequestError) assert.fail(answer.message);
    assert.ok(answer.complete);
    assert.equal(answer.read, answer.bytes);
    return answer;
  }

  /** Row and byte of each problem of a code. */
  const places = (
    { problems }: TraceSummary,
    code: RegExp,
  ): (readonly [number | undefined, number | undefined])[] =>
    problems.filter((problem) => code.test(problem.code)).map(({ row, offset }) => [row, offset] as const);

  const kinds = async (): Promise<string> =>
    (await allRows(client))
      .map(({ operation }) => (operation === 'map' ? 'm' : operation === 'unknown' ? '?' : '-'))
      .join('');

  describe('text', () => {
    it('nothing at all is refused; a header alone is a trace without rows', async () => {
      const nothing = await opened('');
      assert.ok(nothing instanceof RequestError);
      assert.match(nothing.message, /empty/);
      const { rows, problemCount } = await read(HEADER);
      assert.deepEqual([rows, problemCount], [0, 0]);
      assert.deepEqual(await allRows(client), []);
    });

    it('cut at any byte of its last line: that line is a row, and said', async () => {
      const text = traceOf(maps(5));
      const last = text.lastIndexOf('\n', text.length - 2) + 1;
      for (let end = last + 1; end < text.length; end += 7) {
        const summary = await read(text.slice(0, end));
        assert.equal(summary.rows, 5);
        assert.equal(summary.events['map'] === 5 ? 0 : 1, summary.unknown);
        assert.deepEqual(places(summary, /open-end/), [[4, last]]);
      }
    });

    it('lines of Windows are read as any, and shown without their end', async () => {
      const summary = await read(traceOf(maps(9)).replaceAll('\n', '\r\n'));
      assert.deepEqual([summary.rows, summary.events, summary.unknown], [9, { map: 9 }, 0]);
      assert.deepEqual(
        (await allRows(client)).map((row) => row.line),
        maps(9).map(lineOf),
      );
    });

    it('lines of other formats are kept between those of the first', async () => {
      const others = [
        ...textOf(sampleFile('vtd-legacy-share', 'qemu-trace.sample.log')).split('\n').slice(0, 20),
        ...textOf(sampleFile('vtd-legacy-share', 'perf-script.txt')).split('\n').slice(0, 5),
        '{"operation":"map","iova":"0x1000","size":4096}',
      ];
      const summary = await read(textWith(line(0), line(1), ...others, line(2)));
      assert.equal(await kinds(), `mm${'?'.repeat(others.length)}m`);
      assert.equal(summary.unknown, others.length);
      assert.equal(places(summary, /unknown/)[0]?.[0], 2);
      assert.equal((await allRows(client))[22]?.line, others[20]);
    });

    it('bytes that are no text are kept as they stand, and said where', async () => {
      const before = textWith(line(0));
      const summary = await read(latin(`${before}\0\x01\xff\xfe\x80 no text\n${line(1)}\n`));
      assert.equal(await kinds(), 'm?m');
      assert.deepEqual(places(summary, /binary/), [[1, before.length]]);
    });

    it('names that are not UTF-8 do not cost their row', async () => {
      const strange = lineOf({ ...mapOf(17), task: 'd\xff\xe9\x80d-7' }, 1);
      await read(latin(textWith(line(0), strange, line(2))));
      assert.equal(await kinds(), 'mmm');
      const [, row] = await allRows(client);
      assert.deepEqual([row?.pid, row?.iova, row?.size], [7, '0x11000', PAGE]);
    });

    it('UTF-8 names are read, also behind a byte order mark', async () => {
      await read(`\ufeff${textWith(line(0), lineOf({ ...mapOf(17), task: 'größe→-7' }, 1))}`);
      assert.equal((await allRows(client))[1]?.task, 'größe→');
    });

    it('a line of 10 MB is one row, shown cut', async () => {
      const before = textWith(line(0));
      for (const long of ['x'.repeat(10_000_000), `${line(1)} ${'y'.repeat(10_000_000)}`]) {
        const summary = await read(`${before}${long}\n${line(2)}\n`);
        assert.equal(await kinds(), 'm?m');
        const [, row] = await allRows(client);
        assert.ok(row?.cut && row.line.length <= 4096 && long.startsWith(row.line));
        assert.deepEqual(places(summary, /long/), [[1, before.length]]);
      }
    });

    it('names of 100 KB are in no answer', async () => {
      const name = 'n'.repeat(100_000);
      const lines = [
        lineOf({ ...mapOf(17), task: `${name}-7` }, 1),
        line(1).replace(': map:', `: ${name}:`),
        line(1).replace(': map:', `: dma_map_page: ${name}`),
      ];
      const summary = await read(textWith(line(0), ...lines, line(2)));
      assert.equal(summary.rows, 5);
      assert.ok(JSON.stringify(summary).length < 10_000);
      assert.ok(JSON.stringify(await allRows(client)).length < 50_000);
    });

    it('time that runs backwards is said once for each place, and rows stay where they are', async () => {
      const order = [5, 6, 1, 2, 0, 9];
      const lines = order.map(line);
      const summary = await read(textWith(...lines));
      const at = (row: number): number => textWith(...lines.slice(0, row)).length;
      assert.deepEqual(places(summary, /backwards/)[0], [2, at(2)]);
      assert.deepEqual(
        (await allRows(client)).map((row) => row.line),
        lines,
      );
      const found = await client.request('traceSeek', { trace: 't', view: '', place: { row: 4 } });
      assert.deepEqual(found, { index: 4, row: 4 });
    });

    it('numbers beyond 64 bits and below nothing make no mapping', async () => {
      const strange = [
        line(1).replace(/iova=0x0+/, 'iova=0xfffffffffff'),
        line(1).replace('size=4096', 'size=99999999999999999999999'),
        line(1).replace('size=4096', 'size=-4096'),
      ];
      await read(textWith(line(0), ...strange, line(2)));
      assert.equal(await kinds(), 'm???m');
      const live = await client.request('traceLive', { trace: 't', row: 4, spaces: { by: 'auto' } });
      assert.deepEqual(
        live.spaces.map(({ bytes }) => bytes),
        [2 * PAGE],
      );
    });

    it('lost events are rows where they were lost, and counted', async () => {
      const summary = await read(
        textWith(line(0), 'CPU:1 [LOST 1234 EVENTS]', line(1), 'CPU:0 [LOST 6 EVENTS]'),
      );
      assert.deepEqual([summary.lost, summary.rows], [1240, 4]);
      assert.deepEqual(
        (await allRows(client)).map(({ operation, count }) => [operation, count]),
        [
          ['map', null],
          ['lost', 1234],
          ['map', null],
          ['lost', 6],
        ],
      );
    });
  });

  it('70,000 devices and tasks: each row keeps its own', async () => {
    const count = 70_000;
    const lines = Array.from(
      { length: count },
      (_, row) =>
        `task${row}-${row} [000] ..... ${10 + row}.000000: dma_map_page: dev${row} dir=TO_DEVICE dma_addr=1000 size=4096 phys_addr=1000 attrs=`,
    );
    const summary = await read(textWith(...lines));
    assert.equal(summary.rows, count);
    const { rows } = await client.request('traceRows', { trace: 't', view: '', first: 69_500, count: 500 });
    for (const row of rows)
      assert.deepEqual([row.device, row.task, row.pid], [`dev${row.row}`, `task${row.row}`, row.row]);
    const where = 'device = dev69999 or task = task65537 or device = dev65536';
    assert.equal((await client.request('traceFilter', { trace: 't', view: 'v', where })).matched, 3);
    assert.deepEqual(
      (await allRows(client, 'v')).map(({ row }) => row),
      [65_536, 65_537, 69_999],
    );
    const groups = await client.request('traceGroups', {
      trace: 't',
      where,
      by: 'device',
      page: { limit: 10 },
    });
    assert.deepEqual(groups.rows.map(({ value }) => value).sort(), ['dev65536', 'dev65537', 'dev69999']);
  });

  describe('gzip', () => {
    const text = traceOf(maps(5000));
    const packed = new Uint8Array(gzipSync(text));

    for (const part of [0.3, 0.7, 0.99])
      it(`cut after ${part * 100} % of its bytes: rows up to there, and why no more`, async () => {
        const summary = await read(packed.slice(0, Math.floor(packed.length * part)));
        assert.ok(summary.rows > 0 && summary.rows <= 5000);
        const rows = await allRows(client);
        const whole = maps(summary.rows - 1).map(lineOf);
        assert.deepEqual(
          rows.slice(0, -1).map((row) => row.line),
          whole,
        );
        const [problem] = summary.problems;
        assert.equal(problem?.severity, 'error');
        assert.match(problem.message, /gzip/);
        assert.match(problem.message, new RegExp(`\\b${summary.bytes}\\b`));
      });

    it('damage, a wrong sum and what follows the end are said; nothing is hidden', async () => {
      const damaged = packed.slice();
      damaged[damaged.length - 6] = (damaged[damaged.length - 6] ?? 0) ^ 0xff;
      for (const bytes of [
        damaged,
        new Uint8Array(Buffer.concat([packed, Buffer.from('rubbish, no gzip')])),
      ]) {
        const summary = await read(bytes);
        assert.equal(summary.events['map'], 5000);
        assert.match(summary.problems[0]?.code ?? '', /gzip/);
      }
    });

    it('of which nothing is left is refused', async () => {
      for (const bytes of [packed.slice(0, 3), packed.slice(0, 12), new Uint8Array(gzipSync(''))]) {
        const answer = await opened(bytes);
        assert.ok(answer instanceof RequestError);
        assert.match(answer.message, /gzip|empty/);
      }
    });

    it('12 GB of zeros in 13 MB can be cancelled, and the engine answers on', async () => {
      const member = gzipSync(Buffer.alloc(64 * 2 ** 20), { level: 9 });
      const bomb = new Uint8Array(Buffer.concat(Array.from({ length: 200 }, () => member)));
      const file = { kind: 'bytes', name: 'bomb.gz', bytes: bomb } as const;
      const controller = new AbortController();
      let steps = 0;
      const answer = client.request(
        'traceOpen',
        { trace: 'bomb', file },
        {
          signal: controller.signal,
          onProgress: () => {
            steps++;
            controller.abort();
          },
        },
      );
      await assert.rejects(answer, RequestError);
      assert.ok(steps > 0);
      const next = await client.request('traceSummary', { trace: 'bomb' }).catch((error: unknown) => error);
      assert.ok(next instanceof RequestError);
      assert.equal((await read(packed)).rows, 5000);
    });
  });

  for (const version of [6, 7])
    describe(`trace.dat, version ${version}`, () => {
      const whole = new Uint8Array(
        gunzipSync(readFileSync(sampleFile('vtd-sm-fl-share', `trace.v${version}.dat`))),
      );
      /** Versions are digits behind the magic, up to a zero. */
      const versionAt = 10;
      let count = 0;
      before(async () => {
        count = (await read(whole)).rows;
        assert.ok(count > 900);
      });

      it('cut anywhere: refused, or read up to there and said', async () => {
        for (let part = 1; part < 16; part++) {
          const answer = await opened(whole.slice(0, Math.floor((whole.length * part) / 16)));
          if (answer instanceof RequestError) continue;
          assert.ok(answer.rows <= count);
          if (answer.rows < count) assert.ok(answer.problemCount > 0, `part ${part}`);
        }
      });

      it('of a version that nobody knows is refused by its number', async () => {
        assert.equal(String.fromCharCode(whole[versionAt] ?? 0), String(version));
        const other = whole.slice();
        other[versionAt] = '9'.charCodeAt(0);
        const answer = await opened(other);
        assert.ok(answer instanceof RequestError);
        assert.match(answer.message, /version/);
        assert.match(answer.message, /9/);
      });

      it('sizes of 4 GB and more in any place of its head take neither time nor memory', async () => {
        const before = process.memoryUsage().rss;
        for (let at = 12; at < 140; at += version === 6 ? 15 : 5) {
          const claimed = whole.slice();
          claimed.set([0xff, 0xff, 0xff, 0xff], at);
          await opened(claimed);
          claimed.set([0, 0, 0, 0, 1, 0, 0, 0], at);
          await opened(claimed);
        }
        assert.ok(process.memoryUsage().rss - before < 500e6);
      });

      it('with any byte turned over', async () => {
        let state = version;
        for (let turn = 0; turn < (version === 6 ? 10 : 40); turn++) {
          state = (state * 48_271) % 2_147_483_647;
          const damaged = whole.slice();
          damaged[state % damaged.length] = state % 251;
          const answer = await opened(damaged);
          if (!(answer instanceof RequestError)) assert.ok(answer.rows < 2 * count);
        }
      });
    });

  describe('at the same time', () => {
    const events = Array.from({ length: 100_000 }, (_, row): Event =>
      row % 2 === 0
        ? mapOf(16 + (row % 512))
        : { op: 'unmap', iova: (16 + ((row - 1) % 512)) * PAGE, size: PAGE },
    );
    const text = traceOf(events);
    const bytes = latin(text);
    let engine: EngineClient;
    // The clock goes on at each look, so that work gives way often.
    beforeEach(() => void ({ client: engine } = inProcessEngine(100)));
    afterEach(() => engine.dispose());
    const open = () => engine.request('traceOpen', { trace: 't', file: { kind: 'bytes', name: 't', bytes } });
    const filter = (where: string) => engine.request('traceFilter', { trace: 't', view: 'v', where });

    it('a filter while the trace is read sees all in the end', async () => {
      await open();
      const indexing = engine.request('traceIndex', { trace: 't' });
      const early = await filter('op = unmap');
      assert.ok(early.matched <= 50_000);
      const [page, summary] = await Promise.all([
        engine.request('traceRows', { trace: 't', view: 'v', first: 0, count: 10 }),
        indexing,
      ]);
      assert.equal(summary.rows, 100_000);
      for (const row of page.rows) assert.equal(row.operation, 'unmap');
      assert.deepEqual(await filter('op = unmap'), { matched: 50_000, scanned: 100_000, complete: true });
    });

    it('the last of two filters of a view holds', async () => {
      await openWhole(engine, bytes);
      const [first, second] = await Promise.allSettled([
        filter('op = map'),
        filter('op = unmap and iova = 0x10000'),
      ]);
      assert.ok(second.status === 'fulfilled');
      const wanted = events.filter(({ op, iova }) => op === 'unmap' && iova === 0x10000).length;
      assert.equal(second.value.matched, wanted);
      if (first.status === 'fulfilled') assert.ok(first.value.matched <= 50_000);
      const { rows, total } = await engine.request('traceRows', {
        trace: 't',
        view: 'v',
        first: 0,
        count: 1000,
      });
      assert.equal(total, wanted);
      for (const row of rows) assert.deepEqual([row.operation, row.iova], ['unmap', '0x10000']);
    });

    it('closed while it is filtered and read, it ends what is asked of it, and opens again', async () => {
      await open();
      const asked = [
        engine.request('traceIndex', { trace: 't' }),
        filter('op = unmap'),
        engine.request('traceFindings', { trace: 't', page: { limit: 10 } }),
      ];
      const closed = engine.request('traceClose', { trace: 't' });
      const answers = await Promise.allSettled([...asked, closed]);
      for (const answer of answers) {
        if (answer.status === 'fulfilled') continue;
        const error: unknown = answer.reason;
        assert.ok(error instanceof RequestError && error.code !== 'internal', String(error));
      }
      assert.equal(answers[3]?.status, 'fulfilled');
      await assert.rejects(engine.request('traceSummary', { trace: 't' }), RequestError);
      assert.equal((await openWhole(engine, bytes)).rows, 100_000);
    });

    it('reading that is cancelled keeps what it has, and goes on from there', async () => {
      const first = await open();
      assert.ok(!first.complete);
      const controller = new AbortController();
      const reading = engine.request(
        'traceIndex',
        { trace: 't' },
        {
          signal: controller.signal,
          onProgress: () => {
            controller.abort();
          },
        },
      );
      await assert.rejects(reading, RequestError);
      const kept = await engine.request('traceSummary', { trace: 't' });
      assert.ok(kept.rows >= first.rows && kept.rows < 100_000 && !kept.complete);
      const whole = await engine.request('traceIndex', { trace: 't' });
      assert.deepEqual([whole.rows, whole.complete, whole.unknown], [100_000, true, 0]);
      for (const at of [0, kept.rows - 1, kept.rows, kept.rows + 1, 99_999]) {
        const page = await engine.request('traceRows', { trace: 't', view: '', first: at, count: 1 });
        const event = events[at];
        assert.ok(event);
        assert.equal(page.rows[0]?.line, lineOf(event, at));
      }
    });

    it('a filter that is cancelled leaves a view that can be made again', async () => {
      await openWhole(engine, bytes);
      const controller = new AbortController();
      const answer = engine.request(
        'traceFilter',
        { trace: 't', view: 'v', where: 'op = map' },
        { signal: controller.signal },
      );
      controller.abort();
      await answer.catch((error: unknown) => {
        assert.ok(error instanceof RequestError && error.code !== 'internal', String(error));
      });
      assert.equal((await filter('op = map')).matched, 50_000);
    });
  });
});
